# SPDX-License-Identifier: MIT
"""Medians, intervals, paired ratios and the Mann-Whitney test, against figures worked by hand."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alloclab import stats
from alloclab.errors import NotMeasured, UsageError

SAMPLES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=12)


def test_one_sample_has_no_interval() -> None:
    measure = stats.summarise([4.0])
    assert (measure.value, measure.low, measure.high) == (4.0, None, None)


def test_equal_samples_have_an_interval_of_no_width() -> None:
    measure = stats.summarise([3.0] * 5)
    assert (measure.value, measure.low, measure.high) == (3.0, 3.0, 3.0)


@given(SAMPLES.filter(lambda samples: len(samples) > 1))
def test_an_interval_holds_its_median_and_lies_among_its_samples(samples: list[float]) -> None:
    measure = stats.summarise(samples)
    assert measure.low is not None and measure.high is not None
    assert min(samples) <= measure.low <= measure.value <= measure.high <= max(samples)


def test_the_same_samples_give_the_same_interval() -> None:
    samples = [4.1, 4.0, 4.3, 4.2, 5.0]
    assert stats.summarise(samples) == stats.summarise(samples)


def test_no_samples_are_refused() -> None:
    with pytest.raises(UsageError, match="no samples"):
        stats.summarise([])


def test_a_ratio_is_taken_round_by_round() -> None:
    # A slow third round counts for both: 2/1, 2/1, 20/10.
    measure = stats.paired_ratio([2.0, 2.0, 20.0], [1.0, 1.0, 10.0])
    assert (measure.value, measure.low, measure.high) == (2.0, 2.0, 2.0)


def test_a_ratio_to_zero_is_not_measured() -> None:
    with pytest.raises(NotMeasured, match="baseline's figure is zero"):
        stats.paired_ratio([1.0, 2.0], [1.0, 0.0])


def test_without_rounds_to_pair_the_ratio_is_of_medians() -> None:
    assert stats.paired_ratio([6.0], [1.0, 2.0, 3.0]).value == 3.0


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        # Of C(10,5) = 252 orderings one is as extreme on either side.
        ([1, 2, 3, 4, 5], [6, 7, 8, 9, 10], 2 / 252),
        # C(6,3) = 20 orderings; 1 has no wins, 1 has one: 2 * 2 / 20.
        ([1, 2, 4], [3, 5, 6], 4 / 20),
        ([1], [2], 1.0),
    ],
)
def test_small_samples_have_the_exact_p(first: list[float], second: list[float], p: float) -> None:
    assert stats.mann_whitney_p(first, second) == pytest.approx(p)
    assert stats.mann_whitney_p(second, first) == pytest.approx(p)


def test_the_exact_distribution_is_that_of_all_orderings() -> None:
    counted = [0] * 13
    for chosen in itertools.combinations(range(7), 3):
        others = [place for place in range(7) if place not in chosen]
        counted[sum(one > other for one in chosen for other in others)] += 1
    assert stats._orderings(3, 4) == counted


def test_ties_use_the_normal_approximation() -> None:
    assert stats.mann_whitney_p([1.0] * 5, [1.0] * 5) == 1.0
    # Ranks 1, 2.5, 2.5, 4: half a win short of the mean of 2; variance 4/12 * (5 - 6/12) = 1.5;
    # the distance 1.5 - 0.5 over sqrt(1.5) is 0.8165 deviations: p = 0.4142.
    assert stats.mann_whitney_p([1.0, 2.0], [2.0, 3.0]) == pytest.approx(0.4142, abs=1e-4)


@given(SAMPLES, SAMPLES)
def test_p_is_a_probability_and_symmetric(first: list[float], second: list[float]) -> None:
    p = stats.mann_whitney_p(first, second)
    assert 0.0 <= p <= 1.0
    assert p == pytest.approx(stats.mann_whitney_p(second, first))


def test_an_empty_side_is_refused() -> None:
    with pytest.raises(UsageError, match="both sides"):
        stats.mann_whitney_p([], [1.0])
