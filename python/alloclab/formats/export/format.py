# SPDX-License-Identifier: MIT
"""What a format is to `export_trace`, and what an export says of itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, SupportsInt

import numpy as np

from alloclab.errors import TraceError, UsageError
from alloclab.formats.export.output import Output
from alloclab.traces import KINDS, Chunk, Trace

_LARGEST_PAGE = 1 << 30
_USUAL_PAGE = 4096
_KIND_NAMES = {number: name for name, number in KINDS.items()}


class LeftOut:
    """Counts what a format has no words for."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, count: SupportsInt) -> None:
        self._counts[name] += int(count)

    def add_kinds(self, chunk: Chunk, told: Iterable[str]) -> None:
        """Adds a chunk's events of all kinds but those told."""
        numbers, counts = np.unique(chunk.kind, return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            if (name := _KIND_NAMES[number]) not in told:
                self._counts[name] += count

    def counts(self) -> Mapping[str, int]:
        return MappingProxyType({name: n for name, n in sorted(self._counts.items()) if n})


@dataclass(frozen=True)
class ExportReport:
    """What was written, and what could not be.

    Attributes:
        events: lines or rows written that tell of an event (of objects or call stacks, where those
            were asked for).
        left_out: how many there were of what the format cannot say: events by their kind, and what
            events had beside (`site`, `tag`, `thread`, `call`, `alignment`), `touched` for rows
            of `Trace.touched()`. What there was none of is not named.
        format, path: what was written where.
    """

    events: int
    left_out: Mapping[str, int]
    format: str
    path: Path

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain JSON values."""
        return {
            "schema": 1,
            "kind": "export",
            "format": self.format,
            "path": str(self.path),
            "events": self.events,
            "left_out": dict(self.left_out),
        }

    def __str__(self) -> str:
        line = f"{self.path}: {self.format}, {self.events:,} told"
        if not self.left_out:
            return line
        lost = ", ".join(f"{name} {count:,}" for name, count in self.left_out.items())
        return f"{line}\nleft out: {lost}"


@dataclass(frozen=True)
class Option:
    """What a format leaves open: one of `choices`, or a positive number where there are none."""

    name: str
    summary: str
    default: str | int
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> Any:
        """Returns a value that is allowed.

        Raises:
            UsageError: it is not.
        """
        if self.choices:
            if value not in self.choices:
                raise UsageError(f"{self.name} {value!r}: known are {', '.join(self.choices)}")
        elif isinstance(value, int) and abs(value) >= 1 << 63:  # Python may not even print it
            raise UsageError(f"{self.name}: a number of {value.bit_length()} bits is out of range")
        elif not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UsageError(f"{self.name} {value!r} is not a positive number")
        return value


def checked_chunks(trace: Trace) -> Iterator[Chunk]:
    """Yields a trace's chunks; exporters keep a number or two for each object these name.

    Raises:
        TraceError: an object is named that no event can have created; one that is let through is
            less than the number of events, and so is the memory it takes.
    """
    for chunk in trace.chunks():
        wild = np.flatnonzero(chunk.object >= chunk.first_event + len(chunk))
        if len(wild):
            event = chunk.first_event + int(wild[0])
            raise TraceError(f"{trace.path}: event {event} names an object that nothing created")
        yield chunk


def page_bytes(trace: Trace) -> int:
    """Returns the size of a page where the trace was recorded."""
    told = trace.metadata.get("page_bytes")
    return told if isinstance(told, int) and 0 < told <= _LARGEST_PAGE else _USUAL_PAGE


def metadata_json(trace: Trace) -> str:
    """Returns the trace's metadata as JSON that every reader takes: NaN and its kin as text."""
    return json.dumps(json.loads(json.dumps(trace.metadata), parse_constant=str))


Write = Callable[[Trace, Output, Mapping[str, Any], LeftOut], int]
"""Writes a trace to an output and returns how many events it told."""


@dataclass(frozen=True)
class Format:
    """A format traces can be written in; file names that end in `suffixes` mean it."""

    name: str
    summary: str
    suffixes: tuple[str, ...]
    write: Write
    options: tuple[Option, ...] = field(default=())

    def check_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Returns every option's value.

        Raises:
            UsageError: an option the format does not have, or a value that is none of its.
        """
        known = {option.name: option for option in self.options}
        for name in given:
            if name not in known:
                raise UsageError(
                    f"the format {self.name} has no option {name!r}; "
                    + (f"there are {', '.join(known)}" if known else "it has none")
                )
        return {
            name: option.check(given[name]) if given.get(name) is not None else option.default
            for name, option in known.items()
        }
