# SPDX-License-Identifier: MIT
"""Where blocks stood and when: rectangles over events and addresses, and what was free between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from alloclab.errors import NotMeasured
from alloclab.views.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Lightness rises with the size class (viridis, by Smith and van der Walt), so the order of sizes is
# seen by every kind of eyesight, and on paper.
_CLASSES = (
    (16, "16 B"),
    (64, "64 B"),
    (256, "256 B"),
    (1 << 10, "1 KiB"),
    (4 << 10, "4 KiB"),
    (64 << 10, "64 KiB"),
)
_LARGEST = "more"
_COLOUR_MAP = "viridis"
# Up to this many blocks each is a rectangle of its own, with an outline; the outlines of more would
# hide the small ones.
_OUTLINED_BLOCKS = 200
_GRID_EVENTS, _GRID_BYTES = 900, 500
# A pixel with anything in it is at least this visible.
_FAINTEST = 0.35

_LIVE_COLOUR, _BLOCK_COLOUR, _EXTENT_COLOUR, _RUN_COLOUR = (
    "#b4b4b4",
    "#dcdcdc",
    "#0072B2",
    "#D55E00",
)


class PlacementSource(Protocol):
    """What is drawn: a placement, or whatever else has blocks as columns."""

    @property
    def blocks(self) -> Mapping[str, npt.NDArray[Any]]: ...

    @property
    def events(self) -> int: ...

    def timeline(self, samples: int = ...) -> dict[str, npt.NDArray[np.int64]]: ...

    def title(self) -> str: ...


def plot_map(
    source: PlacementSource,
    *,
    axes: Axes | None = None,
    top_bytes: int | None = None,
    has_legend: bool = True,
) -> Figure:
    """Draws each block as a rectangle: its life from left to right, its addresses upwards.

    Colours are classes of the size that was asked for, darker is smaller. Many blocks are drawn as
    a raster whose pixels take the class that fills most of them, fainter where less is filled.

    Args:
        source: a placement.
        axes: where to draw; a figure of its own by default.
        top_bytes: the end of the address axis, so that several maps can be set side by side.
        has_legend: whether the colours are explained.

    Raises:
        NotInstalled: matplotlib is missing; says how to get it.
        NotMeasured: no block was ever placed.
    """
    rectangles = _Rectangles(source)
    top = top_bytes or int((rectangles.offset + rectangles.height).max())
    figure = new_figure((9, 5)) if axes is None else axes.figure
    axes = figure.add_subplot() if axes is None else axes
    unit, scale = ("MB", 1e6) if top >= 1e6 else ("kB", 1e3) if top >= 1e4 else ("bytes", 1.0)
    if len(rectangles.offset) <= _OUTLINED_BLOCKS:
        _draw_outlined(axes, rectangles, scale)
    else:
        picture = _raster(rectangles, source.events, top)
        extent = (0.0, float(source.events), 0.0, top / scale)
        axes.imshow(picture, extent=extent, origin="lower", aspect="auto", interpolation="none")
    axes.set_xlim(0, max(source.events, 1))
    axes.set_ylim(0, top / scale)
    axes.set_xlabel("event")
    axes.set_ylabel(f"address ({unit})")
    axes.set_title(source.title(), fontsize=10, loc="left")
    if has_legend:
        axes.legend(
            handles=_legend(rectangles),
            fontsize=8,
            frameon=False,
            title="bytes asked for, up to",
            title_fontsize=8,
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
        )
    return cast("Figure", figure)


def plot_fragmentation(
    source: PlacementSource, *, samples: int = 500, axes: Axes | None = None
) -> Figure:
    """Draws what is live, over events, below the end of the highest block: between is free.

    Args:
        source: a placement.
        samples: after how many events to look.
        axes: where to draw; a figure of its own by default.

    Raises:
        NotInstalled: matplotlib is missing; says how to get it.
        NotMeasured: there are no events.
    """
    line = source.timeline(samples)
    figure = new_figure((9, 4)) if axes is None else axes.figure
    axes = figure.add_subplot() if axes is None else axes
    event, top = line["event"], float(line["extent_bytes"].max(initial=1))
    unit, scale = ("MB", 1e6) if top >= 1e6 else ("kB", 1e3) if top >= 1e4 else ("bytes", 1.0)
    areas = (
        ("block live", line["block_live_bytes"], _BLOCK_COLOUR),
        ("requested live", line["requested_live_bytes"], _LIVE_COLOUR),
    )
    for label, column, colour in areas:
        axes.fill_between(event, column / scale, color=colour, linewidth=0, label=label)
    axes.plot(event, line["extent_bytes"] / scale, color=_EXTENT_COLOUR, label="extent")
    axes.plot(
        event,
        line["largest_free_run_bytes"] / scale,
        color=_RUN_COLOUR,
        linestyle="--",
        label="largest free run",
    )
    axes.set_xlim(0, max(source.events - 1, 1))
    axes.set_ylim(0, 1.05 * max(top, 1.0) / scale)
    axes.set_xlabel("event")
    axes.set_ylabel(unit)
    axes.grid(alpha=0.25)
    axes.set_title(source.title(), fontsize=10, loc="left")
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return cast("Figure", figure)


class _Rectangles:
    """The placed blocks: where, how high, from when to when, and of which class."""

    def __init__(self, source: PlacementSource) -> None:
        is_placed = source.blocks["offset"] >= 0
        if not is_placed.any():
            raise NotMeasured("no block was ever placed")
        columns = {name: column[is_placed] for name, column in source.blocks.items()}
        self.offset, self.height = columns["offset"], columns["block_size"]
        self.start = columns["birth"]
        self.end = np.where(columns["death"] < 0, source.events, columns["death"])
        limits = [limit for limit, _ in _CLASSES]
        self.classes = np.searchsorted(limits, columns["size"], side="left")


def _colours() -> npt.NDArray[np.float64]:
    from matplotlib import colormaps

    # The lightest end is left out: it is hardly seen on white.
    return np.asarray(colormaps[_COLOUR_MAP](np.linspace(0.0, 0.9, len(_CLASSES) + 1))[:, :3])


def _legend(rectangles: _Rectangles) -> list[Any]:
    from matplotlib.patches import Patch

    names = [*(name for _, name in _CLASSES), _LARGEST]
    return [
        Patch(color=tuple(_colours()[at]), label=names[at]) for at in np.unique(rectangles.classes)
    ]


def _draw_outlined(axes: Axes, rectangles: _Rectangles, scale: float) -> None:
    from matplotlib.collections import PolyCollection

    left, right = rectangles.start, rectangles.end
    low = rectangles.offset / scale
    high = (rectangles.offset + rectangles.height) / scale
    corners = np.stack(
        [
            np.column_stack(pair)
            for pair in ((left, low), (left, high), (right, high), (right, low))
        ],
        axis=1,
    )
    axes.add_collection(
        PolyCollection(
            list(corners),
            facecolors=_colours()[rectangles.classes],
            edgecolors="white",
            linewidths=0.3,
        )
    )


def _raster(rectangles: _Rectangles, events: int, top: int) -> npt.NDArray[np.float64]:
    """Returns a picture, a pixel's colour the class that fills most of it.

    Each block adds its height's share of a pixel to the pixels it lies in, by a table of
    differences that two cumulative sums turn into totals: the cost is a few steps a block however
    large it is drawn.
    """
    across = np.array([rectangles.start, rectangles.end]) * (_GRID_EVENTS / max(events, 1))
    up = np.array([rectangles.offset, rectangles.offset + rectangles.height]) * (_GRID_BYTES / top)
    left, right = _pixels(across, _GRID_EVENTS)
    low, high = _pixels(up, _GRID_BYTES)
    filled = (across[1] - across[0]) * (up[1] - up[0]) / ((right - left) * (high - low))
    count = len(_CLASSES) + 1
    shape = (count, _GRID_BYTES + 1, _GRID_EVENTS + 1)
    table = np.zeros(int(np.prod(shape)))
    for row, column, sign in ((low, left, 1), (low, right, -1), (high, left, -1), (high, right, 1)):
        at = (rectangles.classes * shape[1] + row) * shape[2] + column
        table += sign * np.bincount(at, weights=filled, minlength=len(table))
    shares = table.reshape(shape).cumsum(axis=1).cumsum(axis=2)[:, :-1, :-1]
    total = shares.sum(axis=0)
    picture = np.ones((_GRID_BYTES, _GRID_EVENTS, 4))
    picture[..., :3] = _colours()[shares.argmax(axis=0)]
    is_filled = total > 1e-9  # sums of differences leave dust
    picture[..., 3] = np.where(is_filled, np.clip(total, _FAINTEST, 1.0), 0.0)
    return picture


def _pixels(
    bounds: npt.NDArray[np.float64], count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Returns the pixels from the first one touched to behind the last, at least one."""
    first = np.clip(np.floor(bounds[0]), 0, count - 1).astype(np.int64)
    last = np.clip(np.ceil(bounds[1]), first + 1, count).astype(np.int64)
    return first, last
