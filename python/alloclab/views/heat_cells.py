# SPDX-License-Identifier: MIT
"""What stands in each cell of a heat map: a figure and its ratio to the baseline's, or why not."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from alloclab.errors import NotComparable, NotMeasured, UsageError
from alloclab.traces import SUFFIX


class Row(Protocol):
    """One allocator's figures: measures with a value, a low and a high, or why there is none."""

    @property
    def label(self) -> str: ...
    @property
    def problem(self) -> str | None: ...
    @property
    def figures(self) -> Mapping[str, Any]: ...
    @property
    def ratios(self) -> Mapping[str, Any]: ...


class ComparisonLike(Protocol):
    """What a line of the map is: a comparison of allocators on one trace."""

    @property
    def trace(self) -> str: ...
    @property
    def baseline(self) -> str | None: ...
    def __iter__(self) -> Iterator[Row]: ...


@dataclass(frozen=True)
class Cell:
    """What one allocator made of one workload: a figure, or the reason there is none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    ratio: float | None = None
    is_doubtful: bool = False
    reason: str = ""


def common_baseline(shown: Sequence[ComparisonLike]) -> str | None:
    """Returns the allocator that all ratios are to; None where nothing ran.

    Raises:
        NotComparable: there are two of them.
        UsageError: there are no comparisons, or two of one workload.
    """
    names = [workload_of(each) for each in shown]
    if not names:
        raise UsageError("no comparisons to draw")
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{name} is there twice")
    of = {each.baseline: workload_of(each) for each in shown if each.baseline is not None}
    if len(of) > 1:
        (one, there), (other, elsewhere), *_ = of.items()
        raise NotComparable(f"ratios are to {one} in {there} and to {other} in {elsewhere}")
    return next(iter(of), None)


def workload_of(comparison: ComparisonLike) -> str:
    """Returns the workload's name, which its trace's file has."""
    return comparison.trace.removesuffix(SUFFIX)


def cells_of(
    shown: Sequence[ComparisonLike], metric: str, columns: Sequence[str]
) -> list[list[Cell]]:
    """Returns a line a comparison, a cell an allocator.

    Raises:
        UsageError: no comparison has the metric.
    """
    known = {name: None for each in shown for row in each for name in row.figures}
    if known and metric not in known:
        raise UsageError(f"no comparison has {metric!r}: there are {', '.join(known)}")
    table = []
    for each in shown:
        rows = {row.label: row for row in each}
        base = rows[each.baseline].figures.get(metric) if each.baseline in rows else None
        table.append([_cell(rows.get(label), metric, each.baseline, base) for label in columns])
    return table


def _cell(row: Row | None, metric: str, baseline: str | None, base: Any) -> Cell:
    if row is None:
        return Cell(reason="not compared")
    if row.problem is not None:
        return Cell(reason=row.problem)
    figure = row.figures.get(metric)
    if figure is None or isinstance(figure, NotMeasured):
        return Cell(reason=figure.reason if figure else "it is of another order or measure")
    ratio, low, high = _ratio(figure, row.ratios.get(metric), base)
    is_doubtful = (
        row.label != baseline and low is not None and high is not None and low <= 1 <= high
    )
    return Cell(figure.value, figure.low, figure.high, ratio, is_doubtful)


def _ratio(figure: Any, paired: Any, base: Any) -> tuple[float | None, float | None, float | None]:
    """Returns the ratio to the baseline's and its interval: paired by round where it was."""
    if paired is not None and not isinstance(paired, NotMeasured):
        return paired.value, paired.low, paired.high
    is_known = base is not None and not isinstance(base, NotMeasured) and base.value > 0
    return (figure.value / base.value if is_known else None), None, None


class Reasons:
    """A letter for each reason that something is missing, in the order they first come."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self._marks = {reason: _letters(at) for at, reason in enumerate(dict.fromkeys(reasons))}

    def mark(self, reason: str) -> str:
        """Returns the reason's letter."""
        return self._marks[reason]

    def notes(self, width: int) -> Iterator[str]:
        """Yields a note for each reason, broken into lines of so many letters."""
        for reason, mark in self._marks.items():
            yield textwrap.fill(f"{mark}: {reason}", width, subsequent_indent="    ")


def _letters(number: int) -> str:
    """Returns a, b ... z, aa, ab ..."""
    last = chr(ord("a") + number % 26)
    return last if number < 26 else _letters(number // 26 - 1) + last
