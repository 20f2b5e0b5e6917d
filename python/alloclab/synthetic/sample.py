# SPDX-License-Identifier: MIT
"""Draws objects from boxes: birth, size, death and what else a box keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alloclab.synthetic.boxes import exponent
from alloclab.synthetic.columns import Floats, Ints
from alloclab.synthetic.fit import group_axes


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
    """Returns the ranks of two normal variables with this correlation."""
    first = rng.standard_normal(count)
    rest = np.sqrt(max(0.0, 1 - correlation**2))
    second = correlation * first + rest * rng.standard_normal(count)
    ranks = np.empty((2, count), np.int64)
    for row, values in enumerate((first, second)):
        ranks[row][np.argsort(values)] = np.arange(count)
    return ranks[0], ranks[1]


def draw_boxes(
    rng: np.random.Generator, name: str, boxes: list[list[Any]], counts: Ints
) -> Mapping[str, Floats]:
    """Draws `counts` objects of the boxes of a group.

    Returns columns: those of the group's axes, `gap` and `lived`, one of them -1 in each row, both
    where objects are kept to the end.
    """
    axes, dies = group_axes(name)
    columns: dict[str, list[Floats]] = {each: [np.zeros(0)] for each in (*axes, "gap", "lived_place")}
    for box, count in zip(boxes, counts.tolist(), strict=True):
        if count == 0:
            continue
        born, dying = draw_ranks(rng, count, box[-1] / 100 if dies else 0.0)
        for each, encoded in zip(axes, box[1:], strict=False):
            columns[each].append(
                draw_axis(rng, encoded, count, born if each == "born" else None)
            )
        nothing = np.full(count, -1.0)
        end = draw_axis(rng, box[-2], count, dying) if dies else nothing
        is_gap = bool(dies and box[-3])
        columns["gap"].append(end if is_gap else nothing)
        columns["lived_place"].append(nothing if is_gap else end)
    return {each: np.concatenate(parts) for each, parts in columns.items()}
