# SPDX-License-Identifier: MIT
"""Reallocations of drawn objects: when each comes and to which size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alloclab.synthetic.columns import Floats, Ints
from alloclab.synthetic.tables import size_bins


def draw_steps(
    rng: np.random.Generator,
    columns: Mapping[str, Any],
    gap: Ints,
    quantiles: list[list[Any]],
    rungs: list[list[Any]],
) -> tuple[Ints, Ints, Ints]:
    """Returns for each reallocation the object, its gap, and the new size in bytes.

    An object's are together and in order. Sizes go from the first to the largest by one factor;
    the last step goes to the size the object ends with. Of those that are no landmark, sizes are
    the frequent ones of the recording as often as there.
    """
    count = len(gap)
    born = np.arange(count)
    steps = np.floor(columns["steps"] + rng.random(count)).astype(np.int64)
    steps = np.where(columns["steps"] > 0, np.maximum(steps, 1), 0)
    owner = np.repeat(born, steps)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(steps) - steps, steps) + 1
    life = np.where(gap < 0, count - born, gap - born + 1)
    settled = np.floor(columns["settled"] * life + rng.random(count)).astype(np.int64)
    settled = np.minimum(settled, life - 1)
    share = _shares(rng, steps[owner], quantiles)
    when = np.where(number < steps[owner], np.floor(share * (settled + 1)[owner]), settled[owner])
    when = born[owner] + np.minimum(when.astype(np.int64), settled[owner])
    when = when[np.lexsort((when, owner))]
    sizes = _sizes(columns, owner, number, steps[owner])
    drawn = rng.random(count)[owner]  # an object is on the rungs at each step or at none
    is_free = ~columns["is_landmark"][owner]
    sizes[is_free] = _on_rungs(sizes[is_free], drawn[is_free], rungs)
    return owner, when, sizes


def _on_rungs(sizes: Ints, drawn: Floats, rungs: list[list[Any]]) -> Ints:
    """Returns each size, or the frequent size nearest to it if what is drawn, from 0 to 1, is less
    than the share that frequent ones have in its doubling.
    """
    bins = size_bins(sizes)
    known = np.sort(np.array([size for row in rungs for size, _ in row[2]], np.int64))
    if len(known) == 0:
        return sizes
    doublings = np.array([row[0] for row in rungs])
    shares = np.array([sum(count for _, count in row[2]) / row[1] for row in rungs])
    nearest_known = np.abs(np.arange(65)[:, None] - doublings).argmin(axis=1)
    share = shares[nearest_known[bins]]
    above = np.clip(np.searchsorted(known, sizes), 1, len(known) - 1) if len(known) > 1 else 0
    low, high = known[np.maximum(above - 1, 0)], known[above]
    at = sizes.astype(np.float64)
    nearest = np.where(at**2 < low.astype(np.float64) * high, low, high)
    return np.asarray(np.where(drawn < share, nearest, sizes), np.int64)


def _shares(rng: np.random.Generator, steps: Ints, quantiles: list[list[Any]]) -> Floats:
    """Returns when steps come, as shares of the time to the last one: by how many there are."""
    share = np.ones(len(steps))
    known = np.array([row[0] for row in quantiles], np.int64)
    bins = size_bins(steps)
    for each in np.unique(bins) if len(known) else ():
        values = quantiles[int(np.abs(known - each).argmin())][1]
        of_bin = bins == each
        u = rng.random(int(of_bin.sum()))
        share[of_bin] = np.interp(u, np.linspace(0, 1, len(values)), values)
    return share


def _sizes(columns: Mapping[str, Any], owner: Ints, number: Ints, steps: Ints) -> Ints:
    first = np.maximum(columns["size"][owner].astype(np.float64), 1)
    most = first * np.maximum(columns["growth"][owner], 1.0)
    last = most * np.clip(columns["kept"][owner], 0.0, 1.0)
    grows, shrinks = most > first + 0.5, last < most - 0.5
    climb = np.maximum(np.where(grows & shrinks, steps - 1, steps), 1)
    top = np.where(grows, most, np.maximum(last, 1))
    path = first * (top / first) ** (np.minimum(number, climb) / climb)
    return np.asarray(np.rint(np.where(number == steps, last, path)), np.int64)
