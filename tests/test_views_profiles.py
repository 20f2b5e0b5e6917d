# SPDX-License-Identifier: MIT
"""Profiles one below the other: the curves go where the figures say, the words are all there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alloclab as al
from alloclab.errors import UsageError
from alloclab.views import plot_profiles
from support.made_traces import Calls

pytest.importorskip("matplotlib")


def profile_of(folder: Path, sizes: list[int], freed: int, name: str = "made") -> al.Profile:
    """Blocks of these sizes on one thread, of which the first so many are then freed."""
    calls = Calls()
    blocks = [calls.allocate(size) for size in sizes]
    for block in blocks[:freed]:
        calls.free(block)
    return al.profile(calls.trace(folder / f"{name}.alloctrace", name))


def curve(axes: Any, number: int) -> Any:
    """What a curve is at each x, lines of one dot left out."""
    lines = [line for line in axes.lines if len(line.get_xdata()) > 100]
    x, y = lines[number].get_data()
    return lambda at: float(np.asarray(y)[np.searchsorted(x, at, side="right") - 1])


def words_of(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_a_curve_of_blocks_and_one_of_bytes_reach_the_top_of_their_band(tmp_path: Path) -> None:
    # A quarter of the blocks has 16 bytes or less; these are 16 of 16 + 3 * 4096 bytes.
    sizes = plot_profiles([profile_of(tmp_path, [16, 4096, 4096, 4096], 4)]).axes[0]
    blocks, in_bytes = curve(sizes, 0), curve(sizes, 1)
    assert blocks(20) == pytest.approx(0.8 * 0.25, abs=0.002)
    assert in_bytes(20) == pytest.approx(0.8 * 16 / (16 + 3 * 4096), abs=0.002)
    assert blocks(4096) == in_bytes(4096) == pytest.approx(0.8)
    assert words_of(sizes) == ["4.10 kB", "4.10 kB"]


def test_lifetimes_end_below_the_top_where_blocks_were_never_freed(tmp_path: Path) -> None:
    lives = plot_profiles([profile_of(tmp_path, [64] * 4, 3)]).axes[1]
    # The first lives for 3 * 64 bytes, the second for 2 * 64, the third for 64.
    freed = curve(lives, 0)
    assert freed(192) == pytest.approx(0.8 * 3 / 4)
    assert freed(100) == pytest.approx(0.8 * 1 / 4, abs=0.002)
    assert words_of(lives) == ["128 B", "25.0 % never freed"]


def test_bands_stand_in_their_order_and_share_their_axes(tmp_path: Path) -> None:
    shown = [profile_of(tmp_path, [8], 1, "first"), profile_of(tmp_path, [1 << 20], 0, "second")]
    figure = plot_profiles(shown)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["first\n1 block", "second\n1 block"]
    places = figure.axes[0].get_yticks()
    assert places[0] == places[1] + 1
    assert {axes.get_ylim() for axes in figure.axes} == {(-0.1, 1.9)}
    assert figure.axes[0].get_xlim()[1] > 1 << 20
    assert curve(figure.axes[0], 0)(8) == pytest.approx(1.8)


def test_threads_are_bars_of_their_calls_and_small_ones_are_drawn_as_one(tmp_path: Path) -> None:
    calls = Calls()
    blocks = [calls.allocate(8) for _ in range(300)]
    for block in blocks[:99]:
        calls.free(block, thread=1)
    calls.say("free_null", thread=2)
    threads = plot_profiles([al.profile(calls.trace(tmp_path / "t.alloctrace"))]).axes[2]
    bars = [patch for patch in threads.patches if hasattr(patch, "get_width")]
    widths = [bar.get_width() for bar in bars]
    assert widths == pytest.approx([300 / 400, 99 / 400, 1 / 400, 1.0, 99 / 99])
    assert bars[1].get_x() == pytest.approx(300 / 400)
    assert len({bar.get_facecolor() for bar in bars[:3]}) == 3
    assert words_of(threads) == ["3 threads, 3 at once; 100.0 % freed by another"]


def test_sixteen_programs_have_words_that_do_not_meet(tmp_path: Path) -> None:
    sizes = [[8 << (number % 5)] * 3 + [1 << 16] for number in range(16)]
    shown = [profile_of(tmp_path, each, 3, f"p{at}") for at, each in enumerate(sizes)]
    figure = plot_profiles(shown)
    figure.draw_without_rendering()
    for axes in figure.axes:
        texts = [*axes.texts, *axes.get_yticklabels()]
        boxes = [text.get_window_extent() for text in texts if text.get_text()]
        meeting = [
            (at, other)
            for at, box in enumerate(boxes)
            for other in range(at)
            if box.overlaps(boxes[other])
        ]
        assert meeting == []
        assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)


def test_an_empty_block_and_no_free_are_drawn_for_what_they_are(tmp_path: Path) -> None:
    figure = plot_profiles([profile_of(tmp_path, [0, 0], 0)])
    assert words_of(figure.axes[0]) == ["0 B"]
    assert words_of(figure.axes[1]) == ["100.0 % never freed"]
    figure.savefig(tmp_path / "profiles.png")
    assert (tmp_path / "profiles.png").stat().st_size > 1000


def test_a_name_is_words_and_no_formula(tmp_path: Path) -> None:
    calls = Calls()
    calls.allocate(8)
    figure = plot_profiles([al.profile(calls.trace(tmp_path / "d.alloctrace", "$\\nothing{$"))])
    figure.savefig(tmp_path / "dollars.png")
    assert figure.axes[0].get_yticklabels()[0].get_text() == "$\\nothing{$\n1 block"


def test_no_profiles_are_refused() -> None:
    with pytest.raises(UsageError, match="no profiles to draw"):
        plot_profiles([])
