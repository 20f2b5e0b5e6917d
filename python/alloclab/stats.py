# SPDX-License-Identifier: MIT
"""Medians, their bootstrap intervals, ratios paired by round, and the Mann-Whitney test."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from alloclab.errors import NotMeasured, UsageError
from alloclab.results import Measure

CONFIDENCE = 0.95
RESAMPLES = 2000
SEED = 20260101
# Up to this many samples a side the exact distribution is cheap; beyond it the normal one is near.
_EXACT_LIMIT = 25


def summarise(samples: Sequence[float]) -> Measure:
    """Returns the median of the samples and its 95 % bootstrap interval.

    The interval is the percentile bootstrap of the median, from a fixed seed, so that the same
    samples give the same interval. One sample has none.
    """
    if not samples:
        raise UsageError("no samples to summarise")
    values = np.asarray(samples, dtype=np.float64)
    median = float(np.median(values))
    if values.size == 1:
        return Measure(median, tuple(samples))
    low, high = median_interval(values.tolist())
    return Measure(median, tuple(samples), low, high)


def median_interval(
    samples: Sequence[float], confidence: float = CONFIDENCE, seed: int = SEED
) -> tuple[float, float]:
    """Returns the percentile-bootstrap interval of the median (Efron 1979)."""
    values = np.asarray(samples, dtype=np.float64)
    draws = np.random.default_rng(seed).integers(0, values.size, (RESAMPLES, values.size))
    medians = np.median(values[draws], axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(medians, [tail, 1 - tail])
    return float(low), float(high)


def paired_ratio(samples: Sequence[float], baseline: Sequence[float]) -> Measure:
    """Returns the median of the ratios round by round, so that a slow round counts for both.

    Without as many samples on both sides there are no rounds to pair: the ratio of the medians.

    Raises:
        NotMeasured: the baseline is zero.
    """
    if not all(other > 0 for other in baseline):
        raise NotMeasured("the baseline's figure is zero")
    if len(samples) != len(baseline):
        return Measure(float(np.median(samples) / np.median(baseline)))
    return summarise([one / other for one, other in zip(samples, baseline, strict=True)])


def mann_whitney_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Returns the two-sided p-value that two samples are of one distribution.

    Mann and Whitney, "On a test of whether one of two random variables is stochastically larger
    than the other" (1947): exact for small samples without ties, else the normal approximation
    with its corrections for ties and continuity.
    """
    count_first, count_second = len(first), len(second)
    if not count_first or not count_second:
        raise UsageError("the Mann-Whitney test needs samples on both sides")
    wins = sum(
        1.0 if one > other else 0.5 if one == other else 0.0 for one in first for other in second
    )
    pooled = [*first, *second]
    has_ties = len(set(pooled)) < len(pooled)
    if not has_ties and max(count_first, count_second) <= _EXACT_LIMIT:
        ways = _orderings(count_first, count_second)
        low = int(min(wins, count_first * count_second - wins))
        return min(1.0, 2.0 * sum(ways[: low + 1]) / sum(ways))
    return _normal_p(wins, count_first, count_second, pooled)


def _orderings(count_first: int, count_second: int) -> list[int]:
    """How many orderings of both samples give each number of wins (a Gaussian binomial)."""
    ways = [1] + [0] * (count_first * count_second)
    for step in range(1, count_first + 1):
        for wins in range(len(ways) - 1, count_second + step - 1, -1):
            ways[wins] -= ways[wins - count_second - step]
        for wins in range(step, len(ways)):
            ways[wins] += ways[wins - step]
    return ways


def _normal_p(wins: float, count_first: int, count_second: int, pooled: list[float]) -> float:
    total = count_first + count_second
    sizes = np.unique(np.asarray(pooled), return_counts=True)[1].astype(np.float64)
    tie_term = float(np.sum(sizes**3 - sizes)) / (total * (total - 1)) if total > 1 else 0.0
    variance = count_first * count_second / 12 * (total + 1 - tie_term)
    if variance <= 0:
        return 1.0
    distance = max(abs(wins - count_first * count_second / 2) - 0.5, 0.0)
    return math.erfc(distance / math.sqrt(2 * variance))
