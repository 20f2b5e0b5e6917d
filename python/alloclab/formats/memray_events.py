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
_ALLOCATORS = (*_CALLS, *_FREES, _MMAP, _MUNMAP)
_CALL_OF = np.array([_CALLS.get(allocator, 0) for allocator in range(256)], np.uint8)
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

    def left_out(self) -> dict[str, int]:
        """Returns the counts that are not 0."""
        return {name: count for name, count in sorted(self.counts.items()) if count}

    def write(self, records: npt.NDArray[Any]) -> None:
        """Appends the events of records, an array of `RECORD`.

        Raises:
            ValueError: a record names a call or a stack that there is not.
        """
        if not len(records):
            return
        allocators = records["allocator"]
        if (unknown := ~np.isin(allocators, _ALLOCATORS)).any():
            raise ValueError(f"there is no allocator {allocators[unknown][0]}")
        if (highest := int(records["stack"].max())) > self.stacks.count:
            raise ValueError(f"there is no call stack {highest}")
        threads = self._thread_numbers(records["thread"])
        begin = 0
        for at in np.flatnonzero(allocators >= _MMAP).tolist():
            self._write_blocks(records[begin:at], threads[begin:at])
            row = records[at]
            call = self._map if row["allocator"] == _MMAP else self._unmap
            call(int(row["address"]), int(row["size"]), int(threads[at]))
            begin = at + 1
        self._write_blocks(records[begin:], threads[begin:])

    def _thread_numbers(self, ids: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Numbers threads in the order in which they are met."""
        distinct, first, which = np.unique(ids, return_index=True, return_inverse=True)
        for index in np.argsort(first):
            self._threads.setdefault(int(distinct[index]), len(self._threads))
        return np.array([self._threads[int(each)] for each in distinct], np.uint32)[which]

    def _write_blocks(self, records: npt.NDArray[Any], threads: npt.NDArray[Any]) -> None:
        """Appends the events of records none of which is of a mapping."""
        is_free = np.isin(records["allocator"], _FREES)
        objects, ends = self._resolve(records["address"].tolist(), is_free.tolist())
        is_known = objects >= 0
        self.counts["unknown_frees"] += int(np.count_nonzero(~is_known))
        self.counts["missed_frees"] += len(ends)
        columns = {
            "kind": np.where(is_free, _FREE, _ALLOCATE),
            "call": _CALL_OF[records["allocator"]],
            "thread": threads,
            "object": objects,
            "size": np.where(is_free, 0, records["size"]),
            "site": np.where(is_free, 0, records["stack"]),
            "tag": np.where(np.isin(records["allocator"], _PYMALLOC), self._pymalloc, 0),
        }
        if ends:  # each before the record that was handed its address
            at, ended = np.array(ends, np.int64).T
            written = {"kind": _FREE, "thread": threads[at], "object": ended}
            columns = {
                name: np.insert(column, at, written.get(name, 0))
                for name, column in columns.items()
            }
            is_known = np.insert(is_known, at, True)
        self._builder.append(**{name: column[is_known] for name, column in columns.items()})

    def _resolve(
        self, addresses: list[int], is_free: list[bool]
    ) -> tuple[npt.NDArray[np.int64], list[tuple[int, int]]]:
        """Returns the object of each record, -1 where there is none, and where blocks ended unseen:
        (place of the record that was handed the address, object).
        """
        blocks, next_object = self._blocks, self._objects
        objects: list[int] = []
        ends: list[tuple[int, int]] = []
        for address, frees in zip(addresses, is_free, strict=True):
            if frees:
                objects.append(blocks.pop(address, -1))
                continue
            if address in blocks:
                ends.append((len(objects), blocks[address]))
            blocks[address] = next_object
            objects.append(next_object)
            next_object += 1
        self._objects = next_object
        return np.array(objects, np.int64), ends

    def _append(self, kind: int, thread: int, object: int, size: int = 0) -> None:
        self._builder.append(kind=[kind], thread=[thread], object=[object], size=[size])

    def _map(self, address: int, size: int, thread: int) -> None:
        if size == 0:
            raise ValueError("a mapping has no bytes")
        if self._cut_out(address, size, thread):
            self.counts["replaced_mappings"] += 1
        self._regions.add(address, size, self._objects)
        self._append(_MAP, thread, self._objects, size)
        self._objects += 1

    def _unmap(self, address: int, size: int, thread: int) -> None:
        if not self._cut_out(address, size, thread):
            self.counts["unknown_unmaps"] += 1

    def _cut_out(self, begin: int, size: int, thread: int) -> bool:
        """Unmaps what is mapped in a range; returns whether there was anything."""
        if size == 0:  # a call that the system refuses, and memray tells nonetheless
            return False
        end = begin + size
        found = self._regions.take(begin, end)
        for start, length, whole in found:
            part, part_begin = whole, start
            if start < begin:
                part, part_begin = self._split(whole, begin - start, thread), begin
                self._regions.add(start, begin - start, whole)
            if end < start + length:
                rest = self._split(part, end - part_begin, thread)
                self._regions.add(end, start + length - end, rest)
            self._append(_UNMAP, thread, part)
        return bool(found)

    def _split(self, object: int, size: int, thread: int) -> int:
        """Leaves so much of a region; returns the object of what lies behind."""
        self._append(_SPLIT, thread, object, size)
        self._objects += 1
        return self._objects - 1


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
