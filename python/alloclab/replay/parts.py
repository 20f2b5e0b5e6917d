# SPDX-License-Identifier: MIT
"""The children's answers by part, and the timeline among them: what metrics are computed from."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.errors import NotMeasured

Column = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """The answers of a run, asked for by part; a part that is not there says why."""

    answers: Mapping[str, tuple[dict[str, Any], ...]]
    declined: Mapping[str, str]
    order: str = "exact"

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


def ratio(over: float, under: float, what: str) -> float:
    if under <= 0:
        raise NotMeasured(f"{what} is {under:g}")
    return float(over) / float(under)
