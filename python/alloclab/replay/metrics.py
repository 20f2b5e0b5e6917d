# SPDX-License-Identifier: MIT
"""Every metric by its one name, and how it is computed from the children's answers.

Live means touched live wherever a ratio over footprint is formed: what a program never touched
costs nothing, whatever it asked for. Ratios that need an instant use the timeline's samples; the
four measures are those of Johnstone and Wilson, "The Memory Fragmentation Problem: Solved?"
(ISMM 1998), with averages over bytes allocated.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.errors import NotMeasured

# Below this a batch is nothing but its own jitter.
SHORTEST_BATCH_NS = 100_000

Column = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """The answers of a run, asked for by part; a part that is not there says why."""

    answers: Mapping[str, tuple[dict[str, Any], ...]]
    declined: Mapping[str, str]

    def all(self, part: str) -> tuple[dict[str, Any], ...]:
        answers = self.answers.get(part, ())
        if not answers:
            raise NotMeasured(self.declined.get(part, f"{part} was not measured"))
        return answers

    def one(self, part: str) -> dict[str, Any]:
        return self.all(part)[0]

    def footprint_answers(self) -> tuple[dict[str, Any], ...]:
        """The answers footprints are taken from: the timed ones, or else the timeline's."""
        return self.answers.get("time") or self.answers.get("timeline") or self.all("time")

    def start_bytes(self) -> float:
        """Resident anonymous memory of a child without an allocator under test."""
        return statistics.median(
            float(answer["anonymous_start_bytes"]) for answer in self.all("null")
        )


@dataclass(frozen=True)
class Metric:
    """A metric: its unit, whether a repeat must give it to the bit, and how it is computed.

    `needs_kernel` marks what only the lab's own allocators have.
    """

    unit: str
    is_deterministic: bool
    compute: Callable[[Parts], list[float] | list[int]]
    meaning: str
    needs_kernel: bool = False

    def samples(self, parts: Parts) -> list[float] | list[int]:
        return self.compute(parts)


@dataclass(frozen=True)
class Timeline:
    """The sampled columns of a run, footprint already above the start."""

    event: Column
    requested_live_bytes: Column
    touched_live_bytes: Column
    allocated_bytes: Column
    footprint_bytes: Column


def timeline_of(parts: Parts) -> Timeline:
    """Returns the timeline of a run; raises NotMeasured where none was taken."""
    columns = parts.one("timeline")["timeline"]
    read = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    if read["event"].size == 0:
        raise NotMeasured("the trace has no events")
    return Timeline(
        read["event"],
        read["requested_live_bytes"],
        read["touched_live_bytes"],
        read["allocated_bytes"],
        read["anonymous_bytes"] - parts.start_bytes(),
    )


def _ratio(over: float, under: float, what: str) -> float:
    if under <= 0:
        raise NotMeasured(f"{what} is {under:g}")
    return float(over) / float(under)


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
    start = parts.start_bytes()
    answers = parts.footprint_answers()
    for answer in answers:
        if answer.get("anonymous_peak_bytes") is None:
            raise NotMeasured(answer.get("anonymous_peak_reason") or "the child gave no peak")
    return [answer["anonymous_peak_bytes"] - start for answer in answers]


def _page_faults(parts: Parts) -> list[int]:
    return [int(answer["page_faults"]) for answer in parts.footprint_answers()]


def _batches_ns(parts: Parts, part: str) -> list[float]:
    """CPU time an event, less that of the null replay of the same round."""
    pairs = list(zip(parts.all(part), parts.all("null"), strict=False))
    times = []
    for answer, null in pairs:
        if answer["measure"] != "time":
            raise NotMeasured(parts.declined.get("time", "time was not measured"))
        if (answer["call_path"] == "templated") != (part == "kernel"):
            raise NotMeasured("it cannot serve malloc: only its templated path runs")
        batch_ns = answer["cpu_ns"] - null["cpu_ns"]
        if batch_ns < SHORTEST_BATCH_NS:
            raise NotMeasured(f"too short to time: {max(batch_ns, 0) / 1000:.0f} us above the null")
        times.append(_ratio(batch_ns, answer["replayed_events"], "the count of events"))
    return times


def _null_ns(parts: Parts) -> list[float]:
    return [
        _ratio(answer["cpu_ns"], answer["replayed_events"], "the count of events")
        for answer in parts.all("null")
    ]


def _internal(parts: Parts) -> list[float]:
    blocks = parts.one("blocks")
    requested, held = (
        blocks["peak_requested_live_bytes"],
        blocks["block_live_bytes_at_peak_requested"],
    )
    return [1 - _ratio(requested, held, "the block bytes at peak requested")]


def _external(parts: Parts) -> list[float]:
    line = timeline_of(parts)
    peak = int(np.argmax(line.footprint_bytes))
    touched = _touched_blocks(parts, line)[peak]
    return [1 - _ratio(touched, line.footprint_bytes[peak], "the peak footprint")]


