# SPDX-License-Identifier: MIT
"""Replays one trace under one allocator, in fresh children, and returns the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from alloclab.allocators import Allocator
from alloclab.errors import NotMeasured, UsageError
from alloclab.replay.child import DEFAULT_TIMEOUT_S, Order, Progress
from alloclab.replay.metric import Metric
from alloclab.replay.metrics import METRICS
from alloclab.replay.parts import Parts, Timeline, timeline_of
from alloclab.replay.run import Figure, Run
from alloclab.replay.subject import NULL_REPLAY, NullReplay, Subject, default_cpu
from alloclab.trace_path import WorkloadPath, path_of

__all__ = [
    "MEASURES",
    "METRICS",
    "ORDERS",
    "ORDER_MEASURES",
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
ORDERS = ("exact", "parallel")
# Usable sizes are summed over all blocks in one order: of all, or of none.
ORDER_MEASURES = {
    "exact": ("time", "timeline", "blocks"),
    "parallel": ("time", "timeline"),
}


class TracePath(Protocol):
    """What replaying needs of a trace."""

    @property
    def path(self) -> str | Path: ...


def order_template(
    trace: TracePath | WorkloadPath | str | os.PathLike[str],
    *,
    touch: str = "recorded",
    mapped: bool = False,
    cpu: int | None = None,
    stop_after: int | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
    order: str = "exact",
    max_distance: int | None = None,
) -> Order:
    """Returns what every child of a run shares, checked.

    Raises:
        UsageError: an unknown touch or order, a processor this process may not use, no such trace,
            a processor or a distance in the order that has none.
    """
    _check_order(order, cpu, max_distance)
    path = path_of(trace).absolute()
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
        cpu=default_cpu() if cpu is None and order == "exact" else cpu,
        stop_after=stop_after,
        timeout_s=timeout,
        order=order,
        max_distance=max_distance,
    )


def _check_order(order: str, cpu: int | None, max_distance: int | None) -> None:
    _measures_of(order)
    if order == "parallel" and cpu is not None:
        raise UsageError("parallel order runs on every processor this process may use, not on one")
    if order == "exact" and max_distance is not None:
        raise UsageError("a distance between threads is for parallel order")
    if max_distance is not None and not 0 <= max_distance < 1 << 63:
        raise UsageError(f"threads are 0 or more events apart, not {max_distance}")


def replay(
    trace: TracePath | WorkloadPath | str | os.PathLike[str],
    allocator: Allocator,
    *,
    measure: str | Sequence[str] | None = None,
    touch: str = "recorded",
    mapped: bool = False,
    cpu: int | None = None,
    repeats: int = 1,
    stop_after: int | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
    order: str = "exact",
    max_distance: int | None = None,
    progress: Progress | None = None,
    ended: Callable[[], None] | None = None,
) -> Run:
    """Replays a trace under one allocator and returns the run.

    Args:
        trace: a trace, its path, or a workload of the shelf.
        allocator: the spec.
        measure: what to take: "time" (and peak footprint), "timeline", "blocks" (usable sizes),
            "check" (blocks stamped at allocation and checked at free; nothing timed). By default
            the first three; in parallel order "blocks" cannot be had.
        touch: "recorded" touches what the program touched; "page" a byte a page, "none", "all".
        mapped: map and touch the regions the program mapped itself, too.
        cpu: the processor to pin to.
        repeats: how many timed children; the other measurements are taken once.
        stop_after: replay only so many events.
        timeout: seconds a child may take.
        order: "exact" is the recorded order of all events on one thread; "parallel" replays each
            recorded thread on one of its own, together where an object crosses threads.
        max_distance: in parallel order, how many events threads may be apart (262,144).
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
    plan = _plan(allocator, measure, repeats, order)
    template = order_template(
        trace,
        touch=touch,
        mapped=mapped,
        cpu=cpu,
        stop_after=stop_after,
        timeout=timeout,
        order=order,
        max_distance=max_distance,
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


def child_count(
    allocator: Allocator,
    measure: str | Sequence[str] | None,
    repeats: int = 1,
    order: str = "exact",
) -> int:
    """Returns how many children `replay` runs for the same arguments.

    Raises:
        UsageError: an unknown measurement, or none.
    """
    return len(_plan(allocator, measure, repeats, order))


def _measures_of(order: str) -> tuple[str, ...]:
    """Returns what is measured in an order unless one says otherwise; refuses an unknown one."""
    if order not in ORDERS:
        raise UsageError(f"unknown order {order!r}: known are {', '.join(ORDERS)}")
    return ORDER_MEASURES[order]


def _is_malloc(allocator: Allocator) -> bool:
    """Whether it can stand in for malloc; then its kernel for one thread is of no use to many."""
    try:
        allocator.launch()
    except NotMeasured:
        return False
    return True


def _plan(
    allocator: Allocator, measure: str | Sequence[str] | None, repeats: int, order: str
) -> list[tuple[str, str]]:
    """Returns each child as (null, face or kernel; what it measures), in order."""
    if measure is None:
        measure = _measures_of(order)
    wanted = [measure] if isinstance(measure, str) else list(measure)
    for each in wanted:
        if each not in MEASURES:
            raise UsageError(f"unknown measurement {each!r}: known are {', '.join(MEASURES)}")
    if not wanted or repeats < 1:
        raise UsageError("nothing to measure: name a measurement, and at least one repeat")
    has_kernel = allocator.kernel() is not None and (order == "exact" or not _is_malloc(allocator))
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
