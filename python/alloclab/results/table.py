# SPDX-License-Identifier: MIT
"""Rows as an aligned text table and as HTML: the same cells, the same notes underneath."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from alloclab.errors import NotMeasured
from alloclab.replay import METRICS
from alloclab.results.fidelity import Explained, Fidelity
from alloclab.results.measure import Figure, Measure, Row
from alloclab.units import format_bytes, format_count, format_ratio

NO_FIGURE = "n/m"
# Two allocators whose times differ by chance this often are not told apart.
SIGNIFICANCE = 0.05
# With fewer rounds a side not even complete separation is significant: 2 / C(6, 3) = 0.1.
FEWEST_TESTED = 4


class Text(str):
    """Text that a notebook or a prompt shows as it is, not as a quoted string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def may_be_chance(ratio: Measure, p_value: float) -> bool:
    """Whether a ratio's interval holds 1, or the test, where it can, does not tell it from 1."""
    holds_one = ratio.low is None or ratio.high is None or ratio.low <= 1 <= ratio.high
    return holds_one or (len(ratio.samples) >= FEWEST_TESTED and p_value >= SIGNIFICANCE)


@dataclass(frozen=True)
class Column:
    """A column: its heading, and what a row has in it."""

    heading: str
    cell: Callable[[Row], str]


@dataclass(frozen=True)
class Grid:
    """Cells before they are laid out; `problems` stand in place of a row's cells."""

    headings: list[str]
    labels: list[str]
    cells: list[list[str]]
    problems: list[str | None]


def value_column(metric: str, heading: str, write: Callable[[float], str]) -> Column:
    """A column of medians; its heading is starred when a repeat must give the same."""
    star = "*" if METRICS[metric].is_deterministic else ""
    return Column(heading + star, lambda row: _value(row.figures.get(metric), write))


def interval_column(metric: str, heading: str, write: Callable[[float], str]) -> Column:
    """A column of intervals, empty where a figure was taken once."""

    def cell(row: Row) -> str:
        figure = row.figures.get(metric)
        if not isinstance(figure, Measure) or figure.low is None or figure.high is None:
            return ""
        return f"{write(figure.low)}..{write(figure.high)}"

    return Column(heading, cell)


def ratio_column(metric: str, heading: str) -> Column:
    """A column of ratios to the baseline; "~" marks what chance alone may explain."""

    def cell(row: Row) -> str:
        figure = row.ratios.get(metric)
        if not isinstance(figure, Measure):
            return ""
        is_doubtful = metric in row.p_values and may_be_chance(figure, row.p_values[metric])
        return f"{'~' if is_doubtful else ''}{figure.value:.2f}x"

    return Column(heading, cell)


def _one_digit(value: float) -> str:
    return f"{value:.1f}"


def _two_digits(value: float) -> str:
    return f"{value:.2f}"


def _millions(value: float) -> str:
    return f"{value / 1e6:.1f} M"


COLUMNS: tuple[Column, ...] = (
    value_column("peak_footprint_bytes", "peak footprint", format_bytes),
    ratio_column("peak_footprint_bytes", "ratio"),
    value_column("internal_fragmentation_ratio", "internal", format_ratio),
    value_column("external_fragmentation_ratio", "external", format_ratio),
    value_column("realized_fragmentation_ratio", "realized", format_ratio),
    value_column("ns_per_event", "ns/event", _two_digits),
    interval_column("ns_per_event", "95 %", _two_digits),
    ratio_column("ns_per_event", "ratio"),
    value_column("events_per_s", "events/s", _millions),
    value_column("wall_ns_per_event", "wall ns/event", _two_digits),
    interval_column("wall_ns_per_event", "95 %", _two_digits),
    ratio_column("wall_ns_per_event", "ratio"),
    value_column("null_wall_ns_per_event", "null's", _two_digits),
    value_column("wall_events_per_s", "events/s", _millions),
    value_column("allocator_sleeps", "sleeps", format_count),
    value_column("page_faults", "faults", format_count),
    value_column("templated_ns_per_event", "templated ns", _two_digits),
    value_column("type_erased_ns_per_event", "type-erased ns", _two_digits),
    value_column("type_erased_wall_ns_per_event", "type-erased wall ns", _two_digits),
)


def lay_out(rows: Sequence[Row], columns: Sequence[Column] = COLUMNS) -> Grid:
    """Fills the columns; those no row has anything in are left out."""
    cells = [[column.cell(row) for column in columns] for row in rows]
    kept = [
        at
        for at in range(len(columns))
        if any(line[at] for line, row in zip(cells, rows, strict=True) if row.problem is None)
    ]
    return Grid(
        [columns[at].heading for at in kept],
        [row.label for row in rows],
        [[line[at] for at in kept] for line in cells],
        [row.problem for row in rows],
    )


