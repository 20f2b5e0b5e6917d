# SPDX-License-Identifier: MIT
"""Weights by call stack, for the viewers others have made: speedscope, and folded stacks.

https://www.speedscope.app opens what `speedscope` returns, written as JSON; flamegraph.pl, inferno
and many more read what `folded` returns. `plot_icicle` draws the same without them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Protocol

from alloclab.errors import NotMeasured, UsageError

SPEEDSCOPE_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
UNITS = ("bytes", "none")
NO_STACK = "(no stack)"


class FrameLike(Protocol):
    """A frame: what is known of one place in a program, texts empty and line 0 where it is not."""

    @property
    def function(self) -> str: ...

    @property
    def file(self) -> str: ...

    @property
    def line(self) -> int: ...

    @property
    def module(self) -> str: ...

    @property
    def offset(self) -> int: ...

    @property
    def is_inlined(self) -> bool: ...


Stacks = Iterable[tuple[Sequence[FrameLike], float]]
"""Stacks and what each weighs: frames innermost first, none where no stack was taken."""

Place = tuple[str, str, int]
"""What of a frame tells two apart: name, file and line, 0 where lines do not."""


def speedscope(
    profiles: Mapping[str, Stacks], *, unit: str = "bytes", by: str = "function", name: str = ""
) -> dict[str, Any]:
    """Returns a document of speedscope's file format, a sampled profile for each of the given.

    Args:
        profiles: stacks and weights by the name the viewer shows.
        unit: what the weights are: "bytes", or "none" for counts.
        by: "function" to tell frames apart by their function, "line" by their line, too.
        name: what the viewer calls the whole.

    Raises:
        UsageError: an unknown unit or `by`; a weight below zero.
        NotMeasured: no stack has any weight.

    Example:
        >>> document = speedscope({"peak": trace_stacks})  # doctest: +SKIP
        >>> Path("peak.speedscope.json").write_text(json.dumps(document))  # doctest: +SKIP
    """
    if unit not in UNITS:
        raise UsageError(f"unknown unit {unit!r}: known are {', '.join(UNITS)}")
    numbers: dict[Place, int] = {}
    shown = []
    for title, stacks in profiles.items():
        merged = merge(stacks, by=by)
        shown.append(
            {
                "type": "sampled",
                "name": title,
                "unit": unit,
                "startValue": 0,
                "endValue": sum(merged.values()),
                "samples": [
                    [numbers.setdefault(place, len(numbers)) for place in stack] for stack in merged
                ],
                "weights": list(merged.values()),
            }
        )
    if not numbers:
        raise NotMeasured("no stack has any weight")
    return {
        "$schema": SPEEDSCOPE_SCHEMA,
        "shared": {"frames": [_speedscope_frame(place) for place in numbers]},
        "profiles": shown,
        "name": name or next(iter(profiles)),
        "activeProfileIndex": 0,
        "exporter": "alloclab",
    }


def folded(stacks: Stacks, *, by: str = "function") -> str:
    """Returns a line for each stack: its frames, outermost first, a semicolon between; its weight.

    Raises:
        UsageError: an unknown `by`; a weight below zero.
    """
    totals: dict[str, float] = {}
    for stack, weight in merge(stacks, by=by).items():
        line = ";".join(_one_field(place, by) for place in stack)
        totals[line] = totals.get(line, 0) + weight
    return "".join(f"{line} {weight}\n" for line, weight in sorted(totals.items()))


def merge(stacks: Stacks, *, by: str = "function") -> dict[tuple[Place, ...], float]:
    """Adds up the weights of equal stacks, outermost first; those that weigh nothing are left out.

    Raises:
        UsageError: an unknown `by`; a weight below zero.
    """
    place = place_of(by)
    merged: dict[tuple[Place, ...], float] = {}
    for frames, weight in stacks:
        check_weight(weight)
        if weight > 0:
            key = tuple(place(frame) for frame in reversed(frames)) or ((NO_STACK, "", 0),)
            merged[key] = merged.get(key, 0) + weight
    return merged


def check_weight(weight: float) -> None:
    """Raises UsageError unless the weight is a number of zero or more."""
    if not 0 <= weight < math.inf:
        raise UsageError(f"a stack weighs {weight}: weights are zero or more")


def place_of(by: str) -> Callable[[FrameLike], Place]:
    """Returns what frames are told apart by.

    Raises:
        UsageError: `by` is neither "function" nor "line".
    """
    if by == "function":
        return lambda frame: (frame_name(frame), frame.file, 0)
    if by == "line":
        return lambda frame: (frame_name(frame), frame.file, frame.line)
    raise UsageError(f"unknown {by!r} to tell frames apart by: known are function, line")


def frame_name(frame: FrameLike) -> str:
    """Returns the function, or the module and the offset where it is not known."""
    if frame.function:
        return frame.function
    return f"{PurePosixPath(frame.module).name or 'unknown'}+{frame.offset:#x}"


def _speedscope_frame(place: Place) -> dict[str, Any]:
    name, file, line = place
    frame: dict[str, Any] = {"name": name}
    if file:
        frame["file"] = file
        if line > 0:
            frame["line"] = line
    return frame


def _one_field(place: Place, by: str) -> str:
    name, file, line = place
    if by == "line" and file:
        name = f"{name} ({PurePosixPath(file).name}:{line})"
    return " ".join(name.replace(";", ":").split()) or NO_STACK
