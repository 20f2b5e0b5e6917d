# SPDX-License-Identifier: MIT
"""Boxes: a joint distribution as an adaptive histogram, split where it is furthest from the data.

A tree of axis-parallel cuts, as in a k-d tree (Bentley 1975), grown best first: of all boxes the
one with the largest error is cut next, at the point where its marginal differs most from the
one-parameter curve that a box keeps of it.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np

from alloclab.synthetic.columns import Floats, Ints
from alloclab.synthetic.groups import (
    SAMPLE,
    Group,
    characters_of,
    death_column,
    encode_box,
    exponent,
    mean_percent,
)
from alloclab.synthetic.scales import LENGTH

_HELD = 1.5  # errors in bytes held count so much more than those in distributions
_PASSES = 3  # of growing
_SPREAD = 0.02  # keeps cutting what looks uniform on each axis and may not be so jointly


@dataclass
class _Leaf:
    group: int
    rows: Ints
    error: float
    axis: str
    cut: float


@dataclass(frozen=True)
class _Misfit:
    """How far a curve is from sorted values: on average, where most, and how far they spread."""

    off: float
    spread: float
    cut: float
    fitted: Floats


def _misfit(ordered: Floats) -> _Misfit | None:
    low, high = ordered[0], ordered[-1]
    if high == low:
        return None
    u = (np.arange(len(ordered)) + 0.5) / len(ordered)
    fitted = low + (high - low) * u ** exponent(mean_percent(ordered) / 100)
    off = np.abs(ordered - fitted)
    cut = ordered[off.argmax()]
    if cut == high:
        cut = ordered[np.searchsorted(ordered, high) - 1]
    return _Misfit(float(off.mean()), float(high - low), float(cut), fitted)


def _last_apart(group: Group) -> list[Ints]:
    """Returns all rows: those freed before the last birth, and those freed after it. Whether what
    a program frees as it ends is still there at its peak must not be drawn.
    """
    rows = np.arange(len(group.columns["born"]))
    if "exact_gap" not in group.columns:
        return [rows]
    is_last = group.columns["gap"] > group.columns["exact_gap"]
    return [part for part in (rows[~is_last], rows[is_last]) if len(part)]


class BoxTree:
    """Groups being cut into boxes, the worst box first, until their JSON is long enough."""

    def __init__(self, groups: list[Group]) -> None:
        self._groups = groups
        self._total = max(1.0, sum(float(group.columns["weight"].sum()) for group in groups))
        self._held = max(1.0, sum(float(group.columns["held"].sum()) for group in groups))
        self._allocated = max(1.0, sum(float(each.columns["size"].sum()) for each in groups))
        self._queue: list[tuple[float, int, _Leaf, int]] = []
        self._characters = 0
        self._serial = 0
        for index, group in enumerate(groups):
            if group.name.startswith("landmark"):
                for row in range(len(group.columns["born"])):
                    self._add(index, np.array([row]))
            elif len(group.columns["born"]):
                for rows in _last_apart(group):
                    self._add(index, rows)

    def grow(self, characters: int) -> list[list[list[Any]]]:
        """Cuts until the boxes take this many characters, or none can be cut.

        Returns the encoded boxes of each group. Cost: some 20 s for 4 M objects.
        """
        boxes: dict[int, list[Any]] = {}
        for _ in range(_PASSES):  # what a box takes is estimated until it is known
            self._cut(characters)
            for number, (order, serial, leaf, length) in enumerate(self._queue):
                if serial not in boxes:
                    boxes[serial] = encode_box(self._groups[leaf.group], leaf.rows)
                    known = characters_of(boxes[serial])
                    self._characters += known - length
                    self._queue[number] = (order, serial, leaf, known)
        found: list[list[list[Any]]] = [[] for _ in self._groups]
        for _, serial, leaf, _ in sorted(self._queue, key=lambda entry: entry[1]):
            found[leaf.group].append(boxes[serial])
        return found

    def _cut(self, characters: int) -> None:
        while self._characters < characters and self._queue and self._queue[0][2].axis:
            leaf, length = heapq.heappop(self._queue)[2:]
            self._characters -= length
            is_below = self._groups[leaf.group].columns[leaf.axis][leaf.rows] <= leaf.cut
            self._add(leaf.group, leaf.rows[is_below])
            self._add(leaf.group, leaf.rows[~is_below])

    def _add(self, index: int, rows: Ints) -> None:
        leaf = self._judge(index, rows)
        sample = rows[:: max(1, len(rows) // SAMPLE)]
        length = characters_of(encode_box(self._groups[index], sample, is_final=False))
        self._characters += length
        self._serial += 1
        heapq.heappush(self._queue, (-leaf.error, self._serial, leaf, length))

    def _judge(self, index: int, rows: Ints) -> _Leaf:
        """Returns the box of these rows with its error and its best cut."""
        group = self._groups[index]
        sample = rows[:: max(1, len(rows) // SAMPLE)]
        count_share = float(group.columns["weight"][rows].sum()) / self._total
        errors = box_errors(
            group, sample, count_share, len(rows) / self._held, len(rows) / self._allocated
        )
        axis, (error, cut) = max(errors.items(), key=lambda each: each[1][0])
        return _Leaf(index, rows, error, axis, cut) if error > 0 else _Leaf(index, rows, 0.0, "", 0)


def box_errors(
    group: Group, sample: Ints, count_share: float, rows_of_held: float, rows_of_allocated: float
) -> dict[str, tuple[float, float]]:
    """Returns for each axis of a box how wrong it is and where to cut it.

    An error is a share: of all objects, how far they are displaced on a scale; and of all bytes
    held over the run, how much of them is held where or when it was not.

    Args:
        sample: rows of the box.
        count_share: the box's objects of all.
        rows_of_held: its objects for each byte held over the whole run.
        rows_of_allocated: its objects for each byte allocated.
    """
    columns = {name: column[sample] for name, column in group.columns.items()}
    held_share = float(columns["held"].mean()) * rows_of_held
    allocated_share = float(columns["size"].mean()) * rows_of_allocated
    byte_share = float(columns["max_size"].mean()) * rows_of_held
    death = death_column(group, sample) if group.dies else ""
    found: dict[str, tuple[float, float]] = {"": (0.0, 0.0)}
    for axis in (*group.axes, *([death] if death else [])):
        misfit = _misfit(np.sort(columns[axis]))
        if misfit is None or group.is_one_value(axis, sample):
            continue
        off = misfit.off + _SPREAD * misfit.spread
        if axis in ("born", "gap"):
            lived = max(float(columns["lived"].mean()) / group.unit, 1.0)
            displaced = min(0.3 * off / lived, 1.0) if death == "gap" else 1e-5 * off
            held = byte_share * off * group.unit
        elif axis == "lived_place":
            displaced = off / LENGTH
            ordered = np.sort(columns[group.lived_on_scale])
            fitted = group.lived_scale.value(misfit.fitted)
            rate = float(columns["lived"].mean()) / max(float(ordered.mean()), 1.0)
            held = byte_share * rate * float(np.abs(fitted - ordered).mean())
        elif axis == "size_place":
            displaced = off / LENGTH
            mean = max(float(columns["size"].mean()), 1.0)
            wrong = abs(float(group.size_scale.value(misfit.fitted).mean()) / mean - 1)
            held = (held_share + allocated_share) * wrong
        else:
            displaced = off / max(float(columns[axis].max()), 1.0)
            held = held_share * misfit.off / max(float(columns[axis].mean()), 1e-9)
        held = min(held, 4 * held_share + byte_share)
        found[axis] = (count_share * displaced + _HELD * held, misfit.cut)
    return _with_joint(found, columns, death, held_share)


def _with_joint(
    found: dict[str, tuple[float, float]],
    columns: dict[str, Floats],
    death: str,
    held_share: float,
) -> dict[str, tuple[float, float]]:
    """Adds, to the axis that varies most, what is wrong if size and life are drawn apart."""
    names = [name for name in ("size_place", death or "born") if name in found]
    apart = float(columns["max_size"].mean() * columns["lived"].mean())
    if not names or apart <= 0:
        return found
    wrong = held_share * min(abs(apart / max(float(columns["held"].mean()), 1e-9) - 1), 4.0)
    worst = max(names, key=lambda name: found[name][0])
    error, cut = found[worst]
    return {**found, worst: (error + _HELD * wrong, cut)}
