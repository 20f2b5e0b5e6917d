# SPDX-License-Identifier: MIT
"""How a figure is spread over many things, small enough to keep: its quantiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alloclab.errors import NotMeasured, UsageError

STEPS = 1000
"""Quantiles are exact at the whole thousandths."""


@dataclass(frozen=True)
class Distribution:
    """How whole numbers are spread, as their quantiles.

    Attributes:
        quantiles: 1,001 of them, least to most: n of 1,000 are below or at `quantiles[n]`.
    """

    quantiles: tuple[int, ...]

    @property
    def median(self) -> int:
        """What half are below or at."""
        return self.quantile(0.5)

    def quantile(self, share: float) -> int:
        """Returns what a share of them are below or at: 0 the least, 0.999, 1 the most.

        Raises:
            UsageError: the share is not within 0 and 1, or no whole number of thousandths.
        """
        step = round(share * STEPS) if 0 <= share <= 1 else -1
        if step < 0 or abs(step - share * STEPS) > 1e-6:
            raise UsageError(f"not a share in whole thousandths from 0 to 1: {share}")
        return self.quantiles[step]


def distribution(values: npt.NDArray[np.int64], *, is_weighted: bool = False) -> Distribution:
    """Returns how values are spread, each counting once, or weighted: as often as it is large.

    Requires: values of zero or more, in any order, whose sum is below 2^63.

    Raises:
        NotMeasured: there are no values, or all are zero and weigh nothing.

    Cost: a sort of the values.
    """
    known, count = np.unique(values, return_counts=True)
    if is_weighted:
        known, count = known[known > 0], (count * known)[known > 0]
    if not known.size:
        raise NotMeasured("there is nothing whose distribution could be told")
    below = np.cumsum(count)
    rank = [int(below[-1]) * step // STEPS for step in range(STEPS + 1)]
    at = np.searchsorted(below, rank, side="right")
    return Distribution(tuple(known[np.minimum(at, len(known) - 1)].tolist()))
