# SPDX-License-Identifier: MIT
"""Who asked for memory: a trace's objects summed up by call site, function, scope, tag, thread."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alloclab.errors import NotMeasured, UsageError
from alloclab.stacks import Frame, Stacks
from alloclab.traces import Summary
from alloclab.units import format_bytes, format_count

Columns = Mapping[str, npt.NDArray[Any]]
BY = ("site", "function", "scope", "tag", "thread")
WEIGHTS = ("peak", "end", "allocated", "allocations")
UNKNOWN = "(unknown)"
_CALLERS_SHOWN = 4
_NAME_WIDTH = 90


class OwnedTrace(Protocol):
    """What is summed up: a trace that knows whose objects are."""

    @property
    def names(self) -> list[str]: ...

    def objects(self) -> Columns: ...

    def scopes(self) -> Columns: ...

    def stacks(self) -> Stacks: ...

    def summary(self) -> Summary: ...


@dataclass(frozen=True)
class TopRow:
    """The objects of one site, function, scope, tag or thread; mapped regions are not among them.

    Attributes:
        allocations: how many were allocated; a reallocation is none.
        allocated_bytes: their sizes, each the largest it was reallocated to.
        peak_live_bytes: of these, live when the whole program had the most requested bytes live.
        end_live_bytes: of these, never freed.
        freed_elsewhere: freed by another thread than allocated them.
    """

    name: str
    allocations: int
    allocated_bytes: int
    peak_live_bytes: int
    end_live_bytes: int
    freed_elsewhere: int


class Top(Sequence[TopRow]):
    """Rows in the order of their weight, largest first; prints as a table."""

    def __init__(self, by: str, rows: Sequence[TopRow], left_out: int) -> None:
        self.by = by
        self.rows = tuple(rows)
        self.left_out = left_out

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def to_json(self) -> dict[str, Any]:
        """Returns the rows as plain JSON values."""
        rows = [asdict(row) for row in self.rows]
        return {"schema": 1, "kind": "top", "by": self.by, "rows": rows, "left_out": self.left_out}

    def _cells(self) -> Iterator[list[str]]:
        yield [
            self.by,
            "allocations",
            "allocated",
            "live at peak",
            "live at end",
            "freed elsewhere",
        ]
        for row in self.rows:
            yield [
                row.name if len(row.name) <= _NAME_WIDTH else f"{row.name[: _NAME_WIDTH - 3]}...",
                format_count(row.allocations),
                format_bytes(row.allocated_bytes),
                format_bytes(row.peak_live_bytes),
                format_bytes(row.end_live_bytes),
                format_count(row.freed_elsewhere),
            ]

    def __str__(self) -> str:
        cells = list(self._cells())
        widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
        lines = [
            "  ".join(
                [row[0].ljust(widths[0])]
                + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            )
            for row in cells
        ]
        if self.left_out:
            lines.append(f"and {self.left_out:,} more")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heading, *body = self._cells()
        rows = [f"<tr>{''.join(f'<th>{html.escape(cell)}</th>' for cell in heading)}</tr>"]
        for name, *figures in body:
            cells = "".join(f"<td style='text-align:right'>{cell}</td>" for cell in figures)
            rows.append(f"<tr><td style='text-align:left'>{html.escape(name)}</td>{cells}</tr>")
        return f"<table>{''.join(rows)}</table>"


def top(trace: OwnedTrace, by: str = "site", *, weight: str = "peak", limit: int = 20) -> Top:
    """Sums up a trace's objects by who asked for them.

    Args:
        trace: a trace.
        by: "site" for whole call stacks, "function" for the innermost function that is not an
            allocator's own, "scope" for kind and name of the innermost scope, "tag", "thread".
        weight: the order of the rows: bytes live at the "peak" of requested bytes or at the "end",
            all "allocated" bytes, or the number of "allocations".
        limit: rows at most.

    Raises:
        UsageError: an unknown `by` or `weight`.
        NotMeasured: the trace does not know; says which switch of the recorder tells it.

    Cost: decodes the whole trace.
    """
    if by not in BY:
        raise UsageError(f"unknown by {by!r}: known are {', '.join(BY)}")
    _check_weight(weight)
    objects = trace.objects()
    group, names = _groups(trace, objects, by)
    columns = _sums(trace, objects, group, len(names))
    key = columns[_WEIGHT_COLUMNS[weight]]
    used = np.flatnonzero(columns["allocations"])
    order = used[np.lexsort((used, -columns["allocations"][used], -key[used]))]
    rows = [
        TopRow(names[at], *(int(columns[name][at]) for name in _COLUMNS)) for at in order[:limit]
    ]
    return Top(by, rows, max(0, len(order) - limit))


StackWeights = list[tuple[tuple[Frame, ...], float]]


def stack_weights(trace: OwnedTrace, *weights: str) -> list[StackWeights]:
    """Returns, for each of the weights of `top`, every call stack that has any, with its weight.

    Raises:
        UsageError: an unknown weight.
        NotMeasured: the trace has no call stacks.

    Cost: decodes the whole trace, once for all weights.
    """
    for weight in weights:
        _check_weight(weight)
    _need(trace, "sites", "call stacks: record with --sites=stack")
    objects = trace.objects()
    stacks = trace.stacks()
    sums = _sums(trace, objects, np.asarray(objects["site"], np.int64) + 1, len(stacks) + 1)
    columns = [sums[_WEIGHT_COLUMNS[weight]] for weight in weights]
    return [
        [(stacks.frames(int(at) - 1), float(column[at])) for at in np.flatnonzero(column)]
        for column in columns
    ]


_COLUMNS = (
    "allocations",
    "allocated_bytes",
    "peak_live_bytes",
    "end_live_bytes",
    "freed_elsewhere",
)
_WEIGHT_COLUMNS = {
    "peak": "peak_live_bytes",
    "end": "end_live_bytes",
    "allocated": "allocated_bytes",
    "allocations": "allocations",
}
# Functions through which a program asks for memory, which say nothing of who did.
_WRAPPERS = ("malloc", "calloc", "realloc", "operator new", "xmalloc", "xcalloc", "xrealloc")


def _check_weight(weight: str) -> None:
    if weight not in WEIGHTS:
        raise UsageError(f"unknown weight {weight!r}: known are {', '.join(WEIGHTS)}")


def _need(trace: OwnedTrace, count: str, what: str) -> None:
    if not trace.summary()[count]:
        raise NotMeasured(f"the trace has no {what}")


def _groups(
    trace: OwnedTrace, objects: Columns, by: str
) -> tuple[npt.NDArray[np.int64], Sequence[str]]:
    """Returns each object's group, and the groups' names; the first group is the unknown."""
    if by == "thread":
        thread = np.asarray(objects["birth_thread"], np.int64)
        count = int(thread.max()) + 1 if len(thread) else 0
        return thread, [f"thread {number}" for number in range(count)]
    if by == "tag":
        _need(trace, "tagged_calls", "tags: the program sets them by alloclab/marker.h")
        return np.asarray(objects["tag"], np.int64) + 1, [UNKNOWN, *trace.names]
    if by == "scope":
        _need(trace, "scopes", "scopes: see `alloclab record --help` for how to get them")
        return _scope_groups(trace, objects)
    _need(trace, "sites", "call sites: record with --sites=caller or --sites=stack")
    stacks = trace.stacks()
    site = np.asarray(objects["site"], np.int64) + 1
    if by == "site":
        return site, _SiteNames(stacks)
    names: dict[str, int] = {UNKNOWN: 0}
    function = np.zeros(len(stacks) + 1, np.int64)
    for number, frames in enumerate(stacks, 1):
        function[number] = names.setdefault(_function_name(frames), len(names))
    return function[site], list(names)


def _scope_groups(
    trace: OwnedTrace, objects: Columns
) -> tuple[npt.NDArray[np.int64], Sequence[str]]:
    scopes, texts = trace.scopes(), trace.names
    key = np.stack([scopes["kind"], scopes["name"]], axis=1).astype(np.int64)
    kinds, group = np.unique(key, axis=0, return_inverse=True)
    names = [UNKNOWN, *(f"{texts[int(kind)]} {texts[int(name)]}" for kind, name in kinds)]
    of_scope = np.concatenate([[0], np.asarray(group, np.int64).reshape(-1) + 1])
    return of_scope[np.asarray(objects["scope"], np.int64) + 1], names


class _SiteNames(Sequence[str]):
    """The names of call stacks, put together only for those that are shown."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks

    def __len__(self) -> int:
        return len(self._stacks) + 1

    def __getitem__(self, index: Any) -> Any:
        frames = self._stacks.frames(int(index) - 1)
        return " < ".join(str(frame) for frame in frames[:_CALLERS_SHOWN]) or UNKNOWN


