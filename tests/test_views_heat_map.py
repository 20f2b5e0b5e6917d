# SPDX-License-Identifier: MIT
"""A heat map of comparisons: colours are ratios, cells say the figure or why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alloclab.errors import NotComparable, NotMeasured, UsageError
from alloclab.results import Measure
from alloclab.views import plot_heat_map

pytest.importorskip("matplotlib")

PEAK, TIME = "peak_footprint_bytes", "ns_per_event"


@dataclass
class FakeRow:
    label: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    ratios: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


@dataclass
class FakeComparison:
    trace: str
    rows: list[FakeRow]
    baseline: str | None = "glibc"

    def __iter__(self) -> Iterator[FakeRow]:
        return iter(self.rows)


def compared(name: str, *peaks: float) -> FakeComparison:
    """glibc, jemalloc and pool with these peaks, each taken once."""
    labels = ("glibc", "jemalloc", "pool")
    rows = [
        FakeRow(label, {PEAK: Measure(peak)}) for label, peak in zip(labels, peaks, strict=False)
    ]
    return FakeComparison(f"{name}.alloctrace", rows)


def cell_words(figure: Any, line: int, column: int) -> list[str]:
    """The words of a cell, from the top."""
    texts = [(text.get_position(), text.get_text()) for text in figure.axes[0].texts]
    inside = [each for each in texts if round(each[0][0]) == column and round(each[0][1]) == line]
    return [words for _, words in sorted(inside, key=lambda each: each[0][1])]


def colour(figure: Any, line: int, column: int) -> tuple[float, ...]:
    (image,) = figure.axes[0].images
    return tuple(np.asarray(image.get_array())[line][column])


def test_a_cell_has_the_ratio_and_the_figure() -> None:
    figure = plot_heat_map([compared("one", 2e6, 3e6), compared("two", 4e6, 1e6)])
    assert cell_words(figure, 0, 1) == ["1.50x", "3.00 MB"]
    assert cell_words(figure, 1, 1) == ["0.25x", "1.00 MB"]
    assert figure.axes[0].get_title(loc="left") == f"{PEAK}: ratio to glibc, of one round"
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["one", "two"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["glibc", "jemalloc"]


def test_less_is_blue_more_is_red_and_as_much_is_nearly_white() -> None:
    figure = plot_heat_map([compared("one", 1e6, 2e6, 0.5e6)])
    same, more, less = (colour(figure, 0, column) for column in range(3))
    assert min(same[:3]) > 0.9
    assert more[0] > more[2] + 0.2
    assert less[2] > less[0] + 0.2


def test_the_scale_is_logarithmic_and_ends_at_four_times() -> None:
    figure = plot_heat_map([compared("one", 1e6, 2e6, 4e6), compared("two", 1e6, 40e6, 0.01e6)])
    scale = figure.axes[1]
    assert scale.get_ylim() == pytest.approx((0.25, 4))
    assert scale.get_ylabel() == "ratio to glibc"
    labels = [label.get_text() for label in scale.get_yticklabels()]
    assert labels == ["0.25x", "0.50x", "1.00x", "2.00x", "4.00x"]
    assert colour(figure, 0, 2) == colour(figure, 1, 1), "as red as it gets"


def test_an_interval_stands_below_the_figure_and_a_ratio_of_perhaps_one_is_marked() -> None:
    rows = [
        FakeRow("glibc", {TIME: Measure(10, (), 9, 12)}, {TIME: Measure(1, (), 1, 1)}),
        FakeRow("pool", {TIME: Measure(8, (), 7.5, 11)}, {TIME: Measure(0.8, (), 0.7, 1.1)}),
        FakeRow("arena", {TIME: Measure(5, (), 4.5, 6)}, {TIME: Measure(0.5, (), 0.4, 0.6)}),
    ]
    figure = plot_heat_map([FakeComparison("one.alloctrace", rows)], TIME)
    assert cell_words(figure, 0, 0) == ["1.00x", "10.00", "9.00..12.00"]
    assert cell_words(figure, 0, 1) == ["~0.80x", "8.00", "7.50..11.00"]
    assert cell_words(figure, 0, 2) == ["0.50x", "5.00", "4.50..6.00"]
    assert figure.axes[0].get_title(loc="left") == (
        "ns_per_event: ratio to glibc, median, 95 % interval"
    )


def test_an_interval_names_a_unit_once_where_both_ends_have_it() -> None:
    row = FakeRow("glibc", {PEAK: Measure(2e6, (), 1.9e6, 2.1e6)})
    wide = FakeRow("pool", {PEAK: Measure(0.1e6, (), 99e3, 0.11e6)})
    figure = plot_heat_map([FakeComparison("one.alloctrace", [row, wide])])
    assert cell_words(figure, 0, 0)[-1] == "1.90..2.10 MB"
    assert cell_words(figure, 0, 1)[-1] == "99.00 kB..0.11 MB"


def test_what_is_missing_says_why_each_reason_once() -> None:
    missing = "not installed: apt-get install libjemalloc2"
    short = NotMeasured("too short to time")
    rows = [
        FakeRow("glibc", {TIME: Measure(10)}),
        FakeRow("jemalloc", problem=missing),
        FakeRow("pool", {TIME: short}),
    ]
    other = [FakeRow("glibc", {TIME: short}), FakeRow("jemalloc", problem=missing)]
    shown = [FakeComparison("one.alloctrace", rows), FakeComparison("two.alloctrace", other)]
    figure = plot_heat_map(shown, TIME)
    assert cell_words(figure, 0, 1) == cell_words(figure, 1, 1) == ["n/m (a)"]
    assert cell_words(figure, 0, 2) == cell_words(figure, 1, 0) == ["n/m (b)"]
    assert cell_words(figure, 1, 2) == ["n/m (c)"]
    assert figure.axes[0].get_xlabel().splitlines() == [
        f"a: {missing}",
        "b: too short to time",
        "c: not compared",
    ]
    assert len({colour(figure, *place) for place in ((0, 1), (0, 2), (1, 0), (1, 2))}) == 1


def test_without_a_figure_of_the_baseline_there_is_no_ratio() -> None:
    rows = [
        FakeRow("glibc", {TIME: NotMeasured("too short")}),
        FakeRow("pool", {TIME: Measure(5)}, {TIME: NotMeasured("too short")}),
    ]
    figure = plot_heat_map([FakeComparison("one.alloctrace", rows)], TIME)
    assert cell_words(figure, 0, 1) == ["5.00"]
    assert colour(figure, 0, 1) == (1, 1, 1, 1)


def test_units_are_those_of_the_metric() -> None:
    for metric, value, words in (
        ("internal_fragmentation_ratio", 0.123, "12.3 %"),
        ("page_faults", 12345, "12,345"),
        ("events_per_s", 45.6e6, "45.6 M"),
        ("johnstone_wilson_1", 1.234, "1.23"),
    ):
        shown = FakeComparison("one.alloctrace", [FakeRow("glibc", {metric: Measure(value)})])
        assert cell_words(plot_heat_map([shown], metric), 0, 0)[-1] == words


def test_words_stay_inside_their_cells(tmp_path: Path) -> None:
    measure = Measure(123.456e6, (), 123.111e6, 123.999e6)
    names = ("glibc", "jemalloc", "mimalloc", "tcmalloc", "pool")
    rows = [FakeRow(name, {PEAK: measure}) for name in names]
    figure = plot_heat_map([FakeComparison(f"{at}.alloctrace", rows) for at in range(16)])
    figure.draw_without_rendering()
    axes = figure.axes[0]
    width, height = axes.bbox.width / 5, axes.bbox.height / 16
    boxes = [text.get_window_extent() for text in axes.texts]
    assert max(box.width for box in boxes) < width
    assert 3 * max(box.height for box in boxes) < 1.2 * height
    figure.savefig(tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 1000


def test_names_and_reasons_are_words_and_no_formulas(tmp_path: Path) -> None:
    name = "$\\nothing{$"
    rows = [FakeRow(name, {PEAK: Measure(1e6)}), FakeRow("pool", problem=f"failed: {name}")]
    figure = plot_heat_map([FakeComparison(f"{name}.alloctrace", rows, baseline=name)])
    figure.savefig(tmp_path / "dollars.png")
    assert figure.axes[0].get_yticklabels()[0].get_text() == name


def test_what_cannot_be_set_side_by_side_is_refused() -> None:
    one, other = compared("one", 1e6), compared("other", 1e6)
    other.baseline = "pool"
    with pytest.raises(NotComparable, match="ratios are to glibc in one and to pool in other"):
        plot_heat_map([one, other])
    with pytest.raises(UsageError, match="one is there twice"):
        plot_heat_map([one, one])
    with pytest.raises(UsageError, match="no comparisons"):
        plot_heat_map([])
    with pytest.raises(UsageError, match="no comparison has 'speed': there are peak_footprint"):
        plot_heat_map([one], "speed")
