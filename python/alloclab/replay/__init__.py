# SPDX-License-Identifier: MIT
"""Replays one trace under one allocator, in fresh children, and returns the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from alloclab.allocators import Allocator
from alloclab.errors import UsageError
from alloclab.replay.child import DEFAULT_TIMEOUT_S, Order, Progress
from alloclab.replay.metrics import METRICS, Metric
from alloclab.replay.parts import Parts, Timeline, timeline_of
from alloclab.replay.run import Figure, Run
from alloclab.replay.subject import NULL_REPLAY, NullReplay, Subject, default_cpu

__all__ = [
    "MEASURES",
    "METRICS",
    "Figure",
    "Metric",
    "NullReplay",
    "Order",
    "Parts",
    "Progress",
    "Run",
    "Subject",
    "Timeline",
    "TracePath",
    "child_count",
    "order_template",
    "replay",
    "timeline_of",
]

MEASURES = ("time", "timeline", "blocks", "check")
TOUCHES = ("recorded", "page", "none", "all")


class TracePath(Protocol):
    """What replaying needs of a trace."""

    @property
    def path(self) -> str | Path: ...


def order_template(
    trace: TracePath | str | os.PathLike[str],
    *,
    touch: str = "recorded",
    mapped: bool = False,
    cpu: int | None = None,
    stop_after: int | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
) -> Order:
    """Returns what every child of a run shares, checked.

    Raises:
        UsageError: an unknown touch, a processor this process may not use, no such trace.
    """
    path = Path(trace if isinstance(trace, str | os.PathLike) else trace.path).absolute()
    if not path.is_file():
        raise UsageError(f"{path}: no such trace")
    if touch not in TOUCHES:
        raise UsageError(f"unknown touch {touch!r}: known are {', '.join(TOUCHES)}")
    if cpu is not None and cpu not in os.sched_getaffinity(0):
        raise UsageError(f"processor {cpu} is not one this process may use")
    return Order(
        trace=path,
        launch=NULL_REPLAY,
        measure="time",
        touch=touch,
        mapped=mapped,
        cpu=default_cpu() if cpu is None else cpu,
        stop_after=stop_after,
        timeout_s=timeout,
    )


def replay(
    trace: TracePath | str | os.PathLike[str],
    allocator: Allocator,
    *,
    measure: str | Sequence[str] = ("time", "timeline", "blocks"),
    touch: str = "recorded",
    mapped: bool = False,
    cpu: int | None = None,
    repeats: int = 1,
    stop_after: int | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
    progress: Progress | None = None,
    ended: Callable[[], None] | None = None,
) -> Run:
    """Replays a trace under one allocator and returns the run.

    Args:
        trace: a trace, or its path.
        allocator: the spec.
        measure: what to take: "time" (and peak footprint), "timeline", "blocks" (usable sizes),
            "check" (blocks stamped at allocation and checked at free; nothing timed).
        touch: "recorded" touches what the program touched; "page" a byte a page, "none", "all".
        mapped: map and touch the regions the program mapped itself, too.
        cpu: the processor to pin to.
        repeats: how many timed children; the other measurements are taken once.
        stop_after: replay only so many events.
        timeout: seconds a child may take.
        progress: called with (events done, events in all) of the child at work.
        ended: called after each child; there are `child_count(...)` of them.

    Raises:
        NotInstalled, UsageError: the allocator cannot be had.
        TraceError: the trace is damaged.
        ChildFailed: the allocator's child died.

    Example:
        >>> run = al.replay(trace, al.Jemalloc(narenas=1))  # doctest: +SKIP
        >>> run["peak_footprint_bytes"]  # doctest: +SKIP
    """
    plan = _plan(allocator, measure, repeats)
    template = order_template(
        trace, touch=touch, mapped=mapped, cpu=cpu, stop_after=stop_after, timeout=timeout
    )
    subject, null = Subject(allocator, template), NullReplay(template)
    for path, each in plan:
        # A timed child tells no progress: that would be timed, too.
        told = None if each == "time" else progress
        if path == "null":
            null.measure()
        elif path == "kernel":
            subject.measure_kernel(each, told)
        else:
            subject.measure(each, told)
        if ended is not None:
            ended()
    if subject.failure is not None:
        raise subject.refusal or subject.failure
    return subject.run(null)


def child_count(allocator: Allocator, measure: str | Sequence[str], repeats: int = 1) -> int:
    """Returns how many children `replay` runs for the same arguments.

    Raises:
        UsageError: an unknown measurement, or none.
    """
    return len(_plan(allocator, measure, repeats))


def _plan(
    allocator: Allocator, measure: str | Sequence[str], repeats: int
) -> list[tuple[str, str]]:
    """Returns each child as (null, face or kernel; what it measures), in order."""
    wanted = [measure] if isinstance(measure, str) else list(measure)
    for each in wanted:
        if each not in MEASURES:
            raise UsageError(f"unknown measurement {each!r}: known are {', '.join(MEASURES)}")
    if not wanted or repeats < 1:
        raise UsageError("nothing to measure: name a measurement, and at least one repeat")
    has_kernel = allocator.kernel() is not None
    plan: list[tuple[str, str]] = []
    untimed = [each for each in wanted if each != "time"]
    if "time" in wanted:
        kernel = [("kernel", "time")] if has_kernel else []
        plan += [("null", "time"), ("face", "time"), *kernel] * repeats
    elif "timeline" in wanted:
        plan.append(("null", "time"))
    plan += [("face", each) for each in untimed]
    if has_kernel and "time" not in wanted:
        # For what the lab's own allocators say of themselves; any measurement tells it.
        plan.append(("kernel", untimed[-1]))
    return plan
