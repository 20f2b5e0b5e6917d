# SPDX-License-Identifier: MIT
"""An allocator for each part of a program, with figures of its own."""

from __future__ import annotations

import atexit
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from alloclab import _core
from alloclab.allocators import KNOWN, Allocator
from alloclab.errors import ArenaEscapeError, UsageError
from alloclab.live import LiveAllocator
from alloclab.live.closing import ClosesAtExit


@dataclass(frozen=True)
class SubsystemRow:
    """One part of a program.

    Attributes:
        key: how code asks for it, for instance "ast".
        title: how reports call it.
        spec: its allocator.
        reset_when: when everything in it ends; None where blocks are freed one by one.
        reset_with: the key of another part whose reset resets this one too.
    """

    key: str
    title: str
    spec: Allocator
    reset_when: str | None
    reset_with: str | None


def preset_rows(preset: str) -> list[SubsystemRow]:
    """Returns the rows of a preset, for instance to replay a trace under their allocators.

    Raises:
        Error: no such preset; the message names the known ones.
    """
    return [
        SubsystemRow(key, title, _from_core(json.loads(spec)), reset_when, reset_with)
        for key, title, spec, reset_when, reset_with in _core.subsystem_rows(preset)
    ]


class Subsystems(Mapping[str, LiveAllocator], ClosesAtExit):
    """The allocators of a program's parts by their keys; `subsystems` makes it."""

    def __init__(self, preset: str, *, prints_statistics: bool, traced: bool) -> None:
        self.preset = preset
        self.rows = preset_rows(preset)
        self.traced = traced
        self._core = _core.Subsystems(preset, prints_statistics, traced)
        self._parts = {
            row.key: LiveAllocator(row.spec, name=row.title, heap=self._core.heap(place))
            for place, row in enumerate(self.rows)
        }
        if prints_statistics or traced:
            atexit.register(self._core.shut_down)

    def __repr__(self) -> str:
        return f"<Subsystems {self.preset}: {', '.join(self._parts)}>"

    def __getitem__(self, key: str) -> LiveAllocator:
        if key not in self._parts:
            raise UsageError(f"no subsystem {key!r}: {self.preset} has {', '.join(self._parts)}")
        return self._parts[key]

    def __contains__(self, key: object) -> bool:
        return key in self._parts

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def reset(self, key: str) -> None:
        """Ends every block of one part, and of those that end with it: the compiler's reset takes
        the bytecode along.

        Raises:
            ArenaEscapeError: arrays still look at some; nothing has changed.
            AttributeError: the part frees its blocks one by one.
        """
        self[key]
        group = [self[row.key] for row in self.rows if key in (row.key, row.reset_with)]
        for part in group:
            if escapes := part.escapes():
                raise ArenaEscapeError.of(part.name, "cannot reset", escapes)
        for part in group:
            part.reset()

    def statistics_report(self) -> str:
        """Returns the statistics of every part that was used, as text."""
        return self._core.statistics_text()

    def tag_report(self) -> str:
        """Returns the tables of tags as text; empty where the parts are not traced."""
        return self._core.tag_text()

    def leak_report(self) -> str:
        """Returns what has not been freed, as text; empty where all has, and where the parts are
        not traced. Blocks of arenas are no leaks.
        """
        return self._core.leak_text()

    def close(self) -> None:
        """Prints to standard error what was asked for, then ends every part. Once only.

        Raises:
            ArenaEscapeError: arrays still look at some blocks, which stay valid until they die.
        """
        self._core.shut_down()
        first: ArenaEscapeError | None = None
        for part in self._parts.values():
            try:
                part.close()
            except ArenaEscapeError as error:
                first = first or error
        if first is not None:
            raise first


def subsystems(
    preset: str = "swiftlang", *, statistics: bool | None = None, traced: bool | None = None
) -> Subsystems:
    """Makes an allocator for each part of a program.

        parts = al.subsystems("swiftlang")
        node = parts["ast"].allocate(64, tag="if-statement")
        parts.reset("ast")
        print(parts.statistics_report())

    Args:
        preset: "swiftlang", "weir" or "roc".
        statistics: print the statistics to standard error at the end; None asks the environment,
            ALLOCLAB_MEM_STATS or SWIFTLANG_MEM_STATS.
        traced: remember every block and print the leaks at the end; None asks ALLOCLAB_MEM_DEBUG or
            SWIFTLANG_MEM_DEBUG.

    Raises:
        Error: no such preset; the message names the known ones.
    """
    asked_statistics, asked_traced = _core.subsystems_asked_for()
    return Subsystems(
        preset,
        prints_statistics=asked_statistics if statistics is None else statistics,
        traced=asked_traced if traced is None else traced,
    )


def _from_core(document: Mapping[str, Any]) -> Allocator:
    """Builds the spec whose `core_spec` is the document."""
    kind = KNOWN[document["allocator"]]
    options = dict(document.get("options", {}))
    values: dict[str, Any] = {}
    for each in fields(kind):
        setting = each.metadata.get("setting")
        if setting in options:
            values[each.name] = options.pop(setting)
        elif each.name in document.get("children", {}):
            values[each.name] = _from_core(document["children"][each.name])
    if options:
        raise UsageError(f"{kind.name} has no field for {', '.join(options)}")
    return kind.from_fields(values)
