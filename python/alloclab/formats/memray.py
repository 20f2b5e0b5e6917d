# SPDX-License-Identifier: MIT
"""Imports what memray records of a Python program, with memray's own reader in a child.

A record is a call: what it allocated or freed, where, on which thread, and the Python call stack.
memray tells a realloc as a free and an allocation, and calls mmap and munmap on parts of regions;
its order is that of the calls, and it has no times. A file that is not compressed has the number of
its records in its header, written when the tracker ends; a compressed one, an LZ4 frame, is made
when it has ended.
Source: memray/_memray/record_writer.cpp and record_reader.cpp of
https://github.com/bloomberg/memray, and https://bloomberg.github.io/memray/
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from alloclab.errors import TraceError, UsageError
from alloclab.formats.memray_child import messages
from alloclab.formats.memray_events import EventWriter
from alloclab.trace_builder import TraceBuilder
from alloclab.traces import Trace

NOT_INSTALLED = "a memray file is read by memray, which is missing: pip install 'alloclab[memray]'"
CANNOT_SAY = ("time", "alignments", "reallocations", "failed calls", "free(NULL)")
_LZ4 = b"\x04\x22\x4d\x18"
_MAGIC = b"memray\0"
_COUNT_AT = {13: 17}  # where the header has the number of records, by the version of the file


def is_memray(start: bytes) -> bool:
    """Returns whether a file that begins so is memray's, compressed or not."""
    return start.startswith(_MAGIC) or (start.startswith(_LZ4) and _MAGIC[:-1] in start[:64])


def import_memray(path: Path, output: Path, *, allow_truncated: bool) -> Trace:
    """Makes a trace of a memray file, as `import_trace` does.

    Raises:
        TraceError: memray refuses the file, crashes over it, or it breaks off.
        UsageError: there is no memray.
    """
    if importlib.util.find_spec("memray") is None:
        raise UsageError(NOT_INSTALLED)
    with TraceBuilder(output, image=path.name.split(".")[0]) as builder:
        writer = EventWriter(builder)
        try:
            about, records = _write_all(path, writer)
            builder.set_stacks(writer.stacks.columns())
        except (TraceError, ValueError) as error:
            raise TraceError(f"{path}: {error}") from None
        ending = _ending(path, records)
        if ending.truncated_at and not allow_truncated:
            raise TraceError(f"{path}: {ending.truncated_at}: the input ends in the middle")
        origin = {
            "format": "memray",
            "file": path.name,
            "cannot_say": [*CANNOT_SAY, *([] if ending.is_seen else ["end"])],
            "left_out": writer.left_out(),
            "told": about,
        }
        if ending.truncated_at:
            origin["truncated_at"] = ending.truncated_at
        return builder.finish(
            is_complete=ending.is_seen,
            unknown_frees=writer.counts["unknown_frees"],
            missed_frees=writer.counts["missed_frees"],
            metadata={"origin": origin},
        )


def _write_all(path: Path, writer: EventWriter) -> tuple[dict[str, Any], int]:
    """Writes the events; returns what the file says of itself, and its number of records."""
    about: dict[str, Any] = {}
    records = 0
    for message in messages(path):
        if message.about is not None:
            about = message.about
        for frames in message.stacks:
            writer.stacks.add(frames)
        if message.records is not None:
            records += len(message.records)
            writer.write(message.records)
    return about, records


@dataclass(frozen=True)
class _Ending:
    is_seen: bool = False
    truncated_at: str = ""


def _ending(path: Path, records: int) -> _Ending:
    """Returns what a file says of its own end, once so many records were read from it."""
    with path.open("rb") as file:
        header = file.read(64)
        if header.startswith(_LZ4):
            is_whole = _has_lz4_end(file)
            return _Ending(is_whole, "" if is_whole else f"offset {path.stat().st_size}")
    count_at = _COUNT_AT.get(int.from_bytes(header[7:11], "little"))
    if count_at is None:
        return _Ending()
    declared = int.from_bytes(header[count_at : count_at + 8], "little")
    if records < declared:
        return _Ending(truncated_at=f"record {records} of {declared}")
    return _Ending(is_seen=declared > 0)


def _has_lz4_end(file: IO[bytes]) -> bool:
    """Returns whether an LZ4 frame is all there, by the lengths of its blocks.

    Source: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
    """
    size = file.seek(0, 2)
    file.seek(len(_LZ4))
    flags = int.from_bytes(file.read(1), "little")
    has_block_checksum, has_size, has_checksum, has_dictionary = (
        bool(flags & bit) for bit in (0x10, 0x08, 0x04, 0x01)
    )
    at = len(_LZ4) + 3 + 8 * has_size + 4 * has_dictionary
    while at + 4 <= size:
        file.seek(at)
        at += 4
        length = int.from_bytes(file.read(4), "little") & 0x7FFFFFFF
        if length == 0:
            return at + 4 * has_checksum <= size
        at += length + 4 * has_block_checksum
    return False