def render_text(grid: Grid) -> list[str]:
    """Returns the lines of the table: labels to the left, figures to the right."""
    label_width = max([len("allocator"), *(len(label) for label in grid.labels)])
    good = [cells for cells, why in zip(grid.cells, grid.problems, strict=True) if why is None]
    widths = [
        max([len(heading), *(len(cells[at]) for cells in good)])
        for at, heading in enumerate(grid.headings)
    ]
    lines = [_line("allocator", label_width, grid.headings, widths)]
    for label, cells, why in zip(grid.labels, grid.cells, grid.problems, strict=True):
        if why is None:
            lines.append(_line(label, label_width, cells, widths))
        else:
            lines.append(f"{label.ljust(label_width)}  {why}")
    return lines


def _line(label: str, label_width: int, cells: Sequence[str], widths: Sequence[int]) -> str:
    figures = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join([label.ljust(label_width), *figures]).rstrip()


def shorten(lines: Sequence[str], short: Mapping[str, str]) -> list[str]:
    """Puts the short forms into the lines, and appends what each of them stands for."""
    result = list(lines)
    for label, form in sorted(short.items(), key=lambda item: -len(item[0])):
        result = [line.replace(label, form) for line in result]
    return result + [f"{form}: {label}" for label, form in short.items()]


def render_html(title: str, grid: Grid, notes: Sequence[str]) -> str:
    """Returns the table as HTML; everything that came from outside is escaped."""
    heading = "".join(f"<th>{html.escape(text)}</th>" for text in ["allocator", *grid.headings])
    body = []
    for label, cells, why in zip(grid.labels, grid.cells, grid.problems, strict=True):
        if why is None:
            inner = "".join(f"<td style='text-align:right'>{html.escape(c)}</td>" for c in cells)
        else:
            inner = f"<td colspan='{max(len(grid.headings), 1)}'>{html.escape(why)}</td>"
        body.append(f"<tr><th style='text-align:left'>{html.escape(label)}</th>{inner}</tr>")
    lines = "<br>".join(html.escape(note) for note in notes)
    return (
        f"<table><caption>{html.escape(title)}</caption><thead><tr>{heading}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table><p><small>{lines}</small></p>"
    )


def row_notes(rows: Sequence[Row]) -> list[str]:
    """Returns what stands under the table: why a figure is missing, and each run's warnings."""
    notes: dict[str, list[str]] = {}
    lacking: dict[str, list[str]] = {}
    for row in rows:
        if row.problem is not None:
            continue
        for name, figure in row.figures.items():
            if isinstance(figure, NotMeasured):
                notes.setdefault(figure.reason, []).append(name)
                lacking.setdefault(figure.reason, []).append(row.label)
    lines = [
        f"{NO_FIGURE}: {_some(lacking[reason])}: {_some(names)}: {reason}"
        for reason, names in notes.items()
    ]
    warned: dict[str, list[str]] = {}
    for row in rows:
        for warning in row.run.warnings if row.run is not None else ():
            warned.setdefault(warning, []).append(row.label)
    lines += [f"{', '.join(labels)}: {warning}" for warning, labels in warned.items()]
    return lines


def _some(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    return ", ".join(unique) if len(unique) <= 3 else f"{', '.join(unique[:2])} and others"


def explained_note(explained: Explained | NotMeasured) -> str:
    """Returns the line that says what the comparison explains of the program's memory."""
    if isinstance(explained, NotMeasured):
        return f"explained: not measured: {explained.reason}"
    peak = explained.recorded_peak_bytes

    def share(size: float) -> str:
        return f"{format_bytes(size)} ({100 * size / peak:.0f} %)"

    return (
        f"explained: of the recorded program's peak anonymous memory, {format_bytes(peak)}: "
        f"allocated {share(explained.allocated_bytes)}, "
        f"mapped by the program itself {share(explained.mapped_bytes)}, "
        f"its data, bss and stack {share(explained.at_start_bytes)}, "
        f"unexplained {share(explained.unexplained_bytes)}"
    )


def fidelity_note(fidelity: Fidelity | NotMeasured) -> str:
    """Returns the line that says how near the replay under glibc comes to the program."""
    if isinstance(fidelity, NotMeasured):
        return f"fidelity: not measured: {fidelity.reason}"
    peak = _against(
        fidelity.replayed_peak_bytes, Measure(fidelity.recorded_peak_bytes), format_bytes
    )
    faults = _against(fidelity.replayed_faults, fidelity.recorded_faults, format_count)
    return (
        "fidelity: replay under glibc, own mappings included, against the recorded program: "
        f"peak above its data, bss and stack {peak}; page faults {faults}"
    )


def _against(replayed: Figure, recorded: Figure, write: Callable[[float], str]) -> str:
    for figure in (replayed, recorded):
        if isinstance(figure, NotMeasured):
            return f"not measured ({figure.reason})"
    assert isinstance(replayed, Measure) and isinstance(recorded, Measure)
    if recorded.value <= 0:
        return f"{write(replayed.value)} against none"
    off = 100 * (replayed.value / recorded.value - 1)
    return f"{write(replayed.value)} against {write(recorded.value)} ({off:+.1f} %)"


def _value(figure: Figure | None, write: Callable[[float], str]) -> str:
    if figure is None:
        return ""
    return NO_FIGURE if isinstance(figure, NotMeasured) else write(figure.value)
