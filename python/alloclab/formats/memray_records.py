# SPDX-License-Identifier: MIT
"""Reads a memray file with memray itself and writes what it says to a pipe.

`main` is what a process of its own runs, since memray trusts its files: a damaged one may crash it.
The output is messages of a letter, a length and so many bytes: "h" JSON about the file, "s" JSON of
call stacks not seen before, "r" records, "e" JSON about the end, "x" why memray refuses the file. A
call stack is a list of (function, file, line), innermost first; they count from 1 in the order in
which they are told.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

RECORD = np.dtype(
    [
        ("address", "<u8"),
        ("size", "<u8"),
        ("thread", "<u8"),
        ("stack", "<u4"),
        ("allocator", "u1"),
    ]
)
HEAD = struct.Struct("<cI")
BATCH_RECORDS = 1 << 16
MOST_FRAMES = 1 << 10
_CALLS_WITHOUT_STACK = (1, 5, 15)  # those that free or unmap

Row = tuple[int, int, int, int, int]


def send(out: IO[bytes], letter: bytes, content: bytes) -> None:
    """Writes a message."""
    out.write(HEAD.pack(letter, len(content)) + content)
    out.flush()


class Stacks:
    """Numbers the call stacks of records, and keeps those nobody was told of yet."""

    def __init__(self, *, has_native: bool) -> None:
        self._has_native = has_native
        self._known: dict[tuple[int, int, int], int] = {}
        self._told = 0
        self.untold: list[list[tuple[str, str, int]]] = []

    def number_of(self, record: Any) -> int:
        """Returns the number of a record's stack; 0 where it has none."""
        if record.allocator in _CALLS_WITHOUT_STACK:
            return 0
        key = (record.stack_id, record.native_stack_id, record.native_segment_generation)
        known = self._known.get(key)
        if known is None:
            take = record.hybrid_stack_trace if self._has_native else record.stack_trace
            frames = [(str(name), str(file), int(line)) for name, file, line in take(MOST_FRAMES)]
            known = 0
            if frames:
                self.untold.append(frames)
                self._told += 1
                known = self._told
            self._known[key] = known
        return known


def batches(records: Any, stacks: Stacks) -> Iterator[list[Row]]:
    """Yields the records as rows of `RECORD`, many at a time."""
    rows: list[Row] = []
    for record in records:
        rows.append(
            (
                record.address,
                record.size,
                record.tid,
                stacks.number_of(record),
                record.allocator,
            )
        )
        if len(rows) == BATCH_RECORDS:
            yield rows
            rows = []
    yield rows


def write_records(path: str, out: IO[bytes]) -> None:
    """Writes all messages about a file; memray's errors pass through."""
    import memray

    with memray.FileReader(path) as reader:
        about = reader.metadata
        head = {
            "command": about.command_line,
            "pid": about.pid,
            "python_allocator": str(about.python_allocator),
            "has_native_frames": about.has_native_traces,
            "has_python_allocators": about.trace_python_allocators,
        }
        send(out, b"h", json.dumps(head).encode())
        stacks = Stacks(has_native=about.has_native_traces)
        count = 0
        for rows in batches(reader.get_allocation_records(), stacks):
            if stacks.untold:
                send(out, b"s", json.dumps(stacks.untold).encode())
                stacks.untold = []
            send(out, b"r", np.array(rows, RECORD).tobytes())
            count += len(rows)
        send(out, b"e", json.dumps({"records": count}).encode())


def main() -> int:
    """Answers for the file that the command line names."""
    try:
        write_records(sys.argv[1], sys.stdout.buffer)
    except (OSError, NotImplementedError, RuntimeError, ValueError) as error:
        send(sys.stdout.buffer, b"x", str(error).encode())
    return 0
