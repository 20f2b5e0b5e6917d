# SPDX-License-Identifier: MIT
"""What a workload's .toml says: a program, how to run and record it, and what its trace holds."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alloclab.errors import UsageError
from alloclab.traces import Trace, open_trace
from alloclab.workloads.checking import RECORDING_OPTIONS, TABLES, Checked

KINDS = ("compiler", "interpreter", "game", "server", "model")


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
    packages: tuple[str, ...] = ()
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

    @property
    def is_recorded(self) -> bool:
        """Whether a recording is on the shelf."""
        return self.trace_path.is_file()

    def open(self) -> Trace:
        """Opens the shipped recording.

        Raises:
            UsageError: there is none yet; it says what makes one.
            TraceError: it is damaged.
        """
        if not self.is_recorded:
            raise UsageError(
                f"{self.name}: no recording at {self.trace_path} yet: "
                f"`alloclab workloads record {self.name} --write` makes it"
            )
        return open_trace(self.trace_path)


def read_workload(path: Path) -> Workload:
    """Reads a description.

    Raises:
        UsageError: the file is missing, no TOML, or says something that means nothing; it names
            the file and the key.
    """
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: it is no file")
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None
    except RecursionError:
        raise UsageError(f"{path}: lists or tables in it are nested too deeply") from None
    checked = Checked(path, said)
    workload = Workload(
        name=path.stem,
        folder=path.parent,
        kind=checked.choice("kind", KINDS),
        what=checked.text("what"),
        why=checked.text("why").strip(),
        licence=checked.text("licence"),
        image=checked.text("image"),
        command=checked.words("command"),
        packages=checked.names("packages"),
        inputs=checked.inputs("inputs"),
        build=checked.commands("build"),
        seed=checked.number("seed"),
        is_deterministic=checked.flag("is_deterministic"),
        is_tiny=checked.flag("is_tiny"),
        refuses_root=checked.flag("refuses_root"),
        **{name: checked.table(name) for name in TABLES},
    )
    checked.refuse_others()
    for option in workload.recording:
        if option not in RECORDING_OPTIONS:
            raise UsageError(
                f"{path}: [recording] {option}: there are {', '.join(RECORDING_OPTIONS)}"
            )
    return workload
