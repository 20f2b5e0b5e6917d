# SPDX-License-Identifier: MIT
"""Turns memray's records into the events of a trace."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.trace_builder import TraceBuilder
from alloclab.traces import KINDS

_ALLOCATE, _FREE = KINDS["allocate"], KINDS["free"]
_MAP, _UNMAP, _SPLIT = KINDS["map"], KINDS["unmap"], KINDS["split"]
# memray's numbers of allocators, and the calls of a trace (docs/trace-format.md).
_CALLS = {2: 0, 3: 1, 4: 2, 6: 0, 7: 2, 8: 1, 9: 4, 10: 5, 11: 6, 12: 7, 13: 8}
_FREES = (1, 5)
_MMAP, _MUNMAP = 14, 15
_PYMALLOC = (2, 3, 4)
_COLUMNS = ("kind", "call", "thread", "object", "size", "site", "tag")

Frames = Iterable[tuple[str, str, int]]


class EventWriter:
    """Appends events to a builder, a batch of records at a time.

    What pymalloc serves has the tag "pymalloc". An address handed out while its block lives ends
    that block ahead; a free of an address that holds nothing is left out; `counts` counts both.
    """

    def __init__(self, builder: TraceBuilder) -> None:
        self.stacks = StackColumns(builder)
        self.counts: Counter[str] = Counter()
        self._builder = builder
        self._pymalloc = builder.intern("pymalloc") + 1
        self._objects = 0
        self._blocks: dict[int, int] = {}
        self._regions = Regions()
        self._threads: dict[int, int] = {}
        self._rows: list[tuple[int, ...]] = []

    def left_out(self) -> dict[str, int]:
        """Returns the counts that are not 0."""
        return dict(sorted(self.counts.items()))

    def write(self, records: npt.NDArray[Any]) -> None:
        """Appends the events of records, an array of `RECORD`.

        Raises:
            ValueError: a record names a call or a stack that there is not.
        """
        threads = self._threads
        known = self.stacks.count
        for address, size, tid, stack, allocator in records.tolist():
            thread = threads.setdefault(tid, len(threads))
            if stack > known:
                raise ValueError(f"there is no call stack {stack}")
            if allocator in _FREES:
                self._free(address, thread)
            elif allocator == _MMAP:
                self._map(address, size, thread)
            elif allocator == _MUNMAP:
                self._unmap(address, size, thread)
            elif allocator in _CALLS:
                tag = self._pymalloc if allocator in _PYMALLOC else 0
                self._allocate(address, size, thread, (_CALLS[allocator], stack, tag))
            else:
                raise ValueError(f"there is no allocator {allocator}")
        if self._rows:
            columns = zip(*self._rows, strict=True)
            self._rows = []
            self._builder.append(**dict(zip(_COLUMNS, columns, strict=True)))

    def _create(self) -> int:
        self._objects += 1
        return self._objects - 1

    def _allocate(
        self, address: int, size: int, thread: int, call_site_tag: tuple[int, int, int]
    ) -> None:
        call, site, tag = call_site_tag
        if address in self._blocks:
            self.counts["missed_frees"] += 1
            self._free(address, thread)
        self._blocks[address] = new = self._create()
        self._rows.append((_ALLOCATE, call, thread, new, size, site, tag))

    def _free(self, address: int, thread: int) -> None:
        object = self._blocks.pop(address, None)
        if object is None:
            self.counts["unknown_frees"] += 1
        else:
            self._rows.append((_FREE, 0, thread, object, 0, 0, 0))

    def _map(self, address: int, size: int, thread: int) -> None:
        if self._cut_out(address, size, thread):
            self.counts["replaced_mappings"] += 1
        new = self._create()
        self._regions.add(address, size, new)
        self._rows.append((_MAP, 0, thread, new, size, 0, 0))

    def _unmap(self, address: int, size: int, thread: int) -> None:
        if not self._cut_out(address, size, thread):
            self.counts["unknown_unmaps"] += 1

    def _cut_out(self, begin: int, size: int, thread: int) -> bool:
        """Unmaps what is mapped in a range; returns whether there was anything."""
        end = begin + size
        found = self._regions.take(begin, end)
        for start, length, whole in found:
            part = whole
            if start < begin:
                part = self._split(start, begin - start, length, part, thread)
                self._regions.add(start, begin - start, whole)
            if end < start + length:
                rest = start + length - end
                here = max(start, begin)
                self._regions.add(end, rest, self._split(here, end - here, 0, part, thread))
            self._rows.append((_UNMAP, 0, thread, part, 0, 0, 0))
        return bool(found)

    def _split(self, start: int, at: int, length: int, object: int, thread: int) -> int:
        new = self._create()
        self._rows.append((_SPLIT, 0, thread, object, at, 0, 0))
        return new


class Regions:
    """Mapped regions by their begin; they do not overlap."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._found: dict[int, tuple[int, int]] = {}

    def add(self, begin: int, size: int, object: int) -> None:
        """Takes in a region. Requires: nothing is mapped there."""
        bisect.insort(self._begins, begin)
        self._found[begin] = (size, object)

    def take(self, begin: int, end: int) -> list[tuple[int, int, int]]:
        """Removes and returns (begin, size, object) of all that overlap a range."""
        first = bisect.bisect_right(self._begins, begin)
        if first and (before := self._begins[first - 1]) + self._found[before][0] > begin:
            first -= 1
        last = bisect.bisect_left(self._begins, end, lo=first)
        taken = self._begins[first:last]
        del self._begins[first:last]
        return [(start, *self._found.pop(start)) for start in taken]


class StackColumns:
    """Call stacks as `TraceBuilder.set_stacks` takes them; stacks share their outer frames."""

    def __init__(self, builder: TraceBuilder) -> None:
        self._builder = builder
        self._stacks: list[int] = []
        self._nodes: dict[tuple[int, int], int] = {}
        self._frames: dict[tuple[str, str, int], int] = {}

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._stacks)

    def add(self, frames: Frames) -> None:
        """Adds a stack, innermost frame first; it has at least one."""
        node = -1
        for function, file, line in reversed([*frames]):
            frame = self._frames.setdefault((function, file, line), len(self._frames))
            node = self._nodes.setdefault((node, frame), len(self._nodes))
        self._stacks.append(node)

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Returns all of them."""
        intern = self._builder.intern
        frames = [
            (intern(function) if function else -1, intern(file) if file else -1, max(line, 0))
            for function, file, line in self._frames
        ]
        nodes = np.array([*self._nodes], np.int64).reshape(-1, 2)
        columns = np.array(frames, np.int64).reshape(-1, 3)
        nothing = np.zeros(len(frames), np.int64)
        return {
            "stack": np.array(self._stacks, np.uint32),
            "parent": nodes[:, 0],
            "frame": nodes[:, 1].astype(np.uint32),
            "function": columns[:, 0],
            "file": columns[:, 1],
            "module": nothing - 1,
            "line": columns[:, 2].astype(np.uint32),
            "offset": nothing.astype(np.uint64),
            "is_inlined": nothing.astype(np.bool_),
        }
