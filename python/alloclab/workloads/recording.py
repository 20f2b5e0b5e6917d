# SPDX-License-Identifier: MIT
"""Records a workload again from scratch, and says how far the new counts are from the shipped."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alloclab.captures import seal
from alloclab.errors import Error, TraceError, UsageError
from alloclab.record import record
from alloclab.traces import Summary, Trace, open_trace
from alloclab.workloads.description import Workload
from alloclab.workloads.rewriting import MARKER, SPREAD_KEPT, rewritten, write_together
from alloclab.workloads.running import Job, check_ended_well, named, output_to, prepared

CALLS = ("events", "allocations", "frees", "reallocations", "requested_total_bytes")
PEAKS = ("peak_requested_live_bytes", "max_live_objects")
COUNTS = (*CALLS, *PEAKS)
"""What a recording made again is compared by; how threads meet decides peaks."""
SHIPPED_LEVEL = 19  # zstd's: recordings are shipped once and read often
TOLERANCE_RATIO = 0.001  # of a deterministic program's counts
MOST_BYTES = 4_000_000  # of a recording on the shelf


@dataclass(frozen=True)
class Difference:
    """One count of a recording beside the shipped one's."""

    name: str
    shipped: int
    recorded: int
    tolerance_ratio: float

    @property
    def ratio(self) -> float:
        """How far the new count is from the shipped one, as a share of it."""
        return abs(self.recorded - self.shipped) / max(self.shipped, 1)

    @property
    def is_within(self) -> bool:
        """Whether that is no more than the workload's tolerance."""
        return self.ratio <= self.tolerance_ratio


def record_workload(
    workload: Workload,
    destination: str | Path,
    *,
    level: int = 6,
    warn: Callable[[str], None] | None = None,
) -> Trace:
    """Records a workload's program into a trace at `destination`.

    Args:
        workload: what to record.
        destination: the trace to write.
        level: zstd's.
        warn: called with a line, the workload's name in front, for each thing that was not
            recorded as it should be.

    Raises:
        NotInstalled: packages are missing; the line that installs them is in the message.
        Error: the program failed, or left no trace.
    """
    with prepared(workload) as job:
        trace = recorded_trace(job, job.scratch / "recording", level=level, warn=warn)
        shutil.copyfile(trace.path, destination)
    return open_trace(destination)


def recorded_trace(
    job: Job,
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    level: int = 6,
    warn: Callable[[str], None] | None = None,
) -> Trace:
    """Records a prepared program into a folder; returns the trace that is meant.

    Args:
        job: where it runs; it may be run again and again.
        folder: receives the traces of all programs it starts.
        environment: what to set beyond the job's own, an LD_PRELOAD for instance.
        options: of `record`; those of the workload where none are given.
        level, warn: as for `record_workload`.

    Raises:
        Error: the program failed, or left no trace.
    """
    workload = job.workload
    with named(workload), output_to(job.log):
        left = record(
            job.command,
            output=folder,
            cwd=job.scratch,
            env={**job.environment, **(environment or {})},
            seal=False,
            **(workload.recording if options is None else options),
        )
    _pass_on(workload, left.warnings, warn)
    check_ended_well(job, left.returncode)
    with named(workload):
        traces = seal(folder, level=level)
    _pass_on(workload, traces.warnings, warn)
    return trace_of(workload, traces)


def _pass_on(
    workload: Workload, warnings: Iterable[str], warn: Callable[[str], None] | None
) -> None:
    if warn is not None:
        for line in warnings:
            warn(f"{workload.name}: {line}")


def trace_of(workload: Workload, traces: Iterable[Trace]) -> Trace:
    """Returns the trace of the workload's program; the longest, where it started itself again.

    Raises:
        Error: there is none.
    """
    known = list(traces)
    meant = [trace for trace in known if trace.name == workload.image]
    if not meant:
        images = ", ".join(trace.name for trace in known) or "nothing"
        raise Error(f"{workload.name}: no trace of {workload.image}, only of {images}")
    return max(meant, key=len)


def differences(workload: Workload, summary: Mapping[str, int]) -> list[Difference]:
    """Returns how far a recording's counts are from the shipped recording's.

    A deterministic program's may be off by 0.1 %, but for its peaks where it has several threads.
    Those, and all counts of other programs, may be off by twice their measured spread, if that is
    more.
    """
    has_threads = workload.summary.get("threads", 1) > 1
    rows = []
    for name in COUNTS:
        if name in workload.summary:
            tolerance = TOLERANCE_RATIO
            if not workload.is_deterministic or (has_threads and name in PEAKS):
                tolerance = max(tolerance, 2 * workload.spread.get(name, 0.0))
            rows.append(Difference(name, workload.summary[name], summary[name], tolerance))
    return rows


