# SPDX-License-Identifier: MIT
"""A figure with its interval, and a row of a comparison: one allocator's figures or why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alloclab.allocators import Allocator, from_json
from alloclab.errors import NotMeasured, UsageError
from alloclab.replay import Run


@dataclass(frozen=True)
class Measure:
    """A median, the samples it is of, and the interval it is known to; none of one sample."""

    value: float
    samples: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "value": self.value,
            "samples": list(self.samples),
            "low": self.low,
            "high": self.high,
        }


Figure = Measure | NotMeasured


def figure_to_json(figure: Figure) -> dict[str, Any]:
    """Returns a figure as plain JSON: a measure, or {"not_measured": reason}."""
    if isinstance(figure, NotMeasured):
        return {"not_measured": figure.reason}
    return figure.to_json()


def figure_from_json(document: Mapping[str, Any]) -> Figure:
    """Builds a figure from what `figure_to_json` gave."""
    if "not_measured" in document:
        return NotMeasured(document["not_measured"])
    return Measure(document["value"], tuple(document["samples"]), document["low"], document["high"])


@dataclass(frozen=True)
class Row:
    """One allocator of a comparison.

    Attributes:
        allocator: the spec.
        run: what its children answered; None where it could not be tried.
        missing: why it could not be tried: "jemalloc is not installed: apt-get install ...".
        figures: every metric that applies, each a Measure or the NotMeasured that says why not.
        ratios: the same over the baseline's, paired by round where both are timed.
        p_values: the two-sided Mann-Whitney test of each timed metric against the baseline's.
    """

    allocator: Allocator
    run: Run | None = field(default=None, repr=False)
    missing: str | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    ratios: Mapping[str, Figure] = field(default_factory=dict)
    p_values: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The allocator's name in tables and plots."""
        return str(self.allocator)

    @property
    def problem(self) -> str | None:
        """Why there are no figures: not installed, or failed; None when there are some."""
        if self.missing is not None:
            return self.missing
        if self.run is not None and self.run.failure is not None:
            return f"failed: {self.run.failure}"
        return None

    def __getitem__(self, name: str) -> float:
        """Returns a metric's median.

        Raises:
            NotMeasured: there is no trustworthy figure, or no run at all; says why.
            UsageError: there is no metric of this name.
        """
        if self.problem is not None:
            raise NotMeasured(f"{self.label}: {self.problem}")
        figure = self.figures.get(name)
        if figure is None:
            raise UsageError(
                f"{self.label} has no metric {name!r}: it has {', '.join(self.figures)}"
            )
        if isinstance(figure, NotMeasured):
            raise figure
        return figure.value

    def to_json(self) -> dict[str, Any]:
        """Returns the row as plain JSON values."""
        return {
            "allocator": self.allocator.to_json(),
            "label": self.label,
            "run": None if self.run is None else self.run.to_json(),
            "missing": self.missing,
            "figures": {name: figure_to_json(each) for name, each in self.figures.items()},
            "ratios": {name: figure_to_json(each) for name, each in self.ratios.items()},
            "p_values": dict(self.p_values),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Row:
        """Builds the row from what `to_json` gave."""
        return cls(
            allocator=from_json(document["allocator"]),
            run=None if document["run"] is None else Run.from_json(document["run"]),
            missing=document["missing"],
            figures={name: figure_from_json(each) for name, each in document["figures"].items()},
            ratios={name: figure_from_json(each) for name, each in document["ratios"].items()},
            p_values=dict(document["p_values"]),
        )