def _touched_blocks(parts: Parts, line: Timeline) -> Column:
    """Touched live in blocks, size classes included, at the timeline's events."""
    columns = parts.one("blocks").get("timeline")
    if not columns or "block_live_bytes" not in columns:
        raise NotMeasured("block sizes were not sampled over time")
    blocks = np.interp(line.event, columns["event"], columns["block_live_bytes"])
    untouched = line.requested_live_bytes - line.touched_live_bytes
    return np.asarray(np.maximum(blocks - untouched, 0.0))


def _realized(parts: Parts) -> list[float]:
    line = timeline_of(parts)
    peak = int(np.argmax(line.footprint_bytes))
    live = line.touched_live_bytes[peak]
    return [_ratio(line.footprint_bytes[peak], live, "touched live at peak footprint") - 1]


def _johnstone_wilson(which: int) -> Callable[[Parts], list[float]]:
    def compute(parts: Parts) -> list[float]:
        line = timeline_of(parts)
        footprint, live = line.footprint_bytes, line.touched_live_bytes
        if which == 1:
            return [_average_over_allocated(line)]
        at_live, at_footprint = int(np.argmax(live)), int(np.argmax(footprint))
        over, under = {
            2: (footprint[at_live], live[at_live]),
            3: (footprint[at_footprint], live[at_footprint]),
            4: (footprint[at_footprint], live[at_live]),
        }[which]
        return [_ratio(over, under, "touched live")]

    return compute


def _average_over_allocated(line: Timeline) -> float:
    """Average of footprint over live; a sample stands for the bytes allocated since the last."""
    weights = np.diff(line.allocated_bytes, prepend=0.0)
    counted = (line.touched_live_bytes > 0) & (weights > 0)
    if not counted.any():
        raise NotMeasured("nothing was live at any sample")
    ratios = line.footprint_bytes[counted] / line.touched_live_bytes[counted]
    return float(np.average(ratios, weights=weights[counted]))


METRICS: dict[str, Metric] = {
    "events": Metric("events", True, _count("events"), "events of the trace"),
    "replayed_events": Metric("events", True, _count("replayed_events"), "events replayed"),
    "failed_allocations": Metric(
        "requests", True, _count("failed_allocations"), "requests the allocator refused"
    ),
    "failed_bytes": Metric("bytes", True, _count("failed_bytes"), "bytes it refused"),
    "peak_requested_live_bytes": Metric(
        "bytes", True, _count("peak_requested_live_bytes"), "most bytes live, as requested"
    ),
    "peak_requested_event": Metric(
        "event", True, _count("peak_requested_event"), "the event after which most was live"
    ),
    "peak_touched_live_bytes": Metric(
        "bytes", True, _count("peak_touched_live_bytes"), "most bytes live and touched"
    ),
    "peak_block_live_bytes": Metric(
        "bytes", True, _field("blocks", "peak_block_live_bytes"), "most bytes live, as usable sizes"
    ),
    "block_live_bytes_at_peak_requested": Metric(
        "bytes",
        True,
        _field("blocks", "block_live_bytes_at_peak_requested"),
        "usable bytes live when most were requested",
    ),
    "block_bytes_total": Metric(
        "bytes", True, _field("blocks", "block_bytes_total"), "usable bytes handed out in all"
    ),
    "internal_fragmentation_ratio": Metric(
        "ratio", True, _internal, "1 - requested live / block live, at peak requested"
    ),
    "peak_footprint_bytes": Metric(
        "bytes", False, _peak_footprint, "most resident anonymous memory above the start"
    ),
    "external_fragmentation_ratio": Metric(
        "ratio", False, _external, "1 - touched block live / footprint, at peak footprint"
    ),
    "realized_fragmentation_ratio": Metric(
        "ratio", False, _realized, "footprint at its peak / touched live then - 1"
    ),
    "johnstone_wilson_1": Metric(
        "ratio", False, _johnstone_wilson(1), "average of footprint / live, over bytes allocated"
    ),
    "johnstone_wilson_2": Metric(
        "ratio", False, _johnstone_wilson(2), "footprint at peak live / peak live"
    ),
    "johnstone_wilson_3": Metric(
        "ratio", False, _johnstone_wilson(3), "peak footprint / live at that point"
    ),
    "johnstone_wilson_4": Metric(
        "ratio", False, _johnstone_wilson(4), "peak footprint / peak live"
    ),
    "page_faults": Metric("faults", False, _page_faults, "page faults during the replay"),
    "ns_per_event": Metric(
        "ns", False, lambda parts: _batches_ns(parts, "time"), "CPU time less the null replay's"
    ),
    "events_per_s": Metric(
        "1/s",
        False,
        lambda parts: [1e9 / each for each in _batches_ns(parts, "time")],
        "events a second of CPU time, less the null replay's",
    ),
    "null_ns_per_event": Metric("ns", False, _null_ns, "CPU time of the null replay"),
    "templated_ns_per_event": Metric(
        "ns",
        False,
        lambda parts: _batches_ns(parts, "kernel"),
        "the same through the templated, sized kernel: not comparable with malloc's",
        needs_kernel=True,
    ),
    "reserved_bytes": Metric(
        "bytes", True, _statistic("reserved_bytes"), "mapped at the end", needs_kernel=True
    ),
    "committed_bytes": Metric(
        "bytes",
        True,
        _statistic("committed_bytes"),
        "mapped and backed at the end",
        needs_kernel=True,
    ),
}
