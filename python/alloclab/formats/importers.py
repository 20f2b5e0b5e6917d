# SPDX-License-Identifier: MIT
"""The formats that can be imported. A format is a file in cpp/src/import/ and an entry here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alloclab.errors import UsageError

SNIFFED_BYTES = 4096
Sniff = Callable[[bytes], bool]


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
    """

    name: str
    description: str
    suffixes: tuple[str, ...]
    sniff: Sniff
    cannot_say: tuple[str, ...]


def first_line(pattern: bytes) -> Sniff:
    """Returns whether a file's first line, but for empty ones, matches a whole pattern."""
    whole = re.compile(rb"\s*(?:" + pattern + rb")[ \t]*(?:\r?\n|$)")
    return lambda start: whole.match(start) is not None


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