def check_output(chosen: Iterable[Workload], folder: Path, repeats: int) -> dict[str, list[Path]]:
    """Returns where the traces of each workload go in a folder, which may not be there yet.

    Raises:
        UsageError: one of them is there, two would have one name, or the folder is the shelf.
    """
    found: dict[str, list[Path]] = {}
    taken: set[Path] = set()
    for each in chosen:
        if folder.resolve() == each.folder.resolve():
            raise UsageError(f"{folder}: it is the shelf; --write puts a recording there")
        found[each.name] = output_paths(each, folder, repeats)
        for path in found[each.name]:
            if path in taken or os.path.lexists(path):
                raise UsageError(f"will not overwrite {path}")
            taken.add(path)
    return found


def output_paths(workload: Workload, folder: Path, repeats: int) -> list[Path]:
    """Returns how the traces of a workload that is recorded some times are called in a folder."""
    ends = ["", *(f"-{number}" for number in range(1, repeats))]
    return [folder / f"{workload.name}{end}.alloctrace" for end in ends]


def ship(workload: Workload, trace: Path, others: list[Summary]) -> None:
    """Puts a trace on the shelf and writes what it holds into the workload's .toml.

    What is written there by hand stays. Both files are the new ones afterwards, or the old ones.

    Args:
        workload: where it belongs.
        trace: sealed at `SHIPPED_LEVEL`.
        others: summaries of further recordings, from which the spread is taken; without any, the
            spread stays what it was.

    Raises:
        UsageError: the .toml cannot be rewritten without losing what it says by hand.
        Error: the trace is larger than a shelf takes, or the shelf cannot be written.
    """
    content = trace.read_bytes()
    if len(content) > MOST_BYTES:
        raise Error(f"{workload.name}: {len(content):,} bytes are more than {MOST_BYTES:,}")
    lines = _measured_lines(workload, content, open_trace(trace).summary(), others)
    text = rewritten(workload.toml_path, lines)
    try:
        write_together({workload.trace_path: content, workload.toml_path: text.encode("utf-8")})
    except OSError as error:
        raise Error(f"{workload.name}: the shelf stays as it was: {error}") from None


def _measured_lines(
    workload: Workload, content: bytes, summary: Summary, others: list[Summary]
) -> list[str]:
    """The tables of a .toml that are not by hand."""
    lines = [
        MARKER,
        "[trace]",
        f"file = {json.dumps(workload.trace_path.name, ensure_ascii=False)}",
        f"bytes = {len(content)}",
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
        "",
        "[summary]",
        *(f"{key} = {value}" for key, value in summary.items()),
    ]
    spread = dict(workload.spread)
    of = SPREAD_KEPT
    if others:
        of = f"# How far {len(others)} further recordings were off at most."
        for name in COUNTS:
            off = max(abs(each[name] - summary[name]) for each in others)
            spread[name] = off / max(summary[name], 1)
    if spread:
        lines += ["", of, "[spread]"]
        lines += [f"{name} = {ratio:.6f}" for name, ratio in spread.items()]
    return lines


def verify(workload: Workload) -> list[str]:
    """Returns what is wrong with a shipped recording: nothing, when it is the one described.

    Cost: hashes and decodes the whole trace.
    """
    if not workload.trace_path.is_file():
        return [f"{workload.trace_path.name} is missing"]
    wrong = []
    digest = hashlib.sha256(workload.trace_path.read_bytes()).hexdigest()
    if digest != workload.trace.get("sha256"):
        wrong.append("its bytes are not those that were shipped")
    try:
        return [*wrong, *_miscounted(workload)]
    except TraceError as error:
        return [*wrong, str(error)]


def _miscounted(workload: Workload) -> Iterator[str]:
    trace = workload.open()
    summary = trace.summary()
    said = dict.fromkeys(summary, 0) | dict(workload.summary)
    for name in summary:
        if summary[name] != said[name]:
            yield f"{name} is {summary[name]}, not {said[name]}"
    if sum(map(len, trace.chunks())) != summary["events"]:
        yield "its chunks do not add up to its events"
