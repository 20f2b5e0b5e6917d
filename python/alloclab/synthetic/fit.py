# SPDX-License-Identifier: MIT
"""Fits a model to a heap: sorts objects into groups, cuts the groups into boxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.synthetic.boxes import BoxTree
from alloclab.synthetic.columns import LARGE_BYTES, Floats, Heap, Ints
from alloclab.synthetic.groups import Group
from alloclab.synthetic.scales import Scale, fit_scale

POSITIONS = 10_000
"""In how many parts of a run births and deaths are placed, where it has more allocations."""
END = 1.05
"""Where, in lengths of the run, boxes put the frees after the last birth."""
SORTS = ("small", "large", "chain", "region", "landmark")
GROUPS = tuple(f"{sort}_{fate}" for sort in SORTS for fate in ("freed", "kept"))
"""Small blocks, large ones, those that were reallocated, mapped regions, and landmarks: the few
blocks that are a large part of the peak each, one box for each; freed, or kept to the end."""
_RANGES = 270  # of a scale
_PER_OBJECT = 2  # characters: of a short run, boxes must not become its objects one by one
_LANDMARKS = 48  # at most
_PROMINENCE = 3_000
_BYTE_WEIGHT = 0.35  # of a scale's width: the rest is by count


def group_axes(name: str) -> tuple[tuple[str, ...], bool]:
    """Returns the axes of a group's boxes, in the order JSON has them, and whether it dies."""
    sort, _, fate = name.partition("_")
    axes: tuple[str, ...] = ("born", "size_place")
    if sort in ("chain", "landmark"):
        axes += ("growth", "kept", "steps", "settled")
    if sort != "small" and sort != "region":
        axes += ("touched",)
    return axes, fate == "freed"


def peak_bytes(heap: Heap) -> int:
    """Returns at least the bytes of blocks that are live at once, each as large as it becomes."""
    rows = heap.objects
    most = np.where(rows["is_region"], 0, rows["max_size"])
    change = np.concatenate([most, [0]])
    freed = rows["gap"] >= 0
    np.subtract.at(change, rows["gap"][freed] + 1, most[freed])
    return int(np.cumsum(change).max(initial=1))


def position_unit(births: int) -> float:
    """Returns how many births there are in one of the positions that boxes know."""
    return max(1.0, births / POSITIONS)


def landmarks(heap: Heap, peak: int) -> npt.NDArray[np.bool_]:
    """Says which blocks are landmarks: a hundredth of the peak or more each, and few."""
    rows = heap.objects
    is_block = ~rows["is_region"]
    most = np.sort(rows["max_size"][is_block])[::-1]
    more = int(most[_LANDMARKS]) if len(most) > _LANDMARKS else 0
    found: npt.NDArray[np.bool_] = is_block & (
        rows["max_size"] > max(more, peak // 100, LARGE_BYTES // 4)
    )
    return found


def prominence(sizes: Ints, peak: int) -> Floats:
    """Returns how many small objects' worth of care each has: a large share of the peak is much."""
    return np.asarray(1 + _PROMINENCE * np.minimum(sizes / peak, 1.0))


def _scale(values: Any, weights: Any, ranges: int) -> Scale:
    counts = np.full(len(values), (1 - _BYTE_WEIGHT) / max(len(values), 1))
    for each in (weights, np.asarray(values, np.float64)):
        counts += 0.5 * _BYTE_WEIGHT * each / max(each.sum(), 1.0)
    return fit_scale(values, counts, ranges)


def fit_scales(heap: Heap) -> dict[str, Scale]:
    """Returns scales: of sizes, of small blocks' lives in bytes and of others' in allocations."""
    rows = heap.objects
    freed = rows["gap"] >= 0
    lived = np.where(freed, rows["gap"], heap.births) - rows["born"]
    held = rows["max_size"] * lived.astype(np.float64)
    is_small = (rows["max_size"] < LARGE_BYTES) & (rows["steps"] == 0) & ~rows["is_region"]
    small, other = freed & is_small, freed & ~is_small
    return {
        "sizes": _scale(rows["size"], held, _RANGES),
        "lives_bytes": _scale(rows["lived_bytes"][small], held[small], _RANGES),
        "lives": _scale(
            lived[other], prominence(rows["max_size"], peak_bytes(heap))[other], _RANGES // 3
        ),
    }


def fit_boxes(
    heap: Heap, scales: Mapping[str, Scale], characters: int
) -> dict[str, list[list[Any]]]:
    """Returns the boxes of each group, encoded."""
    rows = heap.objects
    rng = np.random.default_rng(0)  # only spreads values over their own width of a scale
    is_large = rows["max_size"] >= LARGE_BYTES
    peak = peak_bytes(heap)
    is_landmark = landmarks(heap, peak)
    kinds = [rows["is_region"], is_landmark, rows["steps"] > 0, is_large]
    sort = np.select(kinds, [3, 4, 2, 1], 0)
    unit = position_unit(heap.births)
    groups = []
    for name in GROUPS:
        axes, dies = group_axes(name)
        is_sort = sort == SORTS.index(name.split("_")[0])
        where = np.flatnonzero(is_sort & ((rows["gap"] >= 0) == dies))
        size, most = rows["size"][where], rows["max_size"][where]
        born, gap = rows["born"][where], rows["gap"][where]
        lived = (gap if dies else heap.births) - born
        lived_on_scale = "lived_bytes" if name.startswith("small") else "lived"
        size_scale, lived_scale = scales["sizes"], scales["lives" + lived_on_scale[5:]]
        columns = {
            "born": np.floor(born / unit),
            "exactly_born": born,
            "size": size,
            "size_place": size_scale.place(size, rng),
            "max_size": most,
            "growth": most / np.maximum(size, 1),
            "kept": rows["final_size"][where] / np.maximum(most, 1),
            "steps": rows["steps"][where],
            "settled": np.round((rows["last_gap"][where] - born) / (lived + dies), 4),
            "touched": rows["touched"][where],
            "lived": lived,
            "weight": prominence(most, peak),
            "lived_bytes": rows["lived_bytes"][where],
            "held": most.astype(np.float64) * lived,
        }
        if name.startswith("landmark"):
            columns["born"] = np.round(born / unit, 4)
        if dies and name.startswith("landmark"):
            columns["gap"] = np.round((gap + 0.5) / unit, 4)
            columns["lived_place"] = lived_scale.place(lived, rng)
        elif dies:
            columns["exact_gap"] = np.round((gap + 0.5) / unit, 4)
            is_last = gap == heap.births - 1  # what is freed as the run ends stands apart
            columns["gap"] = np.where(is_last, np.ceil(END * heap.births / unit), gap // unit)
            columns["lived_place"] = lived_scale.place(np.asarray(columns[lived_on_scale]), rng)
        floats = {key: np.asarray(column, np.float64) for key, column in columns.items()}
        scale = (size_scale, lived_scale, lived_on_scale)
        groups.append(Group(name, floats, axes, dies, unit, *scale))
    return dict(
        zip(
            GROUPS,
            BoxTree(groups).grow(min(characters, _PER_OBJECT * heap.births + 2000)),
            strict=True,
        )
    )
