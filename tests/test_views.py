# SPDX-License-Identifier: MIT
"""Plots: what is drawn, in which units, and what happens without matplotlib."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alloclab.errors import NotInstalled, NotMeasured, UsageError
from alloclab.replay import Timeline
from alloclab.views import plot_footprint

pytest.importorskip("matplotlib")


class Source:
    """Three allocators; the last holds twenty times what the others do."""

    def __init__(self) -> None:
        steps = np.linspace(0.0, 1.0, 50)
        self.lines = {
            name: Timeline(
                event=steps * 2e6,
                requested_live_bytes=np.sin(steps * 3) * 10e6,
                touched_live_bytes=np.sin(steps * 3) * 9e6,
                allocated_bytes=steps * 80e6,
                footprint_bytes=steps * peak,
            )
            for name, peak in (("glibc", 12e6), ("pool", 11e6), ("arena", 240e6))
        }

    def timelines(self) -> dict[str, Timeline]:
        return self.lines

    def title(self) -> str:
        return "small: 2,000,000 events, touched as recorded"


def test_every_allocator_is_a_line_with_its_peak_in_the_legend() -> None:
    axes = plot_footprint(Source()).axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "requested live, peak 10.0 MB",
        "touched live, peak 9.0 MB",
        "glibc, peak 12.0 MB",
        "pool, peak 11.0 MB",
        "arena, peak 240.0 MB (cut off)",
    ]
    assert len({line.get_color() for line in axes.lines}) == 3


def test_touched_live_is_drawn_only_where_it_differs() -> None:
    source = Source()
    source.lines = {
        name: replace(line, touched_live_bytes=line.requested_live_bytes)
        for name, line in source.lines.items()
    }
    axes = plot_footprint(source).axes[0]
    assert len(axes.collections) == 1
    assert len(plot_footprint(Source()).axes[0].collections) == 2


def test_axes_have_units_and_a_title() -> None:
    axes = plot_footprint(Source()).axes[0]
    assert axes.get_ylabel() == "footprint (MB)"
    assert axes.get_xlabel() == "allocated so far (MB)"
    assert axes.get_title(loc="left") == "small: 2,000,000 events, touched as recorded"
    assert axes.lines[0].get_xdata()[-1] == pytest.approx(80.0)
    events = plot_footprint(Source(), over="events").axes[0]
    assert events.get_xlabel() == "events (millions)"
    assert events.lines[0].get_xdata()[-1] == pytest.approx(2.0)


def test_a_line_far_above_the_others_is_cut_off() -> None:
    assert plot_footprint(Source()).axes[0].get_ylim()[1] == pytest.approx(1.08 * 12.0)


def test_a_picture_is_written(tmp_path: Path) -> None:
    picture = tmp_path / "footprint.png"
    plot_footprint(Source()).savefig(picture)
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_notebook_shows_the_figure_by_itself() -> None:
    figure = plot_footprint(Source())
    assert figure._repr_png_()[:4] == b"\x89PNG"  # type: ignore[attr-defined]


def test_a_figure_can_be_drawn_into_axes_of_ones_own() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.add_subplot()
    assert plot_footprint(Source(), axes=axes) is figure


def test_nothing_to_draw_and_unknown_axes_are_refused() -> None:
    empty = Source()
    empty.lines = {}
    with pytest.raises(NotMeasured, match="no allocator has a timeline"):
        plot_footprint(empty)
    with pytest.raises(UsageError, match="unknown axis 'time'"):
        plot_footprint(Source(), over="time")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(NotInstalled, match=r"pip install 'alloclab\[plot\]'"):
        plot_footprint(Source())
