# SPDX-License-Identifier: MIT
"""Draws objects from a model's boxes: birth, size, life and what else a box keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alloclab.synthetic.columns import Floats, Ints
from alloclab.synthetic.fit import GROUPS, group_axes
from alloclab.synthetic.groups import exponent

_COLUMNS = ("born", "size_place", "growth", "kept", "steps", "settled", "touched")
_MORE = ("gap", "lived_place", "born_low", "born_width")
_ALONE = {"growth": 1.0, "kept": 1.0, "steps": 0.0, "settled": 0.0, "touched": 1.0}


def draw_axis(rng: np.random.Generator, axis: Any, count: int, ranks: Ints | None = None) -> Floats:
    """Returns `count` values of an encoded axis, one from each of as many equal shares of it.

    Args:
        ranks: which share each gets; by chance where it is not given.
    """
    if not isinstance(axis, list):
        return np.full(count, float(axis))
    low, width, percent = axis
    order = rng.permutation(count) if ranks is None else ranks
    u = (order + rng.random(count)) / count
    values: Floats = low + width * u ** exponent(percent / 100)
    return values


def draw_ranks(rng: np.random.Generator, count: int, correlation: float) -> tuple[Ints, Ints]:
    """Returns the ranks of `count` pairs of normal variables with this correlation."""
    first = rng.standard_normal(count)
    rest = np.sqrt(max(0.0, 1 - correlation**2))
    second = correlation * first + rest * rng.standard_normal(count)
    ranks = np.empty((2, count), np.int64)
    for row, values in enumerate((first, second)):
        ranks[row][np.argsort(values)] = np.arange(count)
    return ranks[0], ranks[1]


def scaled_counts(boxes: Mapping[str, list[list[Any]]], factor: float) -> dict[str, Ints]:
    """Returns how many objects each box gets: its own times the factor, rounded so that the sum of
    any first few is right.
    """
    own = np.array([box[0] for name in GROUPS for box in boxes[name]], np.float64)
    ends = np.rint(np.cumsum(own) * factor).astype(np.int64)
    counts = np.diff(np.concatenate([[0], ends]))
    cuts = np.cumsum([len(boxes[name]) for name in GROUPS])[:-1]
    return dict(zip(GROUPS, np.split(counts, cuts), strict=True))


def draw_objects(
    rng: np.random.Generator, boxes: Mapping[str, list[list[Any]]], counts: Mapping[str, Ints]
) -> dict[str, Any]:
    """Draws the objects of all boxes, in no order.

    Returns columns: what boxes keep on their axes, `born` and `gap` in positions of the run; `gap`
    and `lived_place`, at least one of them -1 in each row, both where `is_freed` is false;
    `born_low` and `born_width`, the positions of the box; `is_small`, `is_landmark` and
    `is_region`.
    """
    parts = [_draw_group(rng, name, boxes[name], counts[name]) for name in GROUPS]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _within(rng: np.random.Generator, axis: Any, count: int) -> Any:
    """Returns where within their positions births or deaths are: a fraction is exact as it is."""
    return 0.0 if isinstance(axis, float) else rng.random(count)


def _draw_group(
    rng: np.random.Generator, name: str, boxes: list[list[Any]], counts: Ints
) -> dict[str, Any]:
    axes, dies = group_axes(name)
    total = int(counts.sum())
    columns: dict[str, Any] = {
        key: np.full(total, _ALONE.get(key, -1.0)) for key in (*_COLUMNS, *_MORE)
    }
    begin = 0
    for box, count in zip(boxes, counts.tolist(), strict=True):
        rows = slice(begin, begin + count)
        begin += count
        if count == 0:
            continue
        born, dying = draw_ranks(rng, count, box[-1] / 100 if dies else 0.0)
        for axis, encoded in zip(axes, box[1:], strict=False):
            ranks = born if axis == "born" else None
            columns[axis][rows] = draw_axis(rng, encoded, count, ranks)
            if axis == "born" and not name.startswith("landmark"):
                columns[axis][rows] += _within(rng, encoded, count)
                low, width, _ = encoded if isinstance(encoded, list) else (encoded, 0, 0)
                columns["born_low"][rows], columns["born_width"][rows] = low, width + 1
        if dies:
            end = draw_axis(rng, box[-2], count, dying)
            if box[-3]:
                columns["gap"][rows] = end + _within(rng, box[-2], count)
            else:
                columns["lived_place"][rows] = end
    columns["is_freed"] = np.full(total, dies)
    columns["is_small"] = np.full(total, name.startswith("small"))
    columns["is_landmark"] = np.full(total, name.startswith("landmark"))
    columns["is_region"] = np.full(total, name.startswith("region"))
    return columns
