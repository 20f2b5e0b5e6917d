# SPDX-License-Identifier: MIT
"""Fits a model to a heap: sorts objects into groups, cuts the groups into boxes."""

from __future__ import annotations

from typing import Any

import numpy as np

from alloclab.synthetic.boxes import BoxTree, Group
from alloclab.synthetic.columns import LARGE_BYTES, Heap
from alloclab.synthetic.scales import Scale, fit_scale

POSITIONS = 20_000
"""In how many parts of a run births and deaths are placed, where it has more allocations."""
SORTS = ("small", "large", "chain", "region")
GROUPS = tuple(f"{sort}_{fate}" for sort in SORTS for fate in ("freed", "kept"))
"""Small blocks, large ones, those that were reallocated, mapped regions; freed, or kept to the end."""
_RANGES = 360  # of a scale
_BYTE_WEIGHT = 0.35  # of a scale's width: the rest is by count


def group_axes(name: str) -> tuple[tuple[str, ...], bool]:
    """Returns the axes of a group's boxes, in the order JSON has them, and whether it dies."""
    sort, _, fate = name.partition("_")
    axes: tuple[str, ...] = ("born", "size_place")
    if sort == "chain":
        axes += ("growth", "kept", "steps")
    if sort in ("chain", "large"):
        axes += ("touched",)
    return axes, fate == "freed"


def _scale(values: Any, weights: Any) -> Scale:
    counts = np.full(len(values), (1 - _BYTE_WEIGHT) / max(len(values), 1))
    for each in (weights, np.asarray(values, np.float64)):
        counts += 0.5 * _BYTE_WEIGHT * each / max(each.sum(), 1.0)
    return fit_scale(values, counts, _RANGES)


def fit_scales(heap: Heap) -> tuple[Scale, Scale]:
    """Returns the scales of sizes and of lives, the latter in allocations."""
    rows = heap.objects
    freed = rows["gap"] >= 0
    lived = np.where(freed, rows["gap"], heap.births) - rows["born"]
    held = rows["max_size"] * lived.astype(np.float64)
    return _scale(rows["size"], held), _scale(rows["lived_bytes"][freed], held[freed])


def fit_boxes(
    heap: Heap, size_scale: Scale, lived_scale: Scale, characters: int
) -> dict[str, list[list[Any]]]:
    """Returns the boxes of each group, encoded."""
    rows = heap.objects
    rng = np.random.default_rng(0)  # only spreads values over their own width of a scale
    is_large = rows["max_size"] >= LARGE_BYTES
    sort = np.select([rows["is_region"], rows["steps"] > 0, is_large], [3, 2, 1], 0)
    unit = max(1.0, heap.births / POSITIONS)
    groups = []
    for name in GROUPS:
        axes, dies = group_axes(name)
        is_sort = sort == SORTS.index(name.split("_")[0])
        where = np.flatnonzero(is_sort & ((rows["gap"] >= 0) == dies))
        size, most = rows["size"][where], rows["max_size"][where]
        born, gap = rows["born"][where], rows["gap"][where]
        lived = (gap if dies else heap.births) - born
        columns = {
            "born": np.floor(born / unit),
            "exactly_born": born,
            "size": size,
            "size_place": np.round(size_scale.place(size, rng)),
            "max_size": most,
            "growth": most / np.maximum(size, 1),
            "kept": rows["final_size"][where] / np.maximum(most, 1),
            "steps": rows["steps"][where],
            "touched": rows["touched"][where],
            "lived": lived,
            "lived_bytes": rows["lived_bytes"][where],
            "held": most.astype(np.float64) * lived,
        }
        if dies:
            columns["gap"] = np.floor(gap / unit)
            columns["lived_place"] = np.round(lived_scale.place(rows["lived_bytes"][where], rng))
        floats = {key: np.asarray(column, np.float64) for key, column in columns.items()}
        groups.append(Group(name, floats, axes, dies, unit, size_scale, lived_scale))
    return dict(zip(GROUPS, BoxTree(groups).grow(characters), strict=True))
