# SPDX-License-Identifier: MIT
"""What a simulation replays: a trace, stretch by stretch, or a few steps written by hand."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.errors import UsageError
from alloclab.traces import KINDS, Trace, open_trace

ALLOCATE = KINDS["allocate"]
FREE = KINDS["free"]
REALLOCATE = KINDS["reallocate"]
REALLOCATE_ZERO = KINDS["reallocate_zero"]
RESET = 255
"""Ends every block; only steps written by hand have it, as a trace's resets are of one scope."""

# No address space is larger; what a damaged trace claims to be so is refused by every allocator.
_SIZE_LIMIT = 1 << 62

Ints = npt.NDArray[np.int64]
Source = Trace | str | os.PathLike[str] | Iterable[tuple[Any, ...]]


@dataclass(frozen=True)
class Steps:
    """A stretch of events as columns, a row an event; other kinds than those above do nothing."""

    first_event: int
    kind: npt.NDArray[np.uint8]
    object: Ints
    size: Ints
    alignment: Ints

    def __len__(self) -> int:
        return len(self.kind)


def steps_of(source: Source, events: int | None) -> tuple[str, Iterator[Steps], int]:
    """Returns the name of what is replayed, its steps, at most `events` of them, and for how many
    blocks to make room.

    Raises:
        UsageError: a step that is none, with its index; a limit below zero.
        TraceError: the bytes are no whole trace.
    """
    if events is not None and events < 0:
        raise UsageError(f"not a number of events: {events}")
    if isinstance(source, str | os.PathLike):
        source = open_trace(os.fspath(source))
    if isinstance(source, Trace):
        return source.name, _recorded(source, events), _expected_blocks(source, events)
    return "steps", iter([_written(source, events)]), 0


def _expected_blocks(trace: Trace, events: int | None) -> int:
    """What the trace says of itself, believed as far as its size allows."""
    summary = trace.summary()
    expected = summary["allocations"] + summary["reallocations"]
    return min(expected, 4 * trace.path.stat().st_size, expected if events is None else events)


def _recorded(trace: Trace, events: int | None) -> Iterator[Steps]:
    first_event = 0
    for chunk in trace.calls():
        whole = len(chunk["kind"])
        rest = whole if events is None else min(events - first_event, whole)
        if rest <= 0:
            return
        yield Steps(
            first_event,
            chunk["kind"][:rest],
            chunk["object"][:rest].view(np.int64),
            _bounded(chunk["size"][:rest]),
            _bounded(chunk["alignment"][:rest]),
        )
        first_event += rest


def _bounded(column: npt.NDArray[np.uint64]) -> Ints:
    if len(column) and column.max() > _SIZE_LIMIT:
        column = np.minimum(column, np.uint64(_SIZE_LIMIT))
    return column.view(np.int64)


_FIELDS = {"allocate": (3, 4), "free": (2, 2), "reallocate": (3, 3), "reset": (1, 1)}
_CODES = {"allocate": ALLOCATE, "free": FREE, "reallocate": REALLOCATE, "reset": RESET}


def _written(source: Iterable[tuple[Any, ...]], events: int | None) -> Steps:
    """Reads ("allocate", name, size[, alignment]), ("free", name), ("reallocate", name, size) and
    ("reset",); objects are numbered in the order of their births."""
    rows: list[tuple[int, int, int, int]] = []
    numbers: dict[Hashable, int] = {}
    born = 0
    for index, step in enumerate(source):
        if events is not None and index >= events:
            break
        kind = _kind_of(step, index)
        size, alignment = [*(_whole(value, index) for value in step[2:]), 0, 0][:2]
        if alignment & (alignment - 1):
            raise UsageError(f"step {index}: an alignment is a power of two, not {alignment}")
        number = 0
        if kind == "allocate":
            if step[1] in numbers:
                raise UsageError(f"step {index}: {step[1]!r} is alive already")
            number = numbers[step[1]] = born
            born += 1
        elif kind == "reset":
            numbers.clear()
        elif step[1] not in numbers:
            raise UsageError(f"step {index}: {step[1]!r} is not alive")
        else:
            number = numbers.pop(step[1]) if kind == "free" else numbers[step[1]]
        rows.append((_CODES[kind], number, size, alignment))
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Steps(0, columns[0].astype(np.uint8), *(np.ascontiguousarray(c) for c in columns[1:]))


def _kind_of(step: Any, index: int) -> str:
    kind = step[0] if isinstance(step, tuple) and step else None
    if isinstance(kind, str) and kind in _FIELDS:
        fewest, most = _FIELDS[kind]
        if fewest <= len(step) <= most and _is_name(*step[1:2]):
            return kind
    raise UsageError(
        f'step {index}: {step!r} is none: write ("allocate", name, size[, alignment]), '
        '("free", name), ("reallocate", name, size) or ("reset",)'
    )


def _whole(value: Any, index: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _SIZE_LIMIT:
        raise UsageError(f"step {index}: not a number of bytes: {value!r}")
    return value


def _is_name(name: Any = None) -> bool:
    try:
        hash(name)
    except TypeError:
        return False
    return True
