# SPDX-License-Identifier: MIT
"""Whether replay says of each malloc what really happens when the program runs under it.

For each malloc the program itself is run with it preloaded: recorded, for its peak of anonymous
memory, and bare, for its processor time. Beside it stands the replay of the shipped recording under
the same malloc, the program's own mappings included. What must agree is the difference to glibc.

A program of one thread is replayed in exact order. One of several is replayed in parallel order: a
malloc keeps memory for each thread, which a replay on one thread does not see.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alloclab.allocators import Allocator, Glibc, Jemalloc, Mimalloc, Tcmalloc
from alloclab.errors import Error, NotMeasured
from alloclab.replay import replay
from alloclab.results.fidelity import fault_bounds, judge
from alloclab.results.measure import Row as MeasuredRow
from alloclab.sweep import compare
from alloclab.units import format_bytes
from alloclab.workloads.description import Workload
from alloclab.workloads.program import bare_seconds, preloading, recorded_peak
from alloclab.workloads.running import prepared

MALLOCS: tuple[Allocator, ...] = (Glibc(), Jemalloc(), Mimalloc(), Tcmalloc())
LIMIT_RATIO = 0.05
"""How far the replayed difference to glibc may be from the real one, as a share of the peak."""


@dataclass(frozen=True)
class Row:
    """One malloc: what the program took under it, and what replay says it takes.

    Peaks are medians of anonymous bytes, processor seconds medians of user and system time of the
    whole command; `replayed_seconds` is what the replay spends in the allocator alone. `off_ratio`
    is how far the two differences to the first malloc are apart, over the program's peak under it.
    """

    malloc: str
    real_peak_bytes: float
    replayed_peak_bytes: float
    real_seconds: float
    replayed_seconds: float | None
    off_ratio: float


@dataclass(frozen=True)
class Validation:
    """All mallocs of one workload; the first row is glibc's, which the others are set against.

    `peak_ratio` and `faults_ratios` set the replay under the malloc that the program was recorded
    on over what the recorder saw of the program itself: its peak above data, bss and stack, and the
    bounds of its anonymous page faults, which the kernel counts together with those of files.
    Either is None, with `why_not`, where the recording does not tell.
    """

    workload: str
    is_deterministic: bool
    order: str
    rows: tuple[Row, ...]
    peak_ratio: float | None
    faults_ratios: tuple[float, float] | None
    why_not: str = ""

    @property
    def is_close(self) -> bool:
        """Whether every difference to glibc is within `LIMIT_RATIO` of the peak; of a program
        whose counts vary from run to run nothing is promised, and this is always so."""
        return not (self.is_deterministic and self._far)

    @property
    def _far(self) -> list[str]:
        """The mallocs whose difference to glibc is further off than the limit."""
        return [row.malloc for row in self.rows if not abs(row.off_ratio) <= LIMIT_RATIO]

    def verdict(self) -> str:
        """Returns one line: close, not close and for which mallocs, or not judged and why."""
        limit = f"{LIMIT_RATIO:.0%} of the peak"
        if not self.is_deterministic:
            return f"{self.workload}: not judged: its counts vary (is_deterministic is not set)"
        if self._far:
            return f"{self.workload}: apart by more than {limit}: {', '.join(self._far)}"
        return f"{self.workload}: within {limit}"

    def to_json(self) -> dict[str, Any]:
        """Returns the value as JSON has it; a bound that is unknown is null."""
        document = asdict(self)
        if self.faults_ratios is not None:
            bounds = self.faults_ratios
            document["faults_ratios"] = [each if each < math.inf else None for each in bounds]
        return document

    def table(self) -> str:
        """Returns the rows as a Markdown table with a line of what glibc's replay comes to."""
        base = self.rows[0]
        lines = [
            "| workload | malloc | program's peak | to glibc | replay's peak | to glibc "
            "| apart, of the peak | program saves | replay says |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for row in self.rows:
            saved = base.real_seconds - row.real_seconds
            says = "n/m"
            if base.replayed_seconds is not None and row.replayed_seconds is not None:
                says = f"{base.replayed_seconds - row.replayed_seconds:+.2f} s"
            lines.append(
                f"| {self.workload} | {row.malloc} | {format_bytes(row.real_peak_bytes)} "
                f"| {(row.real_peak_bytes - base.real_peak_bytes) / 1e6:+.2f} MB "
                f"| {format_bytes(row.replayed_peak_bytes)} "
                f"| {(row.replayed_peak_bytes - base.replayed_peak_bytes) / 1e6:+.2f} MB "
                f"| {row.off_ratio:+.1%} | {saved:+.2f} s of {base.real_seconds:.2f} | {says} |"
            )
        return "\n".join([*lines, self.fidelity()])

    def fidelity(self) -> str:
        """Returns one line: the replay under its own malloc against what the recorder saw."""
        if self.why_not:
            return f"{self.workload}, replay against the recorded program: n/m ({self.why_not})"
        peak = "n/m" if self.peak_ratio is None else f"{self.peak_ratio - 1:+.1%}"
        faults = "n/m"
        if self.faults_ratios is not None:
            low, high = self.faults_ratios
            faults = (
                f"{low - 1:+.1%} to {high - 1:+.1%}" if high < math.inf else f"{low - 1:+.1%} up"
            )
        return (
            f"{self.workload}, replay in {self.order} order against the recorded program: "
            f"peak {peak}, page faults {faults}"
        )


def validate(
    workload: Workload, mallocs: Sequence[Allocator] = MALLOCS, *, repeats: int = 3
) -> Validation:
    """Runs a workload's program under each malloc and replays its recording under the same.

    Args:
        workload: whose packages must be installed.
        mallocs: the first is what the others are set against.
        repeats: how often the program runs under each, interleaved: once recorded, once bare.

    Raises:
        UsageError: there is no recording to replay; nothing was run.
        NotInstalled: a package or a malloc is missing.
        Error: the program failed under one of them.
    """
    summary = workload.open().summary()
    peaks: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    with prepared(workload) as job:
        for repeat in range(repeats):
            for malloc in mallocs if repeat % 2 == 0 else tuple(reversed(mallocs)):
                environment = preloading(malloc)
                seconds.setdefault(str(malloc), []).append(bare_seconds(job, environment))
                peaks.setdefault(str(malloc), []).append(recorded_peak(job, environment))
    order = "exact" if summary["threads"] == 1 else "parallel"
    timed = compare(workload.trace_path, mallocs, repeats=repeats, progress=False)
    replayed = {str(malloc): _replayed_peak(workload, malloc, order, repeats) for malloc in mallocs}
    base = str(mallocs[0])
    base_peak = statistics.median(peaks[base])
    rows = []
    for malloc in mallocs:
        peak = statistics.median(peaks[str(malloc)])
        difference = replayed[str(malloc)] - replayed[base]
        rows.append(
            Row(
                malloc=str(malloc),
                real_peak_bytes=peak,
                replayed_peak_bytes=replayed[str(malloc)],
                real_seconds=statistics.median(seconds[str(malloc)]),
                replayed_seconds=_seconds(timed[malloc], summary["events"]),
                off_ratio=(difference - (peak - base_peak)) / base_peak,
            )
        )
    fidelity = _fidelity(workload, order)
    return Validation(workload.name, workload.is_deterministic, order, tuple(rows), *fidelity)


def _replayed_peak(workload: Workload, malloc: Allocator, order: str, repeats: int) -> float:
    """The replay's peak; in parallel order it varies, and is the median of some."""
    count = repeats if order == "parallel" else 1
    runs = [
        replay(workload.trace_path, malloc, measure=("timeline",), mapped=True, order=order)
        for _ in range(count)
    ]
    return statistics.median(float(run["peak_footprint_bytes"]) for run in runs)


def _seconds(row: MeasuredRow, events: int) -> float | None:
    try:
        return row["ns_per_event"] * events / 1e9
    except NotMeasured:
        return None


def _fidelity(
    workload: Workload, order: str
) -> tuple[float | None, tuple[float, float] | None, str]:
    """The replay under the malloc the program ran on, over what the recorder saw of it."""
    trace = workload.open()
    own = _own_malloc(str(trace.metadata.get("allocator", "")))
    run = replay(trace.path, own, mapped=True, order=order)
    static_bytes = float(trace.metadata.get("static_anonymous_bytes") or 0)
    try:
        footprint = trace.footprint()
        recorded = judge(footprint, run, static_bytes=static_bytes).recorded_peak_bytes
        low, high = fault_bounds(footprint)
        peak_ratio = float(run["peak_footprint_bytes"]) / recorded if recorded > 0 else None
        faults = float(run["page_faults"])
        ratios = (faults / high, faults / low if low > 0 else math.inf) if high > 0 else None
        return peak_ratio, ratios, ""
    except NotMeasured as reason:
        return None, None, str(reason)


def _own_malloc(library: str) -> Allocator:
    """The malloc of the recorded program, by the library that the recorder saw provide it."""
    name = Path(library).name
    for malloc in MALLOCS[1:]:
        if malloc.name in name:
            return malloc
    if name.startswith(("libc.so", "libc-")) or not name:
        return MALLOCS[0]
    raise Error(f"no allocator of the lab's is {library}, on which the program was recorded")
