# SPDX-License-Identifier: MIT
"""Footprint over a trace, a line an allocator, above what the program asked for and touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from alloclab.errors import NotMeasured, UsageError
from alloclab.views.figure import new_figure
from alloclab.views.labels import short_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Column = npt.NDArray[Any]

# Okabe and Ito's colours, told apart by every kind of eyesight, yellow left out on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
_STYLES = ("-", "--", ":")
_REQUESTED_COLOUR, _TOUCHED_COLOUR = "#dcdcdc", "#b4b4b4"
# A line this many times above the others would flatten them: it is cut off, and the legend says so.
_CUT_ABOVE = 3.0


class Line(Protocol):
    """The sampled columns of one allocator, bytes but for the event."""

    @property
    def event(self) -> Column: ...
    @property
    def requested_live_bytes(self) -> Column: ...
    @property
    def touched_live_bytes(self) -> Column: ...
    @property
    def allocated_bytes(self) -> Column: ...
    @property
    def footprint_bytes(self) -> Column: ...


class TimelineSource(Protocol):
    """What is drawn: a comparison, or whatever else has timelines."""

    def timelines(self) -> Mapping[str, Line]: ...

    def title(self) -> str: ...


def plot_footprint(
    source: TimelineSource, *, over: str = "allocated", axes: Axes | None = None
) -> Figure:
    """Draws each allocator's footprint, and what is live as areas: requested, and touched of it.

    Args:
        source: a comparison.
        over: "allocated" for bytes allocated so far, "events" for events replayed.
        axes: where to draw; a figure of its own by default.

    Raises:
        NotInstalled: matplotlib is missing; says how to get it.
        NotMeasured: there is no timeline to draw.
        UsageError: an unknown `over`.
    """
    if over not in ("allocated", "events"):
        raise UsageError(f"unknown axis {over!r}: known are allocated, events")
    timelines = source.timelines()
    if not timelines:
        raise NotMeasured("no allocator has a timeline to draw")
    figure = new_figure((9, 5)) if axes is None else axes.figure
    axes = figure.add_subplot() if axes is None else axes
    _draw(axes, timelines, over)
    axes.set_title(_wrap(source.title().replace("*", "")), fontsize=10, loc="left")
    return cast("Figure", figure)


def _draw(axes: Axes, timelines: Mapping[str, Line], over: str) -> None:
    longest = max(timelines.values(), key=lambda line: line.event.size)
    x, unit = _positions(longest, over)
    areas = {"requested live": (longest.requested_live_bytes, _REQUESTED_COLOUR)}
    if (longest.touched_live_bytes < longest.requested_live_bytes).any():
        areas["touched live"] = (longest.touched_live_bytes, _TOUCHED_COLOUR)
    for label, (live, colour) in areas.items():
        text = f"{label}, peak {live.max() / 1e6:.1f} MB"
        axes.fill_between(x, live / 1e6, color=colour, linewidth=0, label=text)
    peaks = {label: float(line.footprint_bytes.max()) for label, line in timelines.items()}
    limit = _CUT_ABOVE * float(np.median(list(peaks.values())))
    short = short_labels(list(timelines))
    for at, (label, line) in enumerate(timelines.items()):
        is_cut = peaks[label] > limit
        shown_label = f"{short.get(label, label)}, peak {peaks[label] / 1e6:.1f} MB"
        axes.plot(
            _positions(line, over)[0],
            line.footprint_bytes / 1e6,
            label=f"{shown_label}{' (cut off)' if is_cut else ''}",
            color=_COLOURS[at % len(_COLOURS)],
            linestyle=_STYLES[at // len(_COLOURS) % len(_STYLES)],
            linewidth=1.4,
        )
    shown = [peak for peak in peaks.values() if peak <= limit]
    axes.set_ylim(0, 1.08 * max([*shown, float(longest.requested_live_bytes.max())]) / 1e6)
    axes.set_xlim(0, float(x[-1]) if x[-1] > 0 else 1.0)
    axes.set_xlabel(unit)
    axes.set_ylabel("footprint (MB)")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)


def _positions(line: Line, over: str) -> tuple[np.ndarray, str]:
    if over == "events":
        return line.event / 1e6, "events (millions)"
    return line.allocated_bytes / 1e6, "allocated so far (MB)"


def _wrap(title: str, width: int = 100) -> str:
    lines = [""]
    for part in title.split(", "):
        joined = f"{lines[-1]}, {part}" if lines[-1] else part
        if len(joined) > width:
            lines[-1] += ","
            lines.append(part)
        else:
            lines[-1] = joined
    return "\n".join(lines)
