# SPDX-License-Identifier: MIT
"""Every metric by its one name: its unit, where it comes from, and how it is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alloclab.errors import NotMeasured
from alloclab.replay.fragmentation import external, internal, johnstone_wilson, realized
from alloclab.replay.metric import Metric
from alloclab.replay.parallel import PARALLEL_METRICS
from alloclab.replay.parts import Parts, ratio

# Below this a batch is nothing but its own jitter.
SHORTEST_BATCH_NS = 100_000


def _field(part: str, name: str) -> Callable[[Parts], list[int]]:
    def compute(parts: Parts) -> list[int]:
        value = parts.one(part).get(name)
        if value is None:
            raise NotMeasured(f"the child gave no {name}")
        return [int(value)]

    return compute


def _count(name: str) -> Callable[[Parts], list[int]]:
    """A count that any part knows: of the first part there is."""

    def compute(parts: Parts) -> list[int]:
        for part in ("blocks", "timeline", "time", "check", "kernel"):
            if parts.answers.get(part) and name in parts.one(part):
                return [int(parts.one(part)[name])]
        return [int(parts.one("time")[name])]

    return compute


def _statistic(name: str) -> Callable[[Parts], list[int]]:
    def compute(parts: Parts) -> list[int]:
        statistics_ = parts.one("kernel").get("stats") or {}
        if name not in statistics_:
            raise NotMeasured(f"the allocator does not tell its {name}")
        return [int(statistics_[name])]

    return compute


def _peak_footprint(parts: Parts) -> list[float]:
    """The kernel's mark of each timed replay, or the samples' where the mark lags behind them."""
    start = parts.start_bytes()
    sampled = parts.answers.get("timeline", ())
    peaks = [_anonymous_peak(answer) for answer in parts.footprint_answers()]
    floor = max((_anonymous_peak(answer) for answer in sampled), default=0)
    # Two children's starts differ by a page or two, so that of an empty heap is no less than none.
    return [max(max(peak, floor) - start, 0.0) for peak in peaks]


def _anonymous_peak(answer: Mapping[str, Any]) -> int:
    peak = answer.get("anonymous_peak_bytes")
    if peak is None:
        raise NotMeasured(answer.get("anonymous_peak_reason") or "the child gave no peak")
    return int(peak)


def _page_faults(parts: Parts) -> list[int]:
    return [int(answer["page_faults"]) for answer in parts.footprint_answers()]


def _batches_ns(parts: Parts, part: str, path: str = "malloc") -> list[float]:
    """CPU time an event, less that of the null replay of the same round."""
    pairs = list(zip(parts.all(part), parts.all("null"), strict=False))
    times = []
    for answer, null in pairs:
        if answer["measure"] != "time":
            raise NotMeasured(parts.declined.get("time", "time was not measured"))
        if answer["call_path"] != path:
            taken = str(answer["call_path"]).replace("_", "-")
            reason = "it cannot serve malloc" if path == "malloc" else f"it has no {path} kernel"
            raise NotMeasured(f"{reason}: only its {taken} path runs")
        batch_ns = answer["cpu_ns"] - null["cpu_ns"]
        if batch_ns < SHORTEST_BATCH_NS:
            raise NotMeasured(f"too short to time: {max(batch_ns, 0) / 1000:.0f} us above the null")
        times.append(ratio(batch_ns, answer["replayed_events"], "the count of events"))
    return times


def _null_ns(parts: Parts) -> list[float]:
    return [
        ratio(answer["cpu_ns"], answer["replayed_events"], "the count of events")
        for answer in parts.all("null")
    ]


def _of_any(name: str, unit: str, meaning: str) -> Metric:
    return Metric(unit, True, _count(name), meaning)


def _of_part(part: str, name: str, unit: str, meaning: str) -> Metric:
    return Metric(unit, True, _field(part, name), meaning, part)


def _of_stats(name: str, is_deterministic: bool, meaning: str) -> Metric:
    return Metric("bytes", is_deterministic, _statistic(name), meaning, "kernel")


def _of_timeline(
    compute: Callable[[Parts], list[float]], meaning: str, unit: str = "ratio"
) -> Metric:
    return Metric(unit, False, compute, meaning, "timeline", "exact")


def _johnstone_wilson(which: int, meaning: str) -> Metric:
    return _of_timeline(johnstone_wilson(which), meaning, "factor")


METRICS: dict[str, Metric] = {
    "events": _of_any("events", "events", "events of the trace"),
    "replayed_events": _of_any("replayed_events", "events", "calls to the allocator replayed"),
    "failed_allocations": _of_any("failed_allocations", "requests", "requests it refused"),
    "failed_bytes": _of_any("failed_bytes", "bytes", "bytes it refused"),
    "peak_requested_live_bytes": _of_any(
        "peak_requested_live_bytes", "bytes", "most bytes live, as requested"
    ),
    "peak_requested_event": _of_any(
        "peak_requested_event", "event", "the event at which most was live"
    ),
    "peak_touched_live_bytes": _of_any(
        "peak_touched_live_bytes", "bytes", "most bytes live and touched"
    ),
    "peak_block_live_bytes": _of_part(
        "blocks", "peak_block_live_bytes", "bytes", "most bytes live, as usable sizes"
    ),
    "block_live_bytes_at_peak_requested": _of_part(
        "blocks",
        "block_live_bytes_at_peak_requested",
        "bytes",
        "usable bytes live when most were requested",
    ),
    "block_bytes_total": _of_part(
        "blocks", "block_bytes_total", "bytes", "usable bytes handed out in all"
    ),
    "internal_fragmentation_ratio": Metric(
        "ratio", True, internal, "1 - requested live / block live, at peak requested", "blocks"
    ),
    "checked_blocks": _of_part("check", "checked_blocks", "blocks", "blocks whose stamp was read"),
    "damaged_blocks": _of_part("check", "damaged_blocks", "blocks", "blocks whose stamp was lost"),
    "misaligned_blocks": _of_part(
        "check", "misaligned_blocks", "blocks", "blocks not aligned as was asked"
    ),
    "peak_footprint_bytes": Metric(
        "bytes",
        False,
        _peak_footprint,
        "most resident anonymous memory above the start",
        "footprint",
    ),
    "page_faults": Metric(
        "faults", False, _page_faults, "page faults during the replay", "footprint"
    ),
    "external_fragmentation_ratio": _of_timeline(
        external, "1 - touched block live / footprint, at peak footprint"
    ),
    "realized_fragmentation_ratio": _of_timeline(
        realized, "footprint at its peak / touched live then - 1"
    ),
    "johnstone_wilson_1": _johnstone_wilson(1, "average of footprint / live, over bytes allocated"),
    "johnstone_wilson_2": _johnstone_wilson(2, "footprint at peak live / peak live"),
    "johnstone_wilson_3": _johnstone_wilson(3, "peak footprint / live at that point"),
    "johnstone_wilson_4": _johnstone_wilson(4, "peak footprint / peak live"),
    "ns_per_event": Metric(
        "ns",
        False,
        lambda parts: _batches_ns(parts, "time"),
        "CPU time a call, less the null replay's",
        "time",
        "exact",
    ),
    "events_per_s": Metric(
        "1/s",
        False,
        lambda parts: [1e9 / each for each in _batches_ns(parts, "time")],
        "calls a second of CPU time, less the null replay's",
        "time",
        "exact",
    ),
    "null_ns_per_event": Metric(
        "ns", False, _null_ns, "CPU time of the null replay", "null", "exact"
    ),
    "templated_ns_per_event": Metric(
        "ns",
        False,
        lambda parts: _batches_ns(parts, "kernel", "templated"),
        "the same through the templated, sized kernel: not comparable with malloc's",
        "kernel",
        "exact",
    ),
    "type_erased_ns_per_event": Metric(
        "ns",
        False,
        lambda parts: _batches_ns(parts, "kernel", "type_erased"),
        "the same of a composed stack, through indirect calls: not comparable with malloc's",
        "kernel",
        "exact",
    ),
    **PARALLEL_METRICS,
    "reserved_bytes": _of_stats("reserved_bytes", True, "mapped at the end"),
    # What free memory goes back after a while depends on how fast the replay was.
    "committed_bytes": _of_stats("committed_bytes", False, "mapped and backed at the end"),
}
