# SPDX-License-Identifier: MIT
"""Live bytes over a run: what is drawn, which bands, which words."""

from __future__ import annotations

import numpy as np
import pytest

from alloclab.errors import NotMeasured, UsageError
from alloclab.views import plot_live
from support.scoped_trace import ScopedTrace

pytest.importorskip("matplotlib")


def run_of(phases: int, frames: int = 0) -> ScopedTrace:
    """Phases p0, p1 ... each twice as long as the one before, then frames."""
    trace = ScopedTrace()
    for number in range(phases):
        row = trace.enter("phase", f"p{number}")
        for _ in range(50 << number):
            trace.allocate(1_000)
        trace.exit(row)
    for _ in range(frames):
        row = trace.enter("frame", "frame")
        trace.allocate(8)
        trace.exit(row)
    return trace


def words_of(trace: ScopedTrace) -> list[str]:
    legend = plot_live(trace).axes[0].get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_the_legend_names_what_is_drawn_and_the_phases_in_their_order() -> None:
    trace = run_of(3)
    trace.sample(2_000_000)
    assert words_of(trace) == [
        "requested live: peak 0.35 MB",
        "resident: peak 2.00 MB",
        "p0",
        "p1",
        "p2",
    ]


def test_only_the_longest_phases_are_named() -> None:
    words = words_of(run_of(9))
    assert words[1:] == ["p2", "p3", "p4", "p5", "p6", "p7", "p8", "2 other phases"]


def test_a_band_is_as_long_as_its_phase_and_gives_way_to_one_within() -> None:
    trace = ScopedTrace()
    outer = trace.enter("phase", "outer")
    for _ in range(400):
        trace.allocate(1)
    inner = trace.enter("phase", "inner")
    for _ in range(400):
        trace.allocate(1)
    trace.exit(inner)
    trace.exit(outer)
    for _ in range(804):
        trace.allocate(1)
    [image] = plot_live(trace, over="events").axes[0].images
    shown = np.asarray(image.get_array())[0]
    colours = [tuple(shown[int(len(shown) * share)]) for share in (0.1, 0.24, 0.3, 0.45, 0.6, 0.9)]
    assert colours[0] == colours[1]
    assert colours[2] == colours[3] != colours[0]
    assert colours[4] == colours[5] == (0, 0, 0, 0)


def test_frames_are_ticks_and_thinned_out_where_there_are_many() -> None:
    assert words_of(run_of(1, frames=20))[1] == "20 frames"
    assert words_of(run_of(0, frames=5000))[1] == "5,000 frames, one in 3 drawn"


def test_axes_have_units_and_regions_are_drawn_on_top() -> None:
    trace = run_of(1)
    trace.map(3_000_000)
    trace.allocate(1)
    axes = plot_live(trace).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "memory (MB)")
    assert axes.get_title(loc="left") == "made-up: 54 events"
    assert axes.get_ylim()[1] == pytest.approx(1.06 * 3.050001)
    assert plot_live(trace, over="events").axes[0].get_xlabel() == "events (millions)"


def test_unknown_axes_and_kinds_and_empty_traces_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown axis 'bytes'"):
        plot_live(run_of(1), over="bytes")
    with pytest.raises(UsageError, match="no scopes of kind 'turn': the trace has phase"):
        plot_live(run_of(1), kind="turn")
    with pytest.raises(NotMeasured, match="no events"):
        plot_live(ScopedTrace())
