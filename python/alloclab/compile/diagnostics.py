# SPDX-License-Identifier: MIT
"""Reads what a compiler says, and finds the user's own line behind each error.

An error in a header, or in a macro of the lab's, is given where the user's source led to it: the
lines around it ("in expansion of macro", "required from", "expanded from") name that place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from alloclab.errors import CompileError

_INCLUDED = re.compile(r"(?:In file included from|\s+from) (.+?):(\d+)(?::(\d+))?[:,]")
_PLACED = re.compile(r"(\S.*?):(\d+)(?::(\d+))?: +(.*)")
_SEVERE = re.compile(
    r"(?:fatal )?error: (?:static assertion failed: |static_assert failed(?:.*?'(?= \"))? ?)?(.*)"
)
_LINKER = re.compile(r".*(undefined reference to .*|multiple definition of [^;]*|cannot find .*)")
_DRIVER = re.compile(r"\S+: (?:fatal )?error: (?!ld returned|linker command failed)(.*)")
# What stands before the error it leads to, and so begins another.
_LEADS = re.compile(
    r"In file included from |.*: (?:In |At global scope|(?:recursively )?required )|.*: in function"
)
_SHOWN = 5


@dataclass(frozen=True)
class Place:
    """A position in a file; line 0 where there is none."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file, *(str(each) for each in (self.line, self.column) if each)]
        return ":".join(parts)


@dataclass(frozen=True)
class Diagnostic:
    """One error: its words, and every place that was named with it, the nearest first."""

    text: str
    places: tuple[Place, ...]

    def place_in(self, file: str) -> Place | None:
        """Returns where it is in that file, or None when it does not come from there."""
        return next((place for place in self.places if place.file == file), None)


def read_diagnostics(output: str) -> list[Diagnostic]:
    """Returns the errors a compiler or linker wrote (gcc's or clang's plain form), in order."""
    return [_read_group(group) for group in _groups(output.splitlines())]


def compile_error(found: Sequence[Diagnostic], file: str, output: str) -> CompileError:
    """Returns the error to raise: what concerns the user's file, at its places there, first."""
    messages: dict[str, Place] = {}
    for each in sorted(found, key=lambda each: each.place_in(file) is None):
        place = each.place_in(file) or (each.places[0] if each.places else Place(file))
        messages.setdefault(f"{place}: {each.text}", place)
    if not messages:
        said = [line for line in output.splitlines() if line.strip()] or ["the compiler failed"]
        messages = {f"{file}: {said[-1].strip()}": Place(file)}
    first = next(iter(messages.values()))
    more = len(messages) - _SHOWN
    shown = [*list(messages)[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
    return CompileError(shown, file=first.file, line=first.line, column=first.column, output=output)


def _groups(lines: Sequence[str]) -> Iterator[list[str]]:
    """Yields each error with the lines before it that lead there and the notes after it."""
    group: list[str] = []
    has_error = False
    for line in lines:
        if has_error and (_is_error(line) or _LEADS.match(line)):
            yield group
            group, has_error = [], False
        group.append(line)
        has_error = has_error or _is_error(line)
    if has_error:
        yield group


def _is_error(line: str) -> bool:
    return _words(line) is not None


def _words(line: str) -> tuple[str, Place | None] | None:
    """Returns what an error says and where, or None for a line that is none."""
    placed = _PLACED.match(line)
    severe = _SEVERE.match(placed[4]) if placed else None
    if placed is not None and severe is not None:
        return severe[1].strip('" '), Place(placed[1], int(placed[2]), int(placed[3] or 0))
    other = _LINKER.match(line) or _DRIVER.match(line)
    return (other[1], None) if other is not None else None


def _read_group(group: Sequence[str]) -> Diagnostic:
    text, own = "", None
    around: list[Place] = []
    includes: list[Place] = []  # the farthest: only where the file begins to be read
    for line in group:
        words = _words(line)
        included, placed = _INCLUDED.match(line), _PLACED.match(line)
        if words is not None:
            text, own = words
        elif included is not None:
            includes.append(Place(included[1], int(included[2]), int(included[3] or 0)))
        elif placed is not None:
            around.append(Place(placed[1], int(placed[2]), int(placed[3] or 0)))
    return Diagnostic(text, (*([own] if own is not None else []), *around, *includes))
