# SPDX-License-Identifier: MIT
"""A second reader of captures, written from docs/capture-format.md alone: what the tests of the
recorder hold its bytes against, and in what the lab's own reader cannot be wrong with it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

GRANULE = 65_536
BLOCK = 256
FIELDS = {
    4: ("realloc_begin", 1),
    5: ("realloc_end", 2),
    6: ("free_null", 0),
    7: ("allocate_any", 4),
    8: ("free_any", 1),
    9: ("realloc_begin_any", 1),
    10: ("realloc_end_any", 2),
    11: ("map", 3),
    12: ("unmap", 2),
    13: ("remap", 4),
    14: ("discard", 2),
    15: ("touched_birth", 4),
    16: ("touched_death", 4),
    17: ("footprint", 3),
    18: ("fork", 1),
    19: ("exec", 1),
    20: ("mark", 1),
    21: ("name", 2),
    22: ("scope_enter", 3),
    23: ("scope_exit", 1),
    24: ("tag", 1),
    25: ("reset", 1),
    26: ("transfer", 2),
    27: ("reference", 3),
    28: ("root", 2),
    29: ("site", 1),
    30: ("frame", 2),
    31: ("module", 6),
}


@dataclass
class Event:
    """An event as it stands in the file: its word, its fields, and where."""

    word: str
    fields: tuple[int, ...]
    thread: int
    lane: int
    text: bytes = b""


@dataclass
class RawCapture:
    """The events of a capture, lane by lane in their order, and its names put together."""

    header: bytes
    events: list[Event] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)

    def said(self, *words: str) -> list[Event]:
        return [event for event in self.events if event.word in words]

    def told(self) -> list[tuple[str | int, ...]]:
        """What the program said of itself, with names in place of their numbers."""
        lines: list[tuple[str | int, ...]] = []
        for event in self.said(
            "mark", "scope_enter", "scope_exit", "tag", "reset", "transfer", "reference", "root"
        ):
            if event.word == "scope_enter":
                scope, kind, name = event.fields
                lines.append(("enter", scope, self.names[kind], self.names[name]))
            elif event.word == "scope_exit":
                lines.append(("exit", *event.fields))
            elif event.word == "mark":
                lines.append(("mark", self.names[event.fields[0]]))
            elif event.word == "tag":
                tag = event.fields[0]
                lines.append(("tag", self.names[tag - 1] if tag else ""))
            else:
                lines.append((event.word, *event.fields))
        return lines


class _Cursor:
    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def number(self) -> int:
        first = self.data[self.at]
        if first == 0:
            self.at += 9
            return int(struct.unpack_from("<Q", self.data, self.at - 8)[0])
        count = (first & -first).bit_length()
        self.at += count
        return int.from_bytes(self.data[self.at - count : self.at], "little") >> count

    def free(self) -> int:
        above = self.data[self.at] >> 1
        count = (above & -above).bit_length() or 8
        self.at += count
        return int.from_bytes(self.data[self.at - count : self.at], "little") >> (count + 1)


def read_capture(path: Path) -> RawCapture:
    """Returns every event of a capture file."""
    data = path.read_bytes()
    assert data[:8] == b"alloccap"
    capture = RawCapture(data[:4096])
    end = struct.unpack_from("<Q", data, 72)[0]
    parts: dict[int, bytes] = {}
    windows = sorted(_windows(data, end))
    for thread, lane, _, at, size in windows:
        for block in range(at + BLOCK, at + size, BLOCK):
            clock = struct.unpack_from("<Q", data, block)[0]
            if clock == 0:
                break
            for event in _events(data, block, bool(clock >> 63), thread, lane):
                capture.events.append(event)
                if event.word == "name":
                    parts[event.fields[0]] = parts.get(event.fields[0], b"") + event.text
    capture.names = {key: text.decode("utf-8", "replace") for key, text in parts.items()}
    return capture


def _windows(data: bytes, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    at = GRANULE
    while at < min(end, len(data)):
        magic, size, thread, lane, sequence = struct.unpack_from("<5I", data, at)
        if magic != 0x57434C41:
            at = (at // GRANULE + 1) * GRANULE
            continue
        yield thread, lane, sequence, at, size
        at += size


def _events(data: bytes, block: int, is_timed: bool, thread: int, lane: int) -> Iterator[Event]:
    cursor = _Cursor(data, block + 8)
    while cursor.at < block + BLOCK and data[cursor.at] != 0:
        first = data[cursor.at]
        text = b""
        if first & 1:
            word, fields = "free", (cursor.free(),)
        else:
            code = first >> 1
            cursor.at += 1
            if code >= 32:
                word, fields = "allocate", (cursor.number(),)
            elif code <= 3:
                word, fields = "allocate", (cursor.number(), cursor.number())
            else:
                word, count = FIELDS[code]
                fields = tuple(cursor.number() for _ in range(count))
                if word == "root" and fields[0] == 2:
                    fields += (cursor.number(),)
                if word == "name":
                    text = data[cursor.at : cursor.at + fields[1]]
                    cursor.at += fields[1]
        if is_timed:
            cursor.number()
        assert cursor.at <= block + BLOCK
        yield Event(word, fields, thread, lane, text)
