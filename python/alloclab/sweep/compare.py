# SPDX-License-Identifier: MIT
"""compare(): the same trace under several allocators, in interleaved rounds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from alloclab.allocators import Allocator, Glibc
from alloclab.errors import NotInstalled, NotMeasured, UsageError
from alloclab.replay import (
    METRICS,
    ORDER_MEASURES,
    NullReplay,
    Order,
    Run,
    Subject,
    order_template,
)
from alloclab.replay.child import DEFAULT_TIMEOUT_S
from alloclab.results import Explained, Fidelity, Figure, Measure, Row, explain, fingerprint, judge
from alloclab.stats import mann_whitney_p, paired_ratio, summarise
from alloclab.sweep.comparison import Comparison
from alloclab.sweep.progress import ProgressBar
from alloclab.trace_path import WorkloadPath
from alloclab.traces import open_trace

RATIO_METRICS = (
    "peak_footprint_bytes",
    "ns_per_event",
    "templated_ns_per_event",
    "type_erased_ns_per_event",
    "wall_ns_per_event",
    "type_erased_wall_ns_per_event",
)
TESTED_METRICS = ("ns_per_event", "wall_ns_per_event")


@runtime_checkable
class RecordedTrace(Protocol):
    """What comparing needs of a trace."""

    @property
    def path(self) -> str | Path: ...

    @property
    def metadata(self) -> Mapping[str, Any]: ...

    def summary(self) -> Mapping[str, int]: ...

    def footprint(self) -> Mapping[str, Any]: ...


@dataclass
class _Entry:
    """An allocator that was named: under test, or why it could not be."""

    allocator: Allocator
    subject: Subject | None = None
    missing: str | None = None


def compare(
    trace: RecordedTrace | WorkloadPath | str | os.PathLike[str],
    allocators: Sequence[Allocator],
    *,
    baseline: Allocator | str | None = None,
    repeats: int = 5,
    touch: str = "recorded",
    mapped: bool = False,
    cpu: int | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
    order: str = "exact",
    max_distance: int | None = None,
    progress: bool = True,
) -> Comparison:
    """Replays a trace under each allocator and sets the figures side by side.

    Every round times the null replay and then each allocator, in an order that turns round every
    other time, so that what the machine does meanwhile falls on all alike. The timeline and the
    block sizes are taken once. A peer that is not installed is a row that says how to get it; a
    child that dies is a row that says of what.

    Args:
        trace: a trace, its path, or a workload of the shelf.
        allocators: the specs, each once.
        baseline: which of them ratios are to; the first glibc among them, or else the first.
        repeats: how many rounds are timed.
        touch: "recorded" touches what the program touched; "page" a byte a page, "none", "all".
        mapped: map and touch the regions the program mapped itself, too.
        cpu: the processor to pin to.
        timeout: seconds a child may take.
        order: "exact", or "parallel" (as for `replay`); every child of a comparison has the same.
        max_distance: in parallel order, how many events threads may be apart.
        progress: draw a bar on standard error, where that is a terminal.

    Raises:
        UsageError: no allocator, one named twice, an unknown baseline, a library that is not one.
        TraceError: the trace is damaged.

    Example:
        >>> comparison = al.compare(trace, [al.Glibc(), al.Pool()])  # doctest: +SKIP
        >>> print(comparison.table())  # doctest: +SKIP
    """
    _check_arguments(allocators, baseline, repeats)
    opened: RecordedTrace
    opened = trace if isinstance(trace, RecordedTrace) else open_trace(trace)
    template = order_template(
        opened,
        touch=touch,
        mapped=mapped,
        cpu=cpu,
        timeout=timeout,
        order=order,
        max_distance=max_distance,
    )
    entries = [_enter(allocator, template) for allocator in allocators]
    subjects = [entry.subject for entry in entries if entry.subject is not None]
    null = NullReplay(template)
    kernels = sum(subject.has_kernel for subject in subjects)
    observed = [each for each in ORDER_MEASURES[order] if each != "time"]
    steps = repeats * (1 + len(subjects) + kernels) + len(observed) * len(subjects) + 4
    with ProgressBar(steps, progress) as bar:
        _time(subjects, null, repeats, bar)
        _observe(subjects, observed, bar)
        explained, fidelity = _against_program(opened, template, null, bar)
    rows, chosen = _rows(entries, null, baseline)
    return Comparison(
        trace=Path(opened.path).name,
        summary=dict(opened.summary()),
        rows=rows,
        baseline=chosen,
        repeats=repeats,
        touch=touch,
        mapped=mapped,
        order=order,
        explained=explained,
        fidelity=fidelity,
        environment=fingerprint(allocators),
    )


def _check_arguments(
    allocators: Sequence[Allocator], baseline: Allocator | str | None, repeats: int
) -> None:
    labels = [str(allocator) for allocator in allocators]
    if not labels:
        raise UsageError("no allocator to compare")
    for label in labels:
        if labels.count(label) > 1:
            raise UsageError(f"{label} is named twice")
    if baseline is not None and str(baseline) not in labels:
        raise UsageError(f"the baseline {baseline} is not among {', '.join(labels)}")
    if repeats < 1:
        raise UsageError(f"at least one round is needed, not {repeats}")


def _enter(allocator: Allocator, template: Order) -> _Entry:
    try:
        return _Entry(allocator, Subject(allocator, template))
    except NotInstalled as error:
        return _Entry(allocator, missing=f"not installed: {error.how}")
    except NotMeasured as error:
        return _Entry(allocator, missing=f"not measured: {error.reason}")


def _time(subjects: list[Subject], null: NullReplay, repeats: int, bar: ProgressBar) -> None:
    for round_idx in range(repeats):
        suffix = f"round {round_idx + 1} of {repeats}"
        bar.begin(f"no allocator, {suffix}")
        null.measure()
        bar.end()
        for subject in subjects if round_idx % 2 == 0 else reversed(subjects):
            bar.begin(f"{subject.allocator}, {suffix}")
            subject.measure("time")
            bar.end()
            if subject.has_kernel:
                bar.begin(f"{subject.allocator} as a part, {suffix}")
                subject.measure_kernel("time")
                bar.end()


def _observe(subjects: list[Subject], measures: Sequence[str], bar: ProgressBar) -> None:
    words = {"timeline": "memory over time", "blocks": "block sizes"}
    for measure in measures:
        for subject in subjects:
            bar.begin(f"{subject.allocator}, {words[measure]}")
            subject.measure(measure, bar.within)
            bar.end()


def _against_program(
    trace: RecordedTrace, template: Order, null: NullReplay, bar: ProgressBar
) -> tuple[Explained | NotMeasured, Fidelity | NotMeasured]:
    """Replays under glibc with and without the program's own mappings, touched as recorded."""
    runs = []
    for is_mapped in (False, True):
        subject = Subject(Glibc(), replace(template, touch="recorded", mapped=is_mapped))
        for measure in ("time", "timeline"):
            bar.begin(f"{measure} against the recorded program")
            if measure == "timeline" or is_mapped:
                subject.measure(measure, bar.within if measure == "timeline" else None)
            bar.end()
        runs.append(subject.run(null))
    explained: Explained | NotMeasured
    fidelity: Fidelity | NotMeasured
    try:
        _check_ran_on_glibc(trace)
        footprint = trace.footprint()
        static_bytes = float(trace.metadata.get("static_anonymous_bytes") or 0)
        explained = explain(footprint, *runs, static_bytes=static_bytes)
    except NotMeasured as reason:
        return reason, reason
    try:
        fidelity = judge(footprint, runs[1], static_bytes=static_bytes)
    except NotMeasured as reason:
        fidelity = reason
    return explained, fidelity


