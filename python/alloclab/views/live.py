# SPDX-License-Identifier: MIT
"""What a trace's blocks held over time, below the recorded program's own resident memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from alloclab.errors import NotMeasured
from alloclab.traces import KINDS, Trace
from alloclab.views.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZED = (KINDS["allocate"], KINDS["reallocate"])
_ENDED = (KINDS["free"], KINDS["reallocate_zero"])


def live_bytes(trace: Trace) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Returns the time and the bytes requested and alive after each event of a block."""
    times, live = [], []
    sizes = np.zeros(len(trace) + 1, np.int64)  # of each object by now
    before = 0
    for chunk in trace.chunks():
        is_ended = np.isin(chunk.kind, _ENDED)
        rows = np.flatnonzero(np.isin(chunk.kind, _SIZED) | is_ended)
        objects = chunk.object[rows].astype(np.int64)
        after = np.where(is_ended[rows], 0, chunk.size[rows].astype(np.int64))
        # An object's size before an event is that after its last one, in this chunk or before it.
        order = np.argsort(objects, kind="stable")
        is_first = np.diff(objects[order], prepend=-1) != 0
        earlier = np.where(is_first, sizes[objects[order]], np.roll(after[order], 1))
        change = np.empty_like(after)
        change[order] = after[order] - earlier
        sizes[objects[order]] = after[order]  # of repeated places the last stays
        total = before + np.cumsum(change)
        before = int(total[-1]) if total.size else before
        times.append(chunk.time_ns[rows])
        live.append(total)
    if not live:
        raise NotMeasured("the trace has no event")
    return np.concatenate(times), np.concatenate(live)


def plot_live(trace: Trace, *, axes: Axes | None = None) -> Figure:
    """Draws the live bytes of a trace over time, and the program's resident anonymous memory.

    Raises:
        NotInstalled: matplotlib is missing; says how to get it.
        NotMeasured: the trace has no event.
    """
    time_ns, live = live_bytes(trace)
    figure = new_figure((9, 3.5)) if axes is None else axes.figure
    axes = figure.add_subplot() if axes is None else axes
    peak = live.max(initial=0) / 1e6
    axes.fill_between(
        time_ns / 1e6, live / 1e6, color="#b4b4b4", linewidth=0, label=f"live, peak {peak:.1f} MB"
    )
    event, footprint = trace.footprint()["event"], trace.footprint()["anonymous_bytes"] / 1e6
    if event.size:
        label = f"resident, from {footprint.min():.1f} to {footprint.max():.1f} MB"
        axes.plot(_times(trace, event) / 1e6, footprint, color="#0072B2", label=label)
    axes.set_xlabel("time, ms")
    axes.set_ylabel("MB")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", fontsize=8)
    axes.set_title(trace.name, fontsize=10, loc="left")
    return cast("Figure", figure)


def _times(trace: Trace, events: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    found = [
        chunk.time_ns[events[at : at + end] - chunk.first_event]
        for chunk in trace.chunks()
        for at, end in [_within(events, chunk.first_event, len(chunk))]
    ]
    return np.concatenate(found)


def _within(events: npt.NDArray[Any], first: int, count: int) -> tuple[int, int]:
    begin, end = np.searchsorted(events, [first, first + count])
    return int(begin), int(end - begin)
