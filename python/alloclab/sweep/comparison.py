# SPDX-License-Identifier: MIT
"""A comparison: one trace, several allocators, the same rounds; a value that is read and kept."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alloclab.allocators import Allocator
from alloclab.errors import Error, NotInstalled, NotMeasured, UsageError
from alloclab.replay import METRICS, Parts, Timeline, timeline_of
from alloclab.results import Explained, Fidelity, Measure, Row
from alloclab.results import table as tables
from alloclab.results.environment import describe_machine
from alloclab.units import format_bytes, format_count
from alloclab.views.labels import short_labels

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

SCHEMA = 1
# A list of numbers as json lays it out; a text cannot look so, for its line ends are escaped.
_NUMBERS = re.compile(r"\[\n[-+.0-9eE,\s]+\]")
_TOUCH_WORDS = {
    "recorded": "touched as recorded",
    "page": "a byte a page touched",
    "none": "nothing touched",
    "all": "every byte touched",
}


@dataclass(frozen=True)
class Comparison:
    """What several allocators did with one trace.

    Attributes:
        trace: the trace's file name.
        summary: the trace's own counts.
        rows: one an allocator, in the order they were named; missing and failed ones too.
        baseline: the label of the row that ratios are to, or None when none ran.
        repeats: how many interleaved rounds were timed.
        touch, mapped, order: how it was replayed.
        explained: what the replay accounts for of the recorded program's memory.
        fidelity: how near the replay under glibc comes to the recorded program.
        environment: the machine and the libraries.
    """

    trace: str
    summary: Mapping[str, int]
    rows: tuple[Row, ...]
    baseline: str | None
    repeats: int
    touch: str
    mapped: bool
    explained: Explained | NotMeasured
    fidelity: Fidelity | NotMeasured
    environment: Mapping[str, Any] = field(repr=False)
    order: str = "exact"

    def __getitem__(self, allocator: str | Allocator) -> Row:
        """Returns the row of an allocator, by its spec or its label."""
        label = str(allocator)
        for row in self.rows:
            if row.label == label:
                return row
        raise UsageError(f"no row {label!r}: there are {', '.join(row.label for row in self)}")

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def title(self) -> str:
        """Returns one line: the trace, how much of it there is, and how it was replayed."""
        requested = self._any_value("peak_requested_live_bytes")
        events = self._any_value("events")
        parts = [
            f"{self.trace}: {format_count(events)} events" if events is not None else self.trace,
            f"peak requested {format_bytes(requested)}*" if requested is not None else "",
            "exact order on one thread"
            if self.order == "exact"
            else "parallel order, a thread for each recorded one: wall time, nothing subtracted",
            _TOUCH_WORDS[self.touch],
            "the program's own mappings included" if self.mapped else "",
        ]
        return ", ".join(part for part in parts if part)

    def notes(self) -> list[str]:
        """Returns the lines under the table: how to read it, what it explains, what is missing."""
        word = "round" if self.repeats == 1 else "interleaved rounds"
        reading = f"{self.repeats} {word}: medians, 95 % bootstrap intervals"
        if self.baseline is not None:
            reading += f", ratios to {self.baseline} (~: may be chance)"
        return [
            f"{reading}; * the same in every run",
            tables.explained_note(self.explained),
            tables.fidelity_note(self.fidelity),
            f"measured on {describe_machine(self.environment)}",
            *tables.row_notes(self.rows),
        ]

    def table(self) -> tables.Text:
        """Returns the comparison as an aligned text table with its notes."""
        grid, notes = self._shortened()
        return tables.Text("\n".join([self.title(), *tables.render_text(grid), *notes]))

    def _repr_html_(self) -> str:
        return tables.render_html(self.title(), *self._shortened())

    def _shortened(self) -> tuple[tables.Grid, list[str]]:
        """Returns the table and its notes, long names of composed allocators in a short form."""
        short = short_labels([row.label for row in self.rows])
        grid = tables.lay_out(self.rows)
        labels = [short.get(label, label) for label in grid.labels]
        return dataclasses.replace(grid, labels=labels), tables.shorten(self.notes(), short)

    def __str__(self) -> str:
        return str(self.table())

    def timelines(self) -> dict[str, Timeline]:
        """Returns the sampled columns of every row that has them, by label."""
        found = {}
        for row in self.rows:
            if row.run is not None and row.problem is None:
                try:
                    parts = Parts(row.run.answers, row.run.declined, row.run.order)
                    found[row.label] = timeline_of(parts)
                except NotMeasured:
                    continue
        return found

    def plot_footprint(self, *, over: str = "allocated") -> Figure:
        """Draws footprint over bytes allocated (or over="events"), requested live underneath.

        Raises:
            NotInstalled: matplotlib is missing; says how to get it.
            NotMeasured: no row has a timeline.
        """
        from alloclab.views import plot_footprint

        return plot_footprint(self, over=over)

    def to_pandas(self) -> pandas.DataFrame:
        """Returns one row an allocator, one column a metric, NaN where there is no figure.

        Intervals are in columns `<metric>_low` and `<metric>_high`; `problem` says why a row is
        empty.

        Raises:
            NotInstalled: pandas is missing; says how to get it.
        """
        try:
            import pandas
        except ImportError:
            raise NotInstalled("pandas", "pip install 'alloclab[pandas]'") from None
        records = [_record(row) for row in self.rows]
        return pandas.DataFrame.from_records(records).set_index("allocator")

    def to_json(self) -> dict[str, Any]:
        """Returns the comparison as plain JSON values, every child's answer included."""
        return {
            "schema": SCHEMA,
            "kind": "comparison",
            "trace": self.trace,
            "summary": dict(self.summary),
            "rows": [row.to_json() for row in self.rows],
            "baseline": self.baseline,
            "repeats": self.repeats,
            "touch": self.touch,
            "mapped": self.mapped,
            "order": self.order,
            "explained": _part_to_json(self.explained),
            "fidelity": _part_to_json(self.fidelity),
            "environment": dict(self.environment),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Comparison:
        """Builds the comparison from what `to_json` gave.

        Raises:
            UsageError: it is no comparison, or one of a schema this version does not read.
        """
        if document.get("kind") != "comparison" or document.get("schema") != SCHEMA:
            raise UsageError(
                f"not a comparison of schema {SCHEMA}: kind {document.get('kind')!r}, "
                f"schema {document.get('schema')!r}"
            )
        explained, fidelity = document["explained"], document["fidelity"]
        return cls(
            trace=document["trace"],
            summary=document["summary"],
            rows=tuple(Row.from_json(each) for each in document["rows"]),
            baseline=document["baseline"],
            repeats=document["repeats"],
            touch=document["touch"],
            mapped=document["mapped"],
            order=document["order"],
            explained=_refusal(explained) or Explained(**explained),
            fidelity=_refusal(fidelity) or Fidelity.from_json(fidelity),
            environment=document["environment"],
        )

    def save(self, path: str | Path) -> None:
        """Writes the comparison to a JSON file; the folder must be there."""
        try:
            Path(path).write_text(_json_text(self.to_json()), encoding="utf-8")
        except OSError as error:
            raise Error(f"cannot write {path}: {error.strerror}") from error

    def _any_value(self, metric: str) -> float | None:
        for row in self.rows:
            figure = row.figures.get(metric)
            if isinstance(figure, Measure):
                return figure.value
        return None


def _json_text(document: Mapping[str, Any]) -> str:
    """Writes JSON a member a line, but a list of numbers on one: thousands of lines fewer."""
    text = json.dumps(document, indent=1)
    return _NUMBERS.sub(lambda found: "".join(found[0].split()), text) + "\n"


def load_comparison(path: str | Path) -> Comparison:
    """Reads a comparison that `Comparison.save` wrote.

    Raises:
        UsageError: there is no such file, or it is no comparison; names the file.
    """
    try:
        return Comparison.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: not a comparison: {error}") from None
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _record(row: Row) -> dict[str, Any]:
    record: dict[str, Any] = {"allocator": row.label}
    for name in METRICS:
        figure = row.figures.get(name)
        value = figure.value if isinstance(figure, Measure) else float("nan")
        record[name] = value
        if isinstance(figure, Measure) and figure.low is not None:
            record[f"{name}_low"], record[f"{name}_high"] = figure.low, figure.high
    record["problem"] = row.problem
    return record


def _part_to_json(part: Explained | Fidelity | NotMeasured) -> dict[str, Any]:
    return {"not_measured": part.reason} if isinstance(part, NotMeasured) else part.to_json()


def _refusal(document: Mapping[str, Any]) -> NotMeasured | None:
    reason = document.get("not_measured")
    return None if reason is None else NotMeasured(reason)