def _check_ran_on_glibc(trace: RecordedTrace) -> None:
    """Refuses to set glibc's replay beside a program that ran on another allocator."""
    provider = trace.metadata.get("allocator")
    if isinstance(provider, str) and provider and not Path(provider).name.startswith("libc"):
        raise NotMeasured(f"the recorded program ran on {provider}, not on glibc's malloc")


def _rows(
    entries: Sequence[_Entry], null: NullReplay, baseline: Allocator | str | None
) -> tuple[tuple[Row, ...], str | None]:
    """Returns the rows, and the label of the one that ratios are to."""
    runs = [entry.subject.run(null) if entry.subject else None for entry in entries]
    base = _choose_baseline([run for run in runs if run and run.failure is None], baseline)
    rows = tuple(_row(entry, run, base) for entry, run in zip(entries, runs, strict=True))
    return rows, None if base is None else str(base.allocator)


def _choose_baseline(usable: Sequence[Run], named: Allocator | str | None) -> Run | None:
    if named is not None:
        return next((run for run in usable if str(run.allocator) == str(named)), None)
    glibc = [run for run in usable if isinstance(run.allocator, Glibc)]
    return next(iter(glibc or usable), None)


def _row(entry: _Entry, run: Run | None, base: Run | None) -> Row:
    if run is None or run.failure is not None:
        return Row(entry.allocator, run, entry.missing)
    figures: dict[str, Figure] = {}
    for name in run.metrics:
        try:
            figures[name] = _summary(name, run)
        except NotMeasured as reason:
            figures[name] = reason
    ratios, p_values = _relate(run, base)
    return Row(entry.allocator, run, None, figures, ratios, p_values)


def _summary(name: str, run: Run) -> Measure:
    samples = run.samples(name)
    if METRICS[name].is_deterministic:
        return Measure(samples[0], tuple(samples))
    return summarise(samples)


def _relate(run: Run, base: Run | None) -> tuple[dict[str, Figure], dict[str, float]]:
    """Returns the ratios to the baseline, and how likely chance alone makes the difference."""
    ratios: dict[str, Figure] = {}
    p_values: dict[str, float] = {}
    if base is None:
        return ratios, p_values
    for name in RATIO_METRICS:
        # The kernel's time is over the baseline's malloc: what a program gains by calling it.
        other = {
            "templated_ns_per_event": "ns_per_event",
            "type_erased_ns_per_event": "ns_per_event",
            "type_erased_wall_ns_per_event": "wall_ns_per_event",
        }.get(name, name)
        if name not in run.metrics:
            continue
        try:
            samples, reference = run.samples(name), base.samples(other)
            ratios[name] = paired_ratio(samples, reference)
        except NotMeasured as reason:
            ratios[name] = reason
            continue
        if name in TESTED_METRICS and run.allocator != base.allocator:
            p_values[name] = mann_whitney_p(samples, reference)
    return ratios, p_values
