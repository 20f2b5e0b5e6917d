# SPDX-License-Identifier: MIT
"""The text format of Android's memory_replay, a line a call.

Its grammar is that of system/extras/memory_replay (MemoryTrace.cpp) in the Android sources: thread,
call, address, what the call has beside, and times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alloclab.formats.export.format import Format, LeftOut, Option, checked_chunks, page_bytes
from alloclab.formats.export.lines import Lines
from alloclab.formats.export.output import Output
from alloclab.traces import KINDS, Chunk, Trace

ADDRESS_STEP = 16
"""Object n is told as address 16 (n + 1): never null, never used again."""
FIRST_THREAD = 1
"""Thread n is told as n + 1: memory_replay takes 0 for a free slot of its table."""

_COLUMNS = ("thread", "address", "with", "size", "time", "until")
_CALL = ("thread", "address", "size")
_MALLOC, _CALLOC, _REALLOC_NULL, _MEMALIGN, _REALLOC, _FREE, _FREE_NULL, _REALLOC_ZERO, _DONE = (
    range(9)
)
_TEMPLATES = (
    ("%d: malloc 0x%x %d", _CALL),
    ("%d: calloc 0x%x 1 %d", _CALL),  # a trace has the product only
    ("%d: realloc 0x%x 0x0 %d", _CALL),
    ("%d: memalign 0x%x %d %d", ("thread", "address", "with", "size")),
    ("%d: realloc 0x%x 0x%x %d", ("thread", "address", "with", "size")),
    ("%d: free 0x%x", ("thread", "address")),
    ("%d: free 0x0", ("thread",)),
    ("%d: realloc 0x0 0x%x 0", ("thread", "address")),
    ("%d: thread_done 0x0", ("thread",)),
)
_CALLS = (  # by `Chunk.call`
    _MALLOC,
    _CALLOC,
    _REALLOC_NULL,
    _REALLOC_NULL,  # reallocarray
    _MEMALIGN,  # posix_memalign
    _MEMALIGN,  # aligned_alloc
    _MEMALIGN,
    _MEMALIGN,  # valloc
    _MEMALIGN,  # pvalloc
)
_OWN_WORDS = (0, 1, 2, 6)  # calls the format tells from all others
_PAGE_ALIGNED = (7, 8)
_KINDS = {
    "allocate": _MALLOC,
    "free": _FREE,
    "free_null": _FREE_NULL,
    "reallocate": _REALLOC,
    "reallocate_zero": _REALLOC_ZERO,
    "thread_exit": _DONE,
}
_UNTOLD = 255


def write(trace: Trace, output: Output, options: Mapping[str, Any], left_out: LeftOut) -> int:
    """Writes a line an event and returns how many."""
    has_times = options["times"] == "recorded"
    lines = Lines(_COLUMNS, [_with_times(row, has_times) for row in range(len(_TEMPLATES))])
    page = page_bytes(trace)
    told = 0
    with output.opened() as file:
        for chunk in checked_chunks(trace):
            row = _rows(chunk)
            at = np.flatnonzero(row != _UNTOLD)
            file.write(lines.text(row[at], _columns(chunk, row, at, page)))
            told += len(at)
            _count_left_out(chunk, row, left_out)
            if not has_times:
                left_out.add("time", len(at))
    left_out.add("touched", len(trace.touched()["event"]))
    return told


def _with_times(row: int, has_times: bool) -> tuple[str, tuple[str, ...]]:
    template, takes = _TEMPLATES[row]
    if not has_times:
        return f"{template}\n", tuple(takes)
    if row == _DONE:  # the one line with a single time
        return f"{template} %d\n", (*takes, "time")
    return f"{template} %d %d\n", (*takes, "time", "until")


_ROW_OF_KIND = np.full(256, _UNTOLD, np.uint8)
for _name, _row in _KINDS.items():
    _ROW_OF_KIND[KINDS[_name]] = _row
_ROW_OF_CALL = np.full(256, _MALLOC, np.uint8)
_ROW_OF_CALL[: len(_CALLS)] = _CALLS


def _rows(chunk: Chunk) -> Any:
    row = _ROW_OF_KIND[chunk.kind]
    return np.where(row == _MALLOC, _ROW_OF_CALL[chunk.call], row)


def _columns(chunk: Chunk, row: Any, at: Any, page: int) -> dict[str, Any]:
    address = (chunk.object[at] + np.uint64(1)) * np.uint64(ADDRESS_STEP)
    alignment = np.where(np.isin(chunk.call[at], _PAGE_ALIGNED), page, chunk.alignment[at])
    return {
        "thread": chunk.thread[at].astype(np.uint64) + np.uint64(FIRST_THREAD),
        "address": address,
        "with": np.where(row[at] == _MEMALIGN, alignment.astype(np.uint64), address),
        "size": chunk.size[at],
        "time": chunk.time_ns[at],
        "until": chunk.time_ns[at],
    }


def _count_left_out(chunk: Chunk, row: Any, left_out: LeftOut) -> None:
    left_out.add_kinds(chunk, _KINDS)
    is_told = row != _UNTOLD
    left_out.add("site", np.count_nonzero(chunk.site[is_told]))
    left_out.add("tag", np.count_nonzero(chunk.tag[is_told]))
    others = chunk.is_kind("allocate") & ~np.isin(chunk.call, _OWN_WORDS)
    left_out.add("call", np.count_nonzero(others))


FORMAT = Format(
    "android",
    "text for Android's memory_replay, a line a call (.zip: what memory_replay itself reads)",
    (".android.txt", ".android.zip", ".android.gz"),
    write,
    (
        Option(
            "times",
            "android: tell when each call was (the default), which older readers may not know",
            "recorded",
            ("recorded", "none"),
        ),
    ),
)
