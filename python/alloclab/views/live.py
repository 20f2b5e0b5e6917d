# SPDX-License-Identifier: MIT
"""What a program had live over its run: phases are coloured bands behind it, frames ticks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from alloclab.errors import NotMeasured, UsageError
from alloclab.live_bytes import Ints, LiveBytes, live_bytes
from alloclab.phases import OPEN, Columns, ScopedTrace
from alloclab.units import format_bytes, format_count
from alloclab.views.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

_STEPS = 1600  # stretches of the run that are told apart; each shows the most live within
# Okabe and Ito's colours, made light enough to read a line over; the first go to the longest.
_BANDS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00")
_BAND_ALPHA, _OTHER_COLOUR = 0.34, "#9a9a9a"
_LIVE_COLOUR, _MAPPED_COLOUR, _RESIDENT_COLOUR = "#303030", "#8c8c8c", "#a01010"
_TICK_COLOUR = "#202020"
_MOST_TICKS = 2000  # more would be a bar
_PREFERRED = ("phase", "stage", "task", "turn", "request", "frame")
_LONGEST_LABEL = 36


def plot_live(
    trace: ScopedTrace,
    *,
    kind: str | None = None,
    over: str = "time",
    axes: Axes | None = None,
) -> Figure:
    """Draws requested and mapped bytes live over the run, and the resident memory sampled.

    Where scopes of the kind lie within each other the innermost has the band; the legend names the
    longest, the others share a grey.

    Args:
        trace: a trace; without scopes it is drawn without bands.
        kind: which scopes are bands; by default phases, or what there is in their place.
        over: "time" for seconds since the first event, "events" for events.
        axes: where to draw; a figure of its own by default.

    Raises:
        NotInstalled: matplotlib is missing; says how to get it.
        NotMeasured: the trace has no events.
        UsageError: an unknown `over`, or no scope of that kind.
    """
    if over not in ("time", "events"):
        raise UsageError(f"unknown axis {over!r}: known are time, events")
    events = len(trace)
    if not events:
        raise NotMeasured("the trace has no events to draw")
    scopes, names = trace.scopes(), trace.names
    kind = _choose_kind(scopes, names, kind)
    live = live_bytes(trace, events, np.linspace(0, events, _STEPS + 1).astype(np.int64))
    x = _Axis(live, over)
    figure = new_figure((10, 5)) if axes is None else axes.figure
    axes = figure.add_subplot() if axes is None else axes
    top = _draw_live(axes, x, live, trace.footprint())
    bands = [] if kind is None else _draw_bands(axes, x, scopes, names, kind)
    _draw_frames(axes, x, scopes, names)
    axes.set_xlim(0, x.end)
    axes.set_ylim(0, 1.06 * top / 1e6)
    axes.set_xlabel(x.label)
    axes.set_ylabel("memory (MB)")
    axes.grid(alpha=0.2)
    axes.set_title(_title(trace, events, x), fontsize=10, loc="left")
    drawn, _ = axes.get_legend_handles_labels()
    axes.legend(
        handles=[*drawn, *bands],
        fontsize=8,
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
    )
    return cast("Figure", figure)


class _Axis:
    """Where an event stands from left to right."""

    def __init__(self, live: LiveBytes, over: str) -> None:
        self._event, self._time_ns = live.event, live.time_ns
        self._is_time = over == "time"
        self.label = "time (s)" if self._is_time else "events (millions)"
        self.end = max(float(self.of(live.event[-1:])[0]), 1e-9)

    def of(self, event: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        if self._is_time:
            seconds: npt.NDArray[np.float64] = np.interp(event, self._event, self._time_ns) / 1e9
            return seconds
        return np.asarray(event, dtype=np.float64) / 1e6


def _draw_live(axes: Axes, x: _Axis, live: LiveBytes, samples: Columns) -> float:
    at = x.of(live.event[:-1])
    requested, mapped = live.peak_live_bytes, live.peak_mapped_bytes
    top = int(requested.max())
    if mapped.any():
        both = requested + mapped
        label = f"mapped, on top: peak {_mb(mapped)}"
        axes.fill_between(
            at,
            requested / 1e6,
            both / 1e6,
            step="post",
            color=_MAPPED_COLOUR,
            alpha=0.45,
            linewidth=0,
            label=label,
            zorder=2,
        )
        top = max(top, int(both.max()))
    axes.fill_between(
        at,
        requested / 1e6,
        step="post",
        color=_LIVE_COLOUR,
        alpha=0.8,
        linewidth=0,
        label=f"requested live: peak {_mb(requested)}",
        zorder=3,
    )
    if len(samples["event"]):
        resident = samples["anonymous_bytes"]
        axes.plot(
            x.of(samples["event"]),
            resident / 1e6,
            color=_RESIDENT_COLOUR,
            linewidth=1.1,
            label=f"resident: peak {_mb(resident)}",
            zorder=4,
        )
        top = max(top, int(resident.max()))
    return max(float(top), 1.0)


def _draw_bands(axes: Axes, x: _Axis, scopes: Columns, names: list[str], kind: str) -> list[Patch]:
    """Draws the bands behind the rest; returns what the legend says of them."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Patch

    bands = _bands(x, scopes, names, kind)
    colours = np.zeros((len(bands.names) + 1, 4))
    for place, name in enumerate(bands.longest[: len(_BANDS)]):
        colours[name] = to_rgba(_BANDS[place], _BAND_ALPHA)
    for name in bands.longest[len(_BANDS) :]:
        colours[name] = to_rgba(_OTHER_COLOUR, _BAND_ALPHA)
    picture = colours[bands.columns][np.newaxis]
    axes.imshow(
        picture,
        extent=(0, x.end, 0, 1),
        transform=axes.get_xaxis_transform(),
        aspect="auto",
        interpolation="none",
        zorder=0,
    )
    first = {name: place for place, name in enumerate(bands.in_order)}
    coloured = dict(zip(bands.longest, _BANDS, strict=False))
    handles = [
        Patch(color=to_rgba(coloured[name], _BAND_ALPHA), label=_shortened(bands.names[name]))
        for name in sorted(coloured, key=first.__getitem__)
    ]
    others = len(bands.longest) - len(handles)
    if others > 0:
        text = f"{format_count(others)} other {kind}{'s' if others > 1 else ''}"
        handles.append(Patch(color=to_rgba(_OTHER_COLOUR, _BAND_ALPHA), label=text))
    return handles


