# SPDX-License-Identifier: MIT
"""A scale of a quantity's own: how much of a heap lies below each value.

On it the most frequent sizes are wide and exact, and a uniform draw follows the whole heap's
distribution; boxes cut on it only say what differs. (Zorn and Grunwald 1994 call a model that draws
from the actual frequencies CDF; this is the part of it that fits a page.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from alloclab.synthetic.columns import Floats, Ints

LENGTH = 10_000
"""A scale goes from 0 to this."""


@dataclass(frozen=True)
class Scale:
    """Ranges of whole values in order, `low` to `high`, each as wide as what lies in it.

    `edges[i]` is where range i begins on the scale, `edges[i + 1]` where it ends.
    """

    low: Ints
    high: Ints
    edges: Floats

    def place(self, values: Ints, rng: np.random.Generator) -> Floats:
        """Returns where values stand on the scale: anywhere in the part that is theirs, a whole
        number if there is one, otherwise in hundredths.
        """
        entry = np.searchsorted(self.low, values, side="right") - 1
        begin, end = self.edges[entry], self.edges[entry + 1]
        share = (values - self.low[entry] + rng.random(len(values))) / self._width(entry)
        least, most = np.floor(begin) + 1, np.ceil(end) - 1
        whole = np.clip(np.rint(begin + share * (end - begin)), least, most)
        return np.asarray(np.where(least <= most, whole, np.round((begin + end) / 2, 2)))

    def middle(self, value: int) -> float:
        """Returns the place in the middle of the part of this value's range, for it alone."""
        entry = int(np.searchsorted(self.low, value, side="right")) - 1
        share = (value - self.low[entry] + 0.5) / self._width(entry)
        begin, end = self.edges[entry], self.edges[entry + 1]
        return round(float(begin + share * (end - begin)), 2)

    def _width(self, entry: Any) -> Any:
        return self.high[entry] - self.low[entry] + 1

    def value(self, places: Floats) -> Ints:
        """Returns the values at places of the scale."""
        if len(self.low) == 0:
            return np.zeros(len(places), np.int64)
        entry = np.searchsorted(self.edges, places, side="right") - 1
        entry = np.clip(entry, 0, len(self.low) - 1)
        begin, end = self.edges[entry], self.edges[entry + 1]
        share = np.clip((places - begin) / np.maximum(end - begin, 1e-12), 0.0, 1 - 1e-9)
        width = self.high[entry] - self.low[entry] + 1
        return np.asarray(self.low[entry] + np.floor(share * width), np.int64)

    def to_json(self) -> list[list[int]]:
        """Returns rows [lowest, values less one, width on the scale in hundredths]."""
        widths = np.rint(np.diff(self.edges) * 100).astype(np.int64)
        rows = zip(self.low.tolist(), self.high.tolist(), widths.tolist(), strict=True)
        return [[low, high - low, width] for low, high, width in rows]


def scale_from_json(rows: list[list[int]]) -> Scale:
    """Returns the scale that `Scale.to_json` wrote. Requires: the rows are checked."""
    table = np.array(rows, np.int64).reshape(-1, 3)
    edges = np.concatenate([[0.0], np.cumsum(table[:, 2]) / 100])
    return Scale(table[:, 0], table[:, 0] + table[:, 1], edges)


def fit_scale(values: Ints, weights: Floats, ranges: int) -> Scale:
    """Returns a scale of at most `ranges` ranges, on which values are as wide as they weigh.

    The heaviest values have a range of their own; those between them share one where there is no
    room for more.
    """
    distinct, inverse = np.unique(values, return_inverse=True)
    if len(distinct) == 0:
        return Scale(distinct, distinct, np.zeros(1))
    mass: Floats = np.bincount(inverse, weights=weights).astype(np.float64)
    mass = mass / max(mass.sum(), 1e-300)
    is_own = np.zeros(len(distinct), np.bool_)
    is_own[np.argsort(-mass, kind="stable")[: ranges // 3]] = True
    # The others: cut where another equal part of what they weigh is full.
    rest = np.where(is_own, 0.0, mass)
    part = np.floor(np.cumsum(rest) / max(rest.sum(), 1e-300) * (ranges // 3 - 1))
    begins = np.ones(len(distinct), np.bool_)
    begins[1:] = is_own[1:] | is_own[:-1] | (part[1:] != part[:-1])
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(distinct)) - 1
    edges = np.concatenate([[0.0], np.cumsum(np.add.reduceat(mass, first)) * LENGTH])
    return Scale(distinct[first], distinct[last], edges)
