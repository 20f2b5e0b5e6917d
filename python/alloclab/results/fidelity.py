# SPDX-License-Identifier: MIT
"""What a comparison explains of the recorded program, and how near the replay comes to it.

Both stand beside every comparison: a replay that is far from the program, or that explains a small
share of its memory, says little about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.errors import NotMeasured
from alloclab.replay import Parts, Run, timeline_of
from alloclab.results.measure import Figure, Measure, figure_from_json, figure_to_json

PAGE_BYTES = 4096
# The kernel maps up to this many file pages around a fault, so a file's faults lie between.
FAULT_AROUND_PAGES = 16
# How far apart the bounds on the program's anonymous faults may be for their middle to be a figure.
FAULTS_BOUND_RATIO = 0.1

Columns = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Explained:
    """The recorded program's peak anonymous memory, and what it was made of at that event.

    recorded_peak = at_start + allocated + mapped + unexplained, in bytes; what was allocated and
    mapped is as resident in the replay under glibc. What was there at the start is the program's
    data, bss and stack, counted at its end: a program writes most of it after its first event.
    """

    recorded_peak_bytes: float
    at_start_bytes: float
    allocated_bytes: float
    mapped_bytes: float

    @property
    def unexplained_bytes(self) -> float:
        """What the trace does not account for; negative where the replay holds more."""
        known = self.at_start_bytes + self.allocated_bytes + self.mapped_bytes
        return self.recorded_peak_bytes - known

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Fidelity:
    """The replay under glibc, the program's own mappings included, against the program itself.

    Peaks are of anonymous memory above the program's data, bss and stack; faults are since its
    first event.
    """

    recorded_peak_bytes: float
    replayed_peak_bytes: Figure
    recorded_faults: Figure
    replayed_faults: Figure

    @property
    def peak_ratio(self) -> Figure:
        """Replayed peak over recorded peak; 1 is the truth."""
        return _over(self.replayed_peak_bytes, Measure(self.recorded_peak_bytes))

    @property
    def faults_ratio(self) -> Figure:
        """Replayed page faults over recorded ones; 1 is the truth."""
        return _over(self.replayed_faults, self.recorded_faults)

    def to_json(self) -> dict[str, Any]:
        return {
            "recorded_peak_bytes": self.recorded_peak_bytes,
            "replayed_peak_bytes": figure_to_json(self.replayed_peak_bytes),
            "recorded_faults": figure_to_json(self.recorded_faults),
            "replayed_faults": figure_to_json(self.replayed_faults),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Fidelity:
        """Builds the value from what `to_json` gave."""
        return cls(
            document["recorded_peak_bytes"],
            figure_from_json(document["replayed_peak_bytes"]),
            figure_from_json(document["recorded_faults"]),
            figure_from_json(document["replayed_faults"]),
        )


def explain(footprint: Columns, plain: Run, mapped: Run, *, static_bytes: float = 0.0) -> Explained:
    """Splits the recorded program's peak anonymous memory.

    Args:
        footprint: the program's own samples, of `Trace.footprint()`.
        plain: the trace under glibc, without the program's own mappings.
        mapped: the same with them.
        static_bytes: the program's data, bss and stack at its end; 0: the recorder saw no end.

    Raises:
        NotMeasured: the recorder took no samples or saw no memory, or a timeline is missing.
    """
    anonymous = _anonymous(footprint)
    peak = int(np.argmax(anonymous))
    if anonymous[peak] <= 0:
        raise NotMeasured("the recorder saw no anonymous memory of the program's own")
    at_event = float(footprint["event"][peak])
    allocated = _footprint_at(plain, at_event)
    return Explained(
        recorded_peak_bytes=float(anonymous[peak]),
        at_start_bytes=max(float(anonymous[0]), static_bytes),
        allocated_bytes=allocated,
        mapped_bytes=_footprint_at(mapped, at_event) - allocated,
    )


def judge(footprint: Columns, mapped: Run, *, static_bytes: float = 0.0) -> Fidelity:
    """Sets the replay under glibc with `mapped=True` beside the recorded program.

    Args: as for `explain`.

    Raises:
        NotMeasured: the recorder took no samples.
    """
    anonymous = _anonymous(footprint)
    return Fidelity(
        recorded_peak_bytes=float(anonymous.max()) - max(float(anonymous[0]), static_bytes),
        replayed_peak_bytes=_metric(mapped, "peak_footprint_bytes"),
        recorded_faults=_recorded_faults(footprint),
        replayed_faults=_metric(mapped, "page_faults"),
    )


def _anonymous(footprint: Columns) -> npt.NDArray[np.float64]:
    anonymous = np.asarray(footprint["anonymous_bytes"], dtype=np.float64)
    if anonymous.size < 2:
        raise NotMeasured("the recorder took no samples of the program's own memory")
    return anonymous


def _footprint_at(run: Run, event: float) -> float:
    if run.failure is not None:
        raise NotMeasured(f"the replay under glibc failed: {run.failure}")
    line = timeline_of(Parts(run.answers, run.declined, run.order))
    return max(float(np.interp(event, line.event, line.footprint_bytes)), 0.0)


def _metric(run: Run, name: str) -> Figure:
    try:
        return Measure(float(run[name]))
    except NotMeasured as reason:
        return reason


def fault_bounds(footprint: Columns) -> tuple[float, float]:
    """Returns the least and the most anonymous page faults the program can have taken.

    The kernel counts those of files too; of these only the pages that came in are known, and one
    fault brings between one and sixteen.
    """
    faults = np.asarray(footprint["page_faults"], dtype=np.float64)
    files = np.asarray(footprint["file_bytes"], dtype=np.float64)
    total = float(faults[-1] - faults[0])
    file_pages = _file_pages(files)
    return max(total - file_pages, 0.0), total - file_pages / FAULT_AROUND_PAGES


def _file_pages(files: npt.NDArray[np.float64]) -> float:
    return float(np.maximum(np.diff(files), 0.0).sum()) / PAGE_BYTES


def _recorded_faults(footprint: Columns) -> Figure:
    """The program's anonymous faults: all of them, less those of files, known within bounds."""
    low, high = fault_bounds(footprint)
    if high <= 0 or (high - low) > FAULTS_BOUND_RATIO * high:
        faults = footprint["page_faults"]
        pages = _file_pages(np.asarray(footprint["file_bytes"], dtype=np.float64))
        return NotMeasured(
            f"{pages:,.0f} file pages came in meanwhile, against "
            f"{float(faults[-1]) - float(faults[0]):,.0f} faults in all"
        )
    return Measure((high + low) / 2, (), low, high)


def _over(over: Figure, under: Figure) -> Figure:
    for figure in (over, under):
        if isinstance(figure, NotMeasured):
            return figure
    assert isinstance(over, Measure) and isinstance(under, Measure)
    if under.value <= 0:
        return NotMeasured("the recorded program took none")
    return Measure(over.value / under.value)
