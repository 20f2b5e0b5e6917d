# SPDX-License-Identifier: MIT
"""The verdict: does a deterministic replay still give exactly the figures that were committed?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from alloclab.errors import Error, NotMeasured
from alloclab.gate.baseline import Value, read_baseline, write_baseline
from alloclab.gate.compare import Tolerance, differences
from alloclab.replay import METRICS


class MeasuredRun(Protocol):
    """What a check needs of a run; `alloclab.Run` is one."""

    @property
    def metrics(self) -> Mapping[str, int | float | NotMeasured]:
        """Every figure of the run by its name in the design; a doubtful one says why instead."""


class VerdictFailed(Error, AssertionError):  # noqa: N818 - reads as a verdict
    """A run that is not what its baseline says. The message names each metric and the file."""


def check(
    run: MeasuredRun,
    baseline: str | Path,
    *,
    tolerances: Mapping[str, Tolerance] | None = None,
    update: bool = False,
) -> None:
    """Holds a run's exact figures against a committed file.

    What a repeat gives to the last digit on any machine is compared exactly: event counts,
    requested and block bytes, `internal_fragmentation_ratio`, what the lab's own allocators
    reserved. Any other metric, a footprint for instance, only when `tolerances` names it:

        alloclab.check(run, "baselines/pool.json", tolerances={"peak_footprint_bytes": 0.02})

    Args:
        tolerances: by metric, a share (0.02: 2 % either way) or a size ("64 KiB").
        update: write the file anew, and fail all the same, so that nobody passes by rewriting.
    Raises:
        VerdictFailed: a figure differs, either way; the file is missing; nothing was replayed; a
            figure that is to be compared could not be measured.
        UsageError: the file is no baseline, or a tolerance makes no sense.
    """
    path = Path(baseline)
    allowed = dict(tolerances or {})
    measured = _comparable(run, allowed)
    old = read_baseline(path)
    found = differences(measured if old is None else old, measured, allowed)
    if update:
        write_baseline(path, measured)
        raise VerdictFailed(_update_message(path, old is None, [str(item) for item in found]))
    if old is None:
        raise VerdictFailed(
            f"no baseline: {path} is missing\n"
            "write it with `pytest --alloclab-update`, read it, commit it"
        )
    if found:
        lines = [f"{len(found)} of {len({*old, *measured})} metrics differ from {path}"]
        lines += [f"  {item}" for item in found]
        raise VerdictFailed("\n".join(lines))


def _comparable(run: MeasuredRun, tolerances: Mapping[str, Tolerance]) -> dict[str, Value]:
    """Picks what is compared; refuses a run that measured nothing, or not what is asked."""
    metrics = run.metrics
    replayed = metrics.get("replayed_events", 0)
    if isinstance(replayed, NotMeasured) or replayed == 0:
        raise VerdictFailed("nothing was replayed: the run has 0 events, so it proves nothing")
    exact = {name for name, metric in METRICS.items() if metric.is_deterministic}
    wanted = [name for name in metrics if name in exact or name in tolerances]
    chosen: dict[str, Value] = {}
    doubtful = []
    for name in wanted:
        value = metrics[name]
        if isinstance(value, NotMeasured):
            doubtful.append(f"  {name}: not measured: {value.reason}")
        else:
            chosen[name] = value
    if doubtful:
        raise VerdictFailed("\n".join(["figures to compare could not be measured", *doubtful]))
    return chosen


def _update_message(path: Path, is_new: bool, changes: list[str]) -> str:
    if is_new:
        return f"baseline written: {path}\nread it, commit it, and run again without the option"
    if not changes:
        return f"baseline unchanged: {path}\nrun again without --alloclab-update"
    lines = [f"baseline rewritten: {path}", *(f"  {line}" for line in changes)]
    return "\n".join([*lines, "commit it with its reason, and run again without the option"])