def _function_name(frames: Sequence[Frame]) -> str:
    for frame in frames:
        name = frame.function.partition("(")[0]
        if name not in _WRAPPERS:
            return frame.function or str(frame)
    return str(frames[0]) if frames else UNKNOWN


def _sums(
    trace: OwnedTrace, objects: Columns, group: npt.NDArray[np.int64], count: int
) -> dict[str, npt.NDArray[np.int64]]:
    is_block = np.asarray(objects["is_region"]) == 0
    size = np.asarray(objects["max_size"], np.int64)
    birth, death = objects["birth"], objects["death"]
    peak = trace.summary()["peak_requested_event"]

    def total(mask: npt.NDArray[np.bool_], weights: npt.NDArray[np.int64]) -> Any:
        # Sums of doubles are exact to 2^53 bytes.
        return np.bincount(group[mask], weights[mask], count).astype(np.int64)

    ones = np.ones(len(size), np.int64)
    is_live = is_block & (birth <= peak) & ((death < 0) | (death > peak))
    is_elsewhere = is_block & (death >= 0) & (objects["birth_thread"] != objects["death_thread"])
    return {
        "allocations": total(is_block, ones),
        "allocated_bytes": total(is_block, size),
        "peak_live_bytes": total(is_live, size),
        "end_live_bytes": total(is_block & (death < 0), size),
        "freed_elsewhere": total(is_elsewhere, ones),
    }
