# SPDX-License-Identifier: MIT
"""How like a recording a generated trace is: peak, sizes, lifetimes, footprint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.allocators import Glibc
from alloclab.errors import NotMeasured
from alloclab.replay import replay
from alloclab.synthetic.columns import allocated_before
from alloclab.traces import Trace

PEAK_LIMIT, DISTANCE_LIMIT, FOOTPRINT_LIMIT = 0.05, 0.05, 0.10
"""What a model is to hold: of the peak requested, of each distance, of the peak footprint."""


@dataclass(frozen=True)
class Likeness:
    """How far a trace is from another.

    Attributes:
        peak_ratio: peak requested live bytes over the other's.
        size_distance, lifetime_distance: of two samples, Kolmogorov and Smirnov's: the largest
            difference between their distribution functions, 0 to 1. Sizes are of all blocks, as
            first requested. Lifetimes are of those freed, in bytes allocated meanwhile; a distance
            is 0 where neither trace frees anything and 1 where one of them does.
        never_freed_difference: between the shares of blocks alive at the end, whose lifetimes are
            not known (censored) and so not compared.
        footprint_ratio: peak footprint of a replay under glibc over the other's.
    """

    peak_ratio: float
    size_distance: float
    lifetime_distance: float
    never_freed_difference: float
    footprint_ratio: float | NotMeasured

    @property
    def misses(self) -> list[str]:
        """The figures that are further off than a model's may be."""
        found = []
        if abs(self.peak_ratio - 1) > PEAK_LIMIT:
            found.append("peak")
        if self.size_distance >= DISTANCE_LIMIT:
            found.append("sizes")
        if self.lifetime_distance >= DISTANCE_LIMIT:
            found.append("lifetimes")
        if isinstance(self.footprint_ratio, NotMeasured):
            found.append("footprint (not measured)")
        elif abs(self.footprint_ratio - 1) > FOOTPRINT_LIMIT:
            found.append("footprint")
        return found


def likeness(generated: Trace, recorded: Trace, *, footprint: bool = True) -> Likeness:
    """Compares a generated trace with a recorded one; replays both under glibc if asked to."""
    mine, theirs = _samples(generated.objects()), _samples(recorded.objects())
    ratio: float | NotMeasured = NotMeasured("not asked for")
    if footprint:
        peaks = [replay(each, Glibc())["peak_footprint_bytes"] for each in (generated, recorded)]
        ratio = peaks[0] / max(peaks[1], 1)
    peak = recorded.summary()["peak_requested_live_bytes"]
    return Likeness(
        generated.summary()["peak_requested_live_bytes"] / max(peak, 1),
        distance(mine[0], theirs[0]),
        distance(mine[1], theirs[1]),
        mine[2] - theirs[2],
        ratio,
    )


def distance(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Returns Kolmogorov and Smirnov's distance of two samples."""
    if not len(first) or not len(second):
        return 0.0 if len(first) == len(second) else 1.0
    first, second = np.sort(first), np.sort(second)
    both = np.concatenate([first, second])
    below = [np.searchsorted(each, both, side="right") / len(each) for each in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def _samples(
    rows: Mapping[str, npt.NDArray[Any]],
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], float]:
    """Returns sizes of blocks, lifetimes in bytes of those freed, and the share never freed."""
    is_block = np.asarray(rows["is_region"]) == 0
    birth, death, size = (rows[key][is_block] for key in ("birth", "death", "size"))
    allocated = allocated_before(size, np.zeros(len(size), np.bool_))
    is_freed = death >= 0
    lived = allocated[np.searchsorted(birth, death[is_freed])] - allocated[1:][is_freed]
    return size, lived, 1 - float(is_freed.mean()) if len(size) else 0.0
