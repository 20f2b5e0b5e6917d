# SPDX-License-Identifier: MIT
"""The metrics of parallel order: wall time as it passes, and what threads waited for.

Wall time is not set off against the null replay's: how long threads wait for each other depends on
how fast the allocator is. The null replay's stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alloclab.errors import NotMeasured
from alloclab.replay.metric import Metric
from alloclab.replay.parts import Parts, ratio

SHORTEST_WALL_NS = 1_000_000  # below this, starting the threads is most of it


def _answers(parts: Parts, part: str, path: str | None) -> list[dict[str, Any]]:
    answers = list(parts.all(part))
    for answer in answers:
        if answer["measure"] != "time":
            raise NotMeasured(parts.declined.get("time", "time was not measured"))
        if path is not None and answer["call_path"] != path:
            taken = str(answer["call_path"]).replace("_", "-")
            reason = "it cannot serve malloc" if path == "malloc" else f"it has no {path} kernel"
            raise NotMeasured(f"{reason}: only its {taken} path runs")
    return answers


def _wall_ns(part: str, path: str | None) -> Callable[[Parts], list[float]]:
    def compute(parts: Parts) -> list[float]:
        times = []
        for answer in _answers(parts, part, path):
            if part != "null" and answer["wall_ns"] < SHORTEST_WALL_NS:
                raise NotMeasured(f"too short to time: {answer['wall_ns'] / 1000:.0f} us")
            times.append(ratio(answer["wall_ns"], answer["replayed_events"], "the count of events"))
        return times

    return compute


def _events_per_s(parts: Parts) -> list[float]:
    return [1e9 / each for each in _wall_ns("time", "malloc")(parts)]


def _busy_processors(parts: Parts) -> list[float]:
    return [
        ratio(answer["cpu_ns"], answer["wall_ns"], "the wall time")
        for answer in _answers(parts, "time", None)
    ]


def _counted(name: str) -> Callable[[Parts], list[int]]:
    def compute(parts: Parts) -> list[int]:
        return [int(answer[name]) for answer in _answers(parts, "time", None)]

    return compute


def _order_wait_ratio(parts: Parts) -> list[float]:
    return [
        ratio(answer["order_wait_ns"], answer["wall_ns"] * answer["threads"], "the wall time")
        for answer in _answers(parts, "time", None)
    ]


def _parallelism(parts: Parts) -> list[float]:
    answer = parts.footprint_answers()[0]
    return [ratio(answer["ordered_ops"], answer["longest_chain_ops"], "the longest chain")]


def _of_time(unit: str, compute: Callable[[Parts], Any], meaning: str, part: str) -> Metric:
    return Metric(unit, False, compute, meaning, part, "parallel")


PARALLEL_METRICS: dict[str, Metric] = {
    "wall_ns_per_event": _of_time(
        "ns", _wall_ns("time", "malloc"), "wall time a call, all threads at work", "time"
    ),
    "wall_events_per_s": _of_time("1/s", _events_per_s, "calls a second of wall time", "time"),
    "null_wall_ns_per_event": _of_time(
        "ns", _wall_ns("null", None), "wall time of the null replay, not subtracted", "null"
    ),
    "type_erased_wall_ns_per_event": _of_time(
        "ns",
        _wall_ns("kernel", "type_erased"),
        "wall time a call of a composed stack: not comparable with malloc's",
        "kernel",
    ),
    "busy_processors": _of_time("factor", _busy_processors, "CPU time over wall time", "time"),
    "trace_parallelism": Metric(
        "factor",
        True,
        _parallelism,
        "events over the longest chain of events that must follow each other",
        "footprint",
        "parallel",
    ),
    "allocator_sleeps": _of_time(
        "sleeps",
        _counted("allocator_sleeps"),
        "times a thread slept within the allocator, or the kernel for it",
        "time",
    ),
    "order_waits": _of_time(
        "waits", _counted("order_waits"), "times a thread waited for another's event", "time"
    ),
    "order_sleeps": _of_time(
        "sleeps", _counted("order_sleeps"), "how many of those it slept through", "time"
    ),
    "order_wait_ratio": _of_time(
        "ratio", _order_wait_ratio, "share of all threads' wall time that was such waiting", "time"
    ),
}
