# SPDX-License-Identifier: MIT
"""The interpreted data file of heaptrack, for heaptrack_print and heaptrack_gui.

Its lines are those src/analyze/accumulatedtracedata.cpp of heaptrack reads: v version, X command,
I system, s string, i address, t call stack, a size and stack, + allocation, - free, c time in
milliseconds, R resident pages. All numbers are hexadecimal; strings, addresses and stacks count
from 1, sizes with stacks from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from alloclab.formats.export.format import Format, LeftOut, checked_chunks, page_bytes
from alloclab.formats.export.heaptrack_tables import Kinds, Stacks, one_line
from alloclab.formats.export.lines import Lines
from alloclab.formats.export.output import Output
from alloclab.traces import KINDS, Chunk, Trace

_VERSION = 0x10400  # of heaptrack: the first release that reads this version of the format
_FORMAT_VERSION = 2  # strings as they are; 3 puts their lengths before them
_STAMP_NS = 1_000_000
_SIZED = ("allocate", "reallocate")
_ENDED = ("free", "reallocate", "reallocate_zero")
_TOLD = {*_SIZED, *_ENDED, "footprint"}
_STAMP, _RESIDENT, _MINUS, _PLUS = range(4)  # in the order of the lines of one event
_LINES = Lines(("value",), [(f"{mode} %x\n", ("value",)) for mode in "cR-+"])


def write(trace: Trace, output: Output, options: Mapping[str, Any], left_out: LeftOut) -> int:
    """Writes the tables as they are needed and a line or two an event; returns the events told."""
    page = page_bytes(trace)
    walk = _Walk(trace, page)
    told = 0
    with output.opened() as file:
        file.write(_heading(trace, page))
        for chunk in checked_chunks(trace):
            told += walk.write(chunk, file)
            left_out.add_kinds(chunk, _TOLD)
            _count_left_out(chunk, left_out)
        file.write(b"c %x\n" % max(walk.stamp, trace.summary()["duration_ns"] // _STAMP_NS))
        file.write(b"# strings: %d\n# ips: %d\n" % walk.stacks.counts)
    left_out.add("touched", len(trace.touched()["event"]))
    return told


def _heading(trace: Trace, page: int) -> bytes:
    arguments = trace.metadata.get("arguments")
    words = arguments if isinstance(arguments, list) else [trace.name]
    command = one_line(" ".join(map(str, words)) or trace.name)
    return b"v %x %x\nX %s\nI %x 0\n" % (_VERSION, _FORMAT_VERSION, command, page)


def _count_left_out(chunk: Chunk, left_out: LeftOut) -> None:
    is_sized = chunk.is_kind("allocate") | chunk.is_kind("reallocate")
    is_told = np.isin(chunk.kind, [KINDS[name] for name in _TOLD - {"footprint"}])
    left_out.add("tag", np.count_nonzero(chunk.tag[is_sized]))
    left_out.add("alignment", np.count_nonzero(chunk.alignment[is_sized]))
    left_out.add("thread", np.count_nonzero(chunk.thread[is_told]))
    left_out.add("call", np.count_nonzero(chunk.call[chunk.is_kind("allocate")]))


class _Walk:
    """Goes through a trace's chunks and knows with which `a` line each live block was told."""

    def __init__(self, trace: Trace, page: int) -> None:
        self.stamp = 0
        self._page = page
        self.stacks = Stacks(trace.stacks())
        self._kinds = Kinds(self.stacks)
        self._kind_of = np.zeros(0, np.int64)

    def write(self, chunk: Chunk, file: BinaryIO) -> int:
        """Writes one chunk's lines, the tables it needs first; returns how many events it told."""
        at, line, value = self._blocks(chunk, file)
        told = np.unique(at)
        footprint = np.flatnonzero(chunk.is_kind("footprint"))
        resident = chunk.value[footprint, 0] + chunk.value[footprint, 1]
        stamped, stamps = self._stamps(chunk)
        at = np.concatenate([stamped, footprint, at])
        line = np.concatenate(
            [np.full(len(stamped), _STAMP), np.full(len(footprint), _RESIDENT), line]
        )
        value = np.concatenate([stamps, resident // np.uint64(self._page), value])
        order = np.lexsort((line, at))
        file.write(_LINES.text(line[order], {"value": value[order]}))
        return len(told) + len(footprint)

    def _blocks(self, chunk: Chunk, file: BinaryIO) -> tuple[Any, Any, Any]:
        """Returns the events, lines and `a` numbers of what was allocated and freed."""
        is_sized = np.isin(chunk.kind, [KINDS[name] for name in _SIZED])
        is_ended = np.isin(chunk.kind, [KINDS[name] for name in _ENDED])
        at = np.flatnonzero(is_sized | is_ended)
        number = np.full(len(chunk), -1, np.int64)
        sized = np.flatnonzero(is_sized)
        number[sized] = self._kinds.number(chunk.size[sized], chunk.site[sized], file)
        before = self._before(chunk.object[at].astype(np.int64), number[at])
        minus = is_ended[at]
        plus = is_sized[at]
        line = np.concatenate(
            [np.full(np.count_nonzero(minus), _MINUS), np.full(np.count_nonzero(plus), _PLUS)]
        )
        value = np.concatenate([before[minus], number[at][plus]])
        return np.concatenate([at[minus], at[plus]]), line, value.astype(np.uint64)

    def _before(
        self, named: npt.NDArray[np.int64], number: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Returns what each row's object was told with before that row, and keeps the last."""
        if not len(named):
            return named
        needed = int(named.max()) + 1
        if needed > len(self._kind_of):
            more = max(needed, 2 * len(self._kind_of)) - len(self._kind_of)
            self._kind_of = np.concatenate([self._kind_of, np.zeros(more, np.int64)])
        order = np.argsort(named, kind="stable")
        of, now = named[order], number[order]
        is_first = np.concatenate([[True], of[1:] != of[:-1]])
        is_last = np.concatenate([is_first[1:], [True]])
        was = np.where(is_first, self._kind_of[of], np.concatenate([[0], now[:-1]]))
        self._kind_of[of[is_last]] = now[is_last]
        before = np.empty_like(was)
        before[order] = was
        return before

    def _stamps(self, chunk: Chunk) -> tuple[Any, Any]:
        """Returns the events at which another millisecond begins, and those milliseconds."""
        now = chunk.time_ns // np.uint64(_STAMP_NS)
        now = np.maximum.accumulate(np.maximum(now, np.uint64(self.stamp)))
        was = np.concatenate([[np.uint64(self.stamp)], now[:-1]])
        stamped = np.flatnonzero(now != was)
        if len(now):
            self.stamp = int(now[-1])
        return stamped, now[stamped]


FORMAT = Format(
    "heaptrack",
    "heaptrack's data file, for heaptrack_print and heaptrack_gui",
    (".heaptrack", ".heaptrack.gz"),
    write,
)