@dataclass(frozen=True)
class _Bands:
    """The name in each column of the picture; names by what they cover, and by first entry."""

    names: list[str]
    columns: Ints
    longest: list[int]
    in_order: list[int]


def _bands(x: _Axis, scopes: Columns, names: list[str], kind: str) -> _Bands:
    """Gives each column to the name that covers most of it, where any covers half.

    What a scope covers, the one of the same kind around it does not.
    """
    is_kind = scopes["kind"] == names.index(kind)
    row = np.flatnonzero(is_kind)
    around = _around(scopes["parent"].astype(np.int64), is_kind, row)
    end = np.where(scopes["exit"] == OPEN, np.iinfo(np.int64).max, scopes["exit"])
    left = x.of(scopes["enter"][row]) * _STEPS / x.end
    right = np.minimum(x.of(end[row]) * _STEPS / x.end, _STEPS)
    number, label = np.unique(scopes["name"][row], return_inverse=True)
    of_row = np.zeros(len(is_kind), np.int64)
    of_row[row] = label.ravel()
    covered = np.zeros((len(number) + 1, _STEPS + 2))
    _cover(covered, of_row[row], left, right, 1.0)
    inner = around >= 0
    _cover(covered, of_row[around[inner]], left[inner], right[inner], -1.0)
    share = covered[:, :_STEPS]
    total = share.sum(axis=1)
    columns = np.where(share.sum(axis=0) >= 0.5, share.argmax(axis=0), len(number))
    longest = [int(each) for each in np.argsort(-total, kind="stable") if total[each] > 0]
    _, first = np.unique(label.ravel(), return_index=True)
    in_order = [int(each) for each in np.argsort(first)]
    return _Bands([names[int(each)] for each in number], columns, longest, in_order)


def _cover(
    table: npt.NDArray[np.float64],
    label: Ints,
    left: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
    sign: float,
) -> None:
    """Adds the share of each column that lies between left and right, by differences of sums."""
    changes = np.zeros((table.shape[0], table.shape[1] + 1))
    for edge, direction in ((left, sign), (right, -sign)):
        column = np.clip(np.floor(edge).astype(np.int64), 0, table.shape[1] - 2)
        part = column + 1 - edge  # of its column that lies behind the edge
        np.add.at(changes, (label, column), direction * part)
        np.add.at(changes, (label, column + 1), direction * (1 - part))
    table += changes.cumsum(axis=1)[:, :-1]


def _around(parent: Ints, is_kind: npt.NDArray[np.bool_], row: Ints) -> Ints:
    """Returns for each row the innermost scope of the kind around it, -1 for none."""
    found = parent[row]
    while True:
        is_other = found >= 0
        is_other[is_other] = ~is_kind[found[is_other]]
        if not is_other.any():
            return found
        found = np.where(is_other, parent[np.maximum(found, 0)], found)


def _draw_frames(axes: Axes, x: _Axis, scopes: Columns, names: list[str]) -> None:
    if "frame" not in names:
        return
    at = x.of(scopes["enter"][scopes["kind"] == names.index("frame")])
    if not at.size:
        return
    step = -(-at.size // _MOST_TICKS)
    shown = at[::step]
    text = f"{format_count(at.size)} frames" + (f", one in {step} drawn" if step > 1 else "")
    axes.vlines(
        shown,
        0,
        0.025,
        transform=axes.get_xaxis_transform(),
        color=_TICK_COLOUR,
        linewidth=0.5,
        label=text,
        zorder=5,
    )


def _choose_kind(scopes: Columns, names: list[str], kind: str | None) -> str | None:
    there = [names[int(each)] for each in np.unique(scopes["kind"])]
    if kind is not None and kind not in there:
        raise UsageError(f"no scopes of kind {kind!r}: the trace has {', '.join(there) or 'none'}")
    if kind is not None:
        return kind
    others = [each for each in there if each != "frame"]
    return next((each for each in _PREFERRED if each in others), next(iter(others), None))


def _title(trace: Any, events: int, x: _Axis) -> str:
    name = getattr(trace, "name", "")
    return f"{name + ': ' if name else ''}{format_count(events)} events"


def _mb(values: npt.NDArray[Any]) -> str:
    return format_bytes(float(values.max()))


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else f"...{name[3 - _LONGEST_LABEL :]}"
