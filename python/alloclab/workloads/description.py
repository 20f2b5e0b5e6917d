# SPDX-License-Identifier: MIT
"""What a workload's .toml says: a program, how to run and record it, and what its trace holds."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from alloclab.errors import UsageError
from alloclab.traces import Trace, open_trace

KINDS = ("compiler", "interpreter", "game", "server", "model")
RECORDING_OPTIONS = ("edges", "frame_on", "gcc_phases", "mark_output", "scope_on", "sites")
_VALUES: Mapping[str, Any] = {"environment": str, "summary": int, "spread": int | float}
_TABLES = ("environment", "recording", "trace", "summary", "spread")


@dataclass(frozen=True)
class Workload:
    """A program on the shelf, and the recording of it that ships.

    `command`, `build` and `environment` may hold {scratch}, the folder it runs in, and {include},
    where marker.h is. `summary` is the trace's, `spread` how far further recordings were from it.
    """

    name: str
    folder: Path
    kind: str
    what: str
    why: str
    licence: str
    image: str
    command: tuple[str, ...]
    packages: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    build: tuple[tuple[str, ...], ...] = ()
    seed: int | None = None
    is_deterministic: bool = False
    is_tiny: bool = False
    refuses_root: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    recording: Mapping[str, Any] = field(default_factory=dict)
    trace: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, int] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)

    @property
    def trace_path(self) -> Path:
        """Where the shipped recording is."""
        return self.folder / f"{self.name}.alloctrace"

    @property
    def toml_path(self) -> Path:
        """Where this description was read."""
        return self.folder / f"{self.name}.toml"

    def open(self) -> Trace:
        """Opens the shipped recording."""
        return open_trace(self.trace_path)


def read_workload(path: Path) -> Workload:
    """Reads a description.

    Raises:
        UsageError: the file is missing, no TOML, or says something that means nothing; it names
            the file and the key.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    checked = _Checked(path, said)
    workload = Workload(
        name=path.stem,
        folder=path.parent,
        kind=checked.choice("kind", KINDS),
        what=checked.text("what"),
        why=checked.text("why").strip(),
        licence=checked.text("licence"),
        image=checked.text("image"),
        command=checked.words("command"),
        packages=checked.words("packages"),
        inputs=checked.inputs("inputs"),
        build=checked.commands("build"),
        seed=checked.number("seed"),
        is_deterministic=checked.flag("is_deterministic"),
        is_tiny=checked.flag("is_tiny"),
        refuses_root=checked.flag("refuses_root"),
        **{name: checked.table(name) for name in _TABLES},
    )
    checked.refuse_others()
    for option in workload.recording:
        if option not in RECORDING_OPTIONS:
            raise UsageError(
                f"{path}: [recording] {option}: there are {', '.join(RECORDING_OPTIONS)}"
            )
    return workload


class _Checked:
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
        if found is not None and (not isinstance(found, int) or isinstance(found, bool)):
            raise self._wrong(key, "a whole number")
        return found

    def words(self, key: str) -> tuple[str, ...]:
        found = self._left.pop(key, None)
        if not _is_words(found):
            raise self._wrong(key, "a list of texts, one or more")
        return tuple(found)

    def commands(self, key: str) -> tuple[tuple[str, ...], ...]:
        found = self._left.pop(key, [])
        if not isinstance(found, list) or not all(map(_is_words, found)):
            raise self._wrong(key, "a list of commands, each a list of texts")
        return tuple(map(tuple, found))

    def inputs(self, key: str) -> tuple[str, ...]:
        found = self._left.pop(key, [])
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise self._wrong(key, "a list of files")
        for each in found:
            path = PurePosixPath(each)
            is_below = bool(path.parts) and not path.is_absolute() and ".." not in path.parts
            if not is_below or not (self._path.parent / each).exists():
                raise self._wrong(key, f"a file beside it or below, and {each!r} is none")
        return tuple(found)

    def table(self, key: str) -> dict[str, Any]:
        found = self._left.pop(key, {})
        if not isinstance(found, dict):
            raise self._wrong(key, "a table")
        for name, value in found.items():
            if not isinstance(value, _VALUES.get(key, object)) or _is_negative(value):
                raise UsageError(f"{self._path}: [{key}] {name}: {value!r} means nothing")
        return found

    def refuse_others(self) -> None:
        if self._left:
            raise UsageError(f"{self._path}: {min(self._left)}: no such key")

    def _wrong(self, key: str, wanted: str) -> UsageError:
        return UsageError(f"{self._path}: {key}: it must be {wanted}")


def _is_words(found: object) -> bool:
    return isinstance(found, list) and bool(found) and all(isinstance(word, str) for word in found)


def _is_negative(value: object) -> bool:
    return isinstance(value, int | float) and value < 0
