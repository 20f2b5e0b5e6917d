# SPDX-License-Identifier: MIT
"""Takes a workload's description key by key, and refuses what means nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, cast

from alloclab.errors import UsageError

MOST_COUNT = 2**64 - 1
_MOST_SHOWN = 80


def place_of(source: str) -> Path:
    """Where an input goes in the scratch folder: what lies in inputs/ comes to its top."""
    path = Path(source)
    return Path(*path.parts[1:]) if path.parts[0] == "inputs" else path


class Checked:
    """Takes what a document says key by key, and refuses what is of the wrong kind."""

    def __init__(self, path: Path, said: Mapping[str, Any]) -> None:
        self._path = path
        self._left = dict(said)

    def text(self, key: str) -> str:
        found = self._left.pop(key, None)
        if not isinstance(found, str) or not found.strip():
            raise self._wrong(key, "a text")
        return found

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        found = self.text(key)
        if found not in choices:
            raise self._wrong(key, f"one of {', '.join(choices)}")
        return found

    def flag(self, key: str) -> bool:
        found = self._left.pop(key, False)
        if not isinstance(found, bool):
            raise self._wrong(key, "true or false")
        return found

    def number(self, key: str) -> int | None:
        found = self._left.pop(key, None)
        if found is not None and not _is_count(found):
            raise self._wrong(key, "a whole number, zero or more, of 64 bits at most")
        return cast("int | None", found)

    def words(self, key: str) -> tuple[str, ...]:
        found = self._left.pop(key, None)
        if not _is_words(found):
            raise self._wrong(key, "a list of texts, one or more")
        return tuple(found)

    def names(self, key: str) -> tuple[str, ...]:
        found = self._left.pop(key, [])
        if not _is_texts(found):
            raise self._wrong(key, "a list of texts")
        return tuple(found)

    def commands(self, key: str) -> tuple[tuple[str, ...], ...]:
        found = self._left.pop(key, [])
        if not isinstance(found, list) or not all(map(_is_words, found)):
            raise self._wrong(key, "a list of commands, each a list of texts")
        return tuple(map(tuple, found))

    def inputs(self, key: str) -> tuple[str, ...]:
        found = self.names(key)
        places: dict[Path, str] = {}
        for each in found:
            path = PurePosixPath(each)
            is_below = bool(path.parts) and not path.is_absolute() and ".." not in path.parts
            if not is_below or not (self._path.parent / each).exists():
                raise self._wrong(key, f"a file beside it or below, and {each!r} is none")
            other = places.setdefault(place_of(each), each)
            if other is not each:
                raise UsageError(f"{self._path}: {key}: {other!r} and {each!r} go to one place")
        return found

    def table(self, key: str) -> dict[str, Any]:
        found = self._left.pop(key, {})
        if not isinstance(found, dict):
            raise self._wrong(key, "a table")
        is_sound = _TABLES[key]
        for name, value in found.items():
            if not is_sound(name, value):
                place = f"[{key}] {name if name.isprintable() and name else repr(name)}"
                raise UsageError(f"{self._path}: {place}: {_shown(value)} means nothing")
        return found

    def refuse_others(self) -> None:
        if self._left:
            raise UsageError(f"{self._path}: {min(self._left)}: no such key")

    def _wrong(self, key: str, wanted: str) -> UsageError:
        return UsageError(f"{self._path}: {key}: it must be {wanted}")


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python prints no number of more than 4300 digits
        return "so large a number"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _is_text(found: object) -> bool:
    return isinstance(found, str) and "\0" not in found


def _is_texts(found: object) -> bool:
    return isinstance(found, list) and all(map(_is_text, found))


def _is_words(found: object) -> bool:
    return bool(found) and _is_texts(found)


def _is_count(found: object) -> bool:
    is_whole = isinstance(found, int) and not isinstance(found, bool)
    return is_whole and 0 <= cast(int, found) <= MOST_COUNT


def _is_ratio(found: object) -> bool:
    return _is_count(found) or (isinstance(found, float) and 0 <= found < math.inf)


_RECORDING: Mapping[str, Callable[[object], bool]] = {
    "edges": lambda found: _is_text(found) or _is_count(found),
    "frame_on": _is_texts,
    "gcc_phases": lambda found: isinstance(found, bool),
    "mark_output": _is_text,
    "scope_on": _is_texts,
    "sites": _is_text,
}
_TRACE: Mapping[str, Callable[[object], bool]] = {
    "bytes": _is_count,
    "file": _is_text,
    "sha256": _is_text,
}
RECORDING_OPTIONS = tuple(_RECORDING)


def _is_variable(name: str, value: object) -> bool:
    return bool(name) and "=" not in name and "\0" not in name and _is_text(value)


def _is_known_as(kinds: Mapping[str, Callable[[object], bool]]) -> Callable[[str, object], bool]:
    return lambda name, value: name not in kinds or kinds[name](value)


_TABLES: Mapping[str, Callable[[str, object], bool]] = {
    "environment": _is_variable,
    "recording": _is_known_as(_RECORDING),
    "trace": _is_known_as(_TRACE),
    "summary": lambda name, value: _is_count(value),
    "spread": lambda name, value: _is_ratio(value),
}
TABLES = tuple(_TABLES)
