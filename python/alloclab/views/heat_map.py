# SPDX-License-Identifier: MIT
"""Workloads by allocators: how many times the baseline's each figure is, as colour and in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from alloclab.units import format_bytes, format_count, format_ratio
from alloclab.views.figure import new_figure
from alloclab.views.heat_cells import (
    Cell,
    ComparisonLike,
    Reasons,
    cells_of,
    common_baseline,
    workload_of,
)
from alloclab.views.labels import short_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CELL_INCHES, _FRAME_INCHES = (1.35, 0.62), (3.0, 1.0)
_COLOUR_MAP = "RdBu_r"  # ColorBrewer's, which all eyesights tell apart; blue is less, red is more
_LIMITS = (1.25, 1.5, 2.0, 3.0, 4.0)  # of the scale, either way: the least that holds all, or 4
_MISSING_COLOUR, _NEUTRAL_COLOUR = (0.9, 0.9, 0.9, 1.0), (1.0, 1.0, 1.0, 1.0)
_LEGIBLE_LUMINANCE = 0.45  # on darker cells words are white
_RATIO_POINTS, _VALUE_POINTS, _INTERVAL_POINTS, _NOTE_POINTS = 10.0, 8.0, 7.0, 8.0
_LINE_HEIGHT = 0.29  # of a cell's
_NOTE_INCHES = 0.16
_LETTERS_AN_INCH = 15


def plot_heat_map(
    comparisons: Iterable[ComparisonLike],
    metric: str = "peak_footprint_bytes",
    *,
    axes: Axes | None = None,
) -> Figure:
    """Draws a cell for each workload and allocator, its colour the ratio to the baseline's figure.

    White is as much as the baseline, blue less, red more, on a logarithmic scale; beyond four times
    either way colours do not change. In the cell stand the ratio, the figure and its 95 % interval,
    where it was taken more than once; "~" marks a ratio whose interval holds 1. A figure that is
    missing is "n/m" with a letter, and the letter's reason stands below.

    Args:
        comparisons: of any number of workloads, all to the same baseline.
        metric: one of `METRICS`, for instance "ns_per_event".
        axes: where to draw; a figure of its own by default.

    Raises:
        NotComparable: the baselines are of different allocators.
        NotInstalled: matplotlib is missing; says how to get it.
        UsageError: there are no comparisons, two of one workload, or none has the metric.
    """
    shown = list(comparisons)
    baseline = common_baseline(shown)
    lines = [workload_of(each) for each in shown]
    columns = list(dict.fromkeys(row.label for each in shown for row in each))
    cells = cells_of(shown, metric, columns)
    reasons = Reasons(cell.reason for line in cells for cell in line if cell.value is None)
    notes = list(reasons.notes(_note_letters(len(columns))))
    if axes is None:
        width, height = _CELL_INCHES[0] * len(columns), _CELL_INCHES[1] * len(lines)
        below = _NOTE_INCHES * sum(note.count("\n") + 1 for note in notes)
        figure = new_figure((width + _FRAME_INCHES[0], height + _FRAME_INCHES[1] + below))
        axes = figure.add_subplot()
    figure = cast("Figure", axes.figure)
    limit = _limit(cells)
    picture = _draw(axes, cells, limit, reasons, metric)
    short = short_labels(columns)
    labels = [short.get(label, label) for label in columns]
    axes.set_xticks(range(len(columns)), labels, parse_math=False)  # names may have dollars
    axes.set_yticks(range(len(lines)), lines, parse_math=False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_title(_title(metric, baseline, cells), fontsize=10, loc="left", parse_math=False)
    if notes:
        axes.set_xlabel("\n".join(notes), fontsize=_NOTE_POINTS, loc="left", parse_math=False)
    _draw_scale(figure, axes, picture, limit, baseline)
    return figure


def _note_letters(columns: int) -> int:
    return max(int(_CELL_INCHES[0] * columns * _LETTERS_AN_INCH), 40)


def _limit(cells: Sequence[Sequence[Cell]]) -> float:
    """Returns the ratio at the end of the scale."""
    ratios = [cell.ratio for line in cells for cell in line if cell.ratio and cell.ratio > 0]
    farthest = max((max(ratio, 1 / ratio) for ratio in ratios), default=1.0)
    return next((limit for limit in _LIMITS if farthest <= limit), _LIMITS[-1])


def _draw(
    axes: Axes, cells: Sequence[Sequence[Cell]], limit: float, reasons: Reasons, metric: str
) -> Any:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    scale = ScalarMappable(LogNorm(1 / limit, limit, clip=True), _COLOUR_MAP)
    colours = [[_colour(cell, scale) for cell in line] for line in cells]
    axes.imshow(colours, aspect="auto", interpolation="none")
    for at, line in enumerate(cells):
        for across, cell in enumerate(line):
            is_dark = _luminance(colours[at][across]) < _LEGIBLE_LUMINANCE
            _write(axes, across, at, cell, reasons, metric, "white" if is_dark else "black")
    axes.set_xticks([edge - 0.5 for edge in range(1, len(cells[0]))], minor=True)
    axes.set_yticks([edge - 0.5 for edge in range(1, len(cells))], minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return scale


def _colour(cell: Cell, scale: Any) -> tuple[float, float, float, float]:
    if cell.value is None:
        return _MISSING_COLOUR
    if cell.ratio is None or cell.ratio <= 0:
        return _NEUTRAL_COLOUR
    return cast("tuple[float, float, float, float]", scale.to_rgba(cell.ratio))


def _luminance(colour: tuple[float, float, float, float]) -> float:
    red, green, blue, _ = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _write(
    axes: Axes, x: int, y: int, cell: Cell, reasons: Reasons, metric: str, colour: str
) -> None:
    """Writes up to three lines into a cell: the ratio, the figure, its interval."""
    if cell.value is None:
        lines = [(f"n/m ({reasons.mark(cell.reason)})", _VALUE_POINTS)]
    else:
        lines = [(_figure(metric, cell.value), _VALUE_POINTS)]
        if cell.ratio is not None:
            mark = "~" if cell.is_doubtful else ""
            lines.insert(0, (f"{mark}{cell.ratio:.2f}x", _RATIO_POINTS))
        if cell.low is not None and cell.high is not None:
            lines.append((_interval(metric, cell.low, cell.high), _INTERVAL_POINTS))
    for place, (words, points) in enumerate(lines):
        shift = _LINE_HEIGHT * (place - (len(lines) - 1) / 2)
        axes.text(x, y + shift, words, color=colour, fontsize=points, ha="center", va="center")


def _figure(metric: str, value: float) -> str:
    """Writes a figure by the unit that ends its name."""
    if metric.endswith("_bytes"):
        return format_bytes(value)
    if metric.endswith("_ratio"):
        return format_ratio(value)
    if metric.endswith(("_faults", "_sleeps", "_events", "_blocks", "_allocations")):
        return format_count(value)
    if metric.endswith("_per_s"):
        return f"{value / 1e6:.1f} M"
    return f"{value:,.2f}"


def _interval(metric: str, low: float, high: float) -> str:
    """Writes both ends, the unit once where it is that of both."""
    first, last = _figure(metric, low), _figure(metric, high)
    number, _, unit = first.partition(" ")
    return f"{number if unit and last.endswith(f' {unit}') else first}..{last}"


def _title(metric: str, baseline: str | None, cells: Sequence[Sequence[Cell]]) -> str:
    parts = [] if baseline is None else [f"ratio to {baseline}"]
    has_interval = any(cell.low is not None for line in cells for cell in line)
    parts += ["median", "95 % interval"] if has_interval else ["of one round"]
    return f"{metric}: {', '.join(parts)}"


def _draw_scale(figure: Figure, axes: Axes, scale: Any, limit: float, baseline: str | None) -> None:
    if baseline is None:
        return
    extend = "both" if limit == _LIMITS[-1] else "neither"
    bar = figure.colorbar(scale, ax=axes, fraction=0.03, pad=0.02, aspect=40, extend=extend)
    above = [limit, 2.0] if limit > 2 else [limit]
    ticks = sorted([1.0, *above, *(1 / tick for tick in above)])
    bar.set_ticks(ticks, labels=[f"{tick:.2f}x" for tick in ticks])
    bar.minorticks_off()
    bar.set_label(f"ratio to {baseline}", parse_math=False)
