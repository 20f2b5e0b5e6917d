# SPDX-License-Identifier: MIT
"""The trace table: what each program asked for in all and held at most, a line a program.

Its columns are those by which Berger, Zorn and McKinley describe their benchmarks in "Reconsidering
Custom Memory Allocation" (OOPSLA 2002), and before in "Composing High-Performance Memory
Allocators" (PLDI 2001): objects, most of them in use, their average size, total memory, most memory
in use, and the total over that most, which says how often an allocator gets to use memory again.
"""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from alloclab.errors import NotInstalled, NotMeasured, UsageError
from alloclab.traces import open_trace
from alloclab.units import format_bytes, format_count

if TYPE_CHECKING:
    import pandas

_NO_FIGURE = "n/m"


class Summarised(Protocol):
    """A trace whose counts are known."""

    @property
    def name(self) -> str: ...

    def summary(self) -> Mapping[str, int]: ...


@runtime_checkable
class Workload(Protocol):
    """A program on a shelf, whose recording can be opened."""

    @property
    def name(self) -> str: ...

    def open(self) -> Any: ...


@dataclass(frozen=True)
class TraceRow:
    """One program's line.

    Attributes:
        objects: blocks allocated.
        max_live_objects: alive at once at most, regions the program mapped itself among them.
        average_object_bytes: `requested_total_bytes` over allocations and reallocations.
        requested_total_bytes: asked for in all; a reallocation asks for all of its new size.
        peak_requested_live_bytes: asked for and live at once at most.
        total_to_peak_ratio: the former over the latter.
    """

    name: str
    objects: int
    max_live_objects: int
    average_object_bytes: float | NotMeasured
    requested_total_bytes: int
    peak_requested_live_bytes: int
    total_to_peak_ratio: float | NotMeasured

    def to_json(self) -> dict[str, Any]:
        """Returns the row as plain JSON values, what was not measured as its reason."""
        return {
            name: {"not_measured": value.reason} if isinstance(value, NotMeasured) else value
            for name, value in vars(self).items()
        }


@dataclass(frozen=True, repr=False)
class TraceTable:
    """Lines in the order they were asked for; prints as a table."""

    rows: tuple[TraceRow, ...]

    def __iter__(self) -> Iterator[TraceRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def table(self) -> str:
        """Returns the lines as an aligned text table, "n/m" where there is no figure."""
        cells = [list(_HEADINGS), *(_cells(row) for row in self.rows)]
        widths = [max(len(row[at]) for row in cells) for at in range(len(_HEADINGS))]
        return "\n".join(
            "  ".join(
                [row[0].ljust(widths[0])]
                + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            )
            for row in cells
        )

    __str__ = __repr__ = table

    def _repr_html_(self) -> str:
        rows = [f"<tr>{''.join(f'<th>{heading}</th>' for heading in _HEADINGS)}</tr>"]
        for name, *figures in map(_cells, self.rows):
            cells = "".join(f"<td style='text-align:right'>{cell}</td>" for cell in figures)
            rows.append(f"<tr><td style='text-align:left'>{html.escape(name)}</td>{cells}</tr>")
        return f"<table>{''.join(rows)}</table>"

    def to_json(self) -> dict[str, Any]:
        """Returns the table as plain JSON values."""
        rows = [row.to_json() for row in self.rows]
        return {"schema": 1, "kind": "trace_table", "rows": rows}

    def to_pandas(self) -> pandas.DataFrame:
        """Returns a line a program and a column a figure, NaN where there is none.

        Raises:
            NotInstalled: pandas is missing; says how to get it.
        """
        try:
            import pandas
        except ImportError:
            raise NotInstalled("pandas", "pip install 'alloclab[pandas]'") from None
        rows = [{key: _or_nan(value) for key, value in vars(row).items()} for row in self.rows]
        return pandas.DataFrame.from_records(
            rows, columns=list(TraceRow.__annotations__)
        ).set_index("name")


def trace_table(sources: Iterable[Summarised | Workload | str | os.PathLike[str]]) -> TraceTable:
    """Returns a line for each trace, path or workload of the shelf, from the counts in its footer.

    Raises:
        UsageError: one of them is none of these, or no such trace; or this is one path, no list.
        TraceError: a trace is damaged.

    Cost: opening the traces; none is decoded.

    Example:
        >>> print(al.trace_table(al.workloads()))  # doctest: +SKIP
    """
    if isinstance(sources, str | os.PathLike):
        raise UsageError(f"{os.fspath(sources)!r} is one path; a table is of a list of them")
    rows = []
    for source in sources:
        name, trace = opened(source)
        rows.append(trace_row(name, trace.summary()))
    return TraceTable(tuple(rows))


def opened(source: Any) -> tuple[str, Any]:
    """Returns a trace and its name; a path or a workload, which has a name of its own, is opened.

    Raises:
        UsageError: it is none of these.
    """
    is_path = isinstance(source, str | os.PathLike)  # a Path, too, has a name and can be opened
    if isinstance(source, Workload) and not is_path:
        return source.name, source.open()
    trace = source if callable(getattr(source, "summary", None)) else open_trace(source)
    return trace.name, trace


def trace_row(name: str, summary: Mapping[str, int]) -> TraceRow:
    """Returns the line of a trace of these counts."""
    total, peak = summary["requested_total_bytes"], summary["peak_requested_live_bytes"]
    return TraceRow(
        name=name,
        objects=summary["allocations"],
        max_live_objects=summary["max_live_objects"],
        average_object_bytes=_ratio(total, summary["allocations"] + summary["reallocations"]),
        requested_total_bytes=total,
        peak_requested_live_bytes=peak,
        total_to_peak_ratio=_ratio(total, peak),
    )


def _ratio(part: int, whole: int) -> float | NotMeasured:
    return part / whole if whole else NotMeasured("nothing was asked for")


def _or_nan(value: Any) -> Any:
    return float("nan") if isinstance(value, NotMeasured) else value


_HEADINGS = (
    "program",
    "objects",
    "at once",
    "average size",
    "total memory",
    "max in use",
    "total/max",
)


def _cells(row: TraceRow) -> list[str]:
    def cell(value: float | NotMeasured, write: Callable[[float], str]) -> str:
        return _NO_FIGURE if isinstance(value, NotMeasured) else write(value)

    return [
        row.name,
        format_count(row.objects),
        format_count(row.max_live_objects),
        cell(row.average_object_bytes, format_bytes),
        format_bytes(row.requested_total_bytes),
        format_bytes(row.peak_requested_live_bytes),
        cell(row.total_to_peak_ratio, lambda value: f"{value:,.1f}"),
    ]
