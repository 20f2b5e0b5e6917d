# SPDX-License-Identifier: MIT
"""The formats that can be imported. A format is a file in cpp/src/import/ and an entry here;
one that Python reads has its file here instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from alloclab.errors import UsageError
from alloclab.formats import memray
from alloclab.traces import Trace

SNIFFED_BYTES = 4096
Sniff = Callable[[bytes], bool]


class Read(Protocol):
    """Makes a trace of a file, all by itself."""

    def __call__(self, path: Path, output: Path, *, allow_truncated: bool) -> Trace: ...


@dataclass(frozen=True)
class ImportFormat:
    """A foreign format.

    Attributes:
        name: what `format=` and `--format` call it.
        description: in a line, what writes it.
        suffixes: what such a file's name ends in, without the ending of a compressed one.
        sniff: whether a file may be one, from its first bytes (decompressed, at most
            `SNIFFED_BYTES`); it must say no to every other format's.
        cannot_say: what such a file never tells; an import says what it does not tell itself.
        read: what reads it, where that is not the file in cpp/src/import/.
    """

    name: str
    description: str
    suffixes: tuple[str, ...]
    sniff: Sniff
    cannot_say: tuple[str, ...]
    read: Read | None = None


def first_line(pattern: bytes) -> Sniff:
    """Returns whether a file's first line, but for empty ones, matches a whole pattern."""
    whole = re.compile(rb"\s*(?:" + pattern + rb")[ \t]*(?:\r?\n|$)")
    return lambda start: whole.match(start) is not None


_LTRACE_LINE = re.compile(
    rb"^(?:\[pid \d+\] |\d+ +)?(?:[\d.:]+ +)*(?:\[0x[0-9a-f]+\] )?"
    rb"(?:[^\s()]+->|<\.\.\. )?"
    rb"(?:malloc|calloc|realloc|free|memalign|aligned_alloc|posix_memalign|_Zn[wa]m|_Zd[la]Pvm?"
    rb"|operator (?:new|delete)(?:\[\])?\([^()\r\n]*\))(?:@[^\s(]+)?"
    rb"(?:\([^\r\n]*(?: = |<unfinished \.\.\.>)| resumed> )",
    re.M,
)

FORMATS: tuple[ImportFormat, ...] = (
    ImportFormat(
        name="android",
        description="Android's malloc debug and memory_replay: text or zip",
        suffixes=(".txt", ".zip"),
        sniff=first_line(
            rb"\d+: (?:malloc|calloc|realloc|memalign|free|thread_done) 0x[0-9a-f]+.*"
        ),
        cannot_say=("call stacks", "thread starts", "end"),
    ),
    ImportFormat(
        name="wee_alloc",
        description="the traces of wee_alloc's tests: Alloc(size), Free(index)",
        suffixes=(".trace",),
        sniff=first_line(rb"(?:Alloc|Free)\(\d+\),?"),
        cannot_say=("threads", "time", "call stacks", "alignment", "reallocations", "end"),
    ),
    ImportFormat(
        name="malloclab",
        description="the .rep traces of the CS:APP malloc lab",
        suffixes=(".rep",),
        sniff=lambda start: re.match(rb"\s*(?:\d+\s+){4}[arf] -?\d", start) is not None,
        cannot_say=("threads", "time", "call stacks", "alignment"),
    ),
    ImportFormat(
        name="rmm",
        description="the CSV log of RAPIDS RMM, of GPU memory",
        suffixes=(".csv", ".log", ".txt"),
        sniff=first_line(
            rb"Thread,Time,Action,Pointer,Size,Stream"
            rb"|\d+,[\d:.]+,(?:allocate|free|deallocate|allocate failure),[^,]*,\d+,.*"
        ),
        cannot_say=("call stacks", "alignment", "streams", "thread starts", "thread ends", "end"),
    ),
    ImportFormat(
        name="ltrace",
        description="the text of ltrace, best with -f -o FILE",
        suffixes=(".ltrace", ".txt", ".log"),
        sniff=lambda start: _LTRACE_LINE.search(start) is not None,
        cannot_say=("call stacks", "calls within libraries", "thread starts"),
    ),
    ImportFormat(
        name="bpftrace",
        description="the lines of the bpftrace script in docs/formats.md",
        suffixes=(".bpftrace", ".txt"),
        sniff=lambda start: re.search(rb"^alloclab-bpftrace \d", start, re.M) is not None,
        cannot_say=("call stacks", "which aligned call", "thread starts", "thread ends"),
    ),
    ImportFormat(
        name="heaptrack",
        description="KDE's heaptrack: interpreted and raw files",
        suffixes=(".heaptrack", ".raw"),
        sniff=first_line(rb"v [0-9a-f]+(?: [0-9a-f]+)?"),
        cannot_say=(
            "threads",
            "calls",
            "alignments",
            "reallocations",
            "failed calls",
            "time between stamps",
        ),
    ),
    ImportFormat(
        name="mtrace",
        description="the log of glibc's mtrace(3)",
        suffixes=(".mtrace", ".log"),
        sniff=first_line(rb"= Start"),
        cannot_say=(
            "threads",
            "time",
            "calls",
            "alignments",
            "free(NULL)",
            "realloc(p, 0)",
            "callers of the caller",
        ),
    ),
    ImportFormat(
        name="glibc-trace",
        description="the binary trace of glibc-malloc-trace-utils",
        suffixes=(".mtrace",),
        sniff=lambda start: start[4:5] == b"\xff" and start[8:16] == b"\x34\x12" + bytes(6),
        cannot_say=("time", "call stacks", "thread starts", "end"),
    ),
    ImportFormat(
        name="memtrace",
        description="OCaml's memtrace: sampled allocations",
        suffixes=(".ctf",),
        sniff=lambda start: start.startswith(b"\xc1\x1f\xfc\xc1"),
        cannot_say=(
            "what was not sampled",
            "threads",
            "calls",
            "alignments",
            "when a block died before its collection",
            "end",
        ),
    ),
    ImportFormat(
        name="memray",
        description="memray, of Python programs; needs alloclab[memray]",
        suffixes=(".bin",),
        sniff=memray.is_memray,
        cannot_say=memray.CANNOT_SAY,
        read=memray.import_memray,
    ),
)


def format_named(name: str) -> ImportFormat:
    """Returns the format of that name.

    Raises:
        UsageError: there is none.
    """
    for each in FORMATS:
        if each.name == name:
            return each
    raise UsageError(f"no format {name!r}; there are {', '.join(each.name for each in FORMATS)}")


def format_of(path: Path, start: bytes) -> ImportFormat:
    """Returns the format of a file, by its first bytes and, between several, by its name.

    Raises:
        UsageError: it is none that is known, or may be several.
    """
    found = [each for each in FORMATS if each.sniff(start)]
    if len(found) > 1:
        named = [each for each in found if set(path.suffixes) & set(each.suffixes)]
        found = named or found
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{path}: it may be {' or '.join(each.name for each in found)}: say which by a format"
        )
    raise UsageError(
        f"{path}: no format that is known ({', '.join(each.name for each in FORMATS)})"
    )
