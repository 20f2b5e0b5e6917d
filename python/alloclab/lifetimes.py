# SPDX-License-Identifier: MIT
"""How long a program's blocks live, in bytes allocated meanwhile: a clock that machines share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.errors import NotMeasured
from alloclab.units import format_bytes, format_ratio


@dataclass(frozen=True)
class Lifetimes:
    """Lifetimes of blocks, in bytes that the whole program allocated between birth and death.

    Attributes:
        median_bytes, p90_bytes, p99_bytes: half, nine tenths, 99 of 100 of the blocks that were
            freed lived no longer.
        never_freed_ratio: the share of all blocks that were alive at the end.
        freed_elsewhere_ratio: of those freed, the share freed by another thread.
    """

    median_bytes: int
    p90_bytes: int
    p99_bytes: int
    never_freed_ratio: float
    freed_elsewhere_ratio: float

    def __str__(self) -> str:
        return (
            f"half of the blocks freed lived for at most {format_bytes(self.median_bytes)} of "
            f"allocation, nine of ten for {format_bytes(self.p90_bytes)}, 99 of 100 for "
            f"{format_bytes(self.p99_bytes)}; {format_ratio(self.never_freed_ratio)} of all were "
            "never freed"
        )


def lifetimes(objects: Mapping[str, npt.NDArray[Any]]) -> Lifetimes:
    """Returns the lifetimes of the blocks in a table of objects (`Trace.objects()`).

    Mapped regions are left out; sizes are those first requested.

    Raises:
        NotMeasured: no block was freed.
    """
    is_block = np.asarray(objects["is_region"]) == 0
    is_freed = objects["death"][is_block] >= 0
    if not is_freed.any():
        raise NotMeasured("no block was freed, so that nothing is known of lifetimes")
    lived = np.sort(lived_bytes(objects))
    elsewhere = objects["birth_thread"][is_block] != objects["death_thread"][is_block]
    median, p90, p99 = (
        int(lived[min(len(lived) - 1, int(len(lived) * share))]) for share in (0.5, 0.9, 0.99)
    )
    return Lifetimes(
        median,
        p90,
        p99,
        never_freed_ratio=float(1 - is_freed.mean()),
        freed_elsewhere_ratio=float(elsewhere[is_freed].mean()),
    )


def lived_bytes(objects: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    """Returns for each freed block, in the order of births, the bytes allocated while it lived.

    The block itself does not count; mapped regions are left out; sizes are those first requested.
    """
    is_block = np.asarray(objects["is_region"]) == 0
    birth, death = objects["birth"][is_block], objects["death"][is_block]
    is_freed = death >= 0
    allocated = np.concatenate([[0], np.cumsum(objects["size"][is_block], dtype=np.int64)])
    at_birth = allocated[1:][is_freed]  # itself included: what comes after it counts
    at_death = allocated[np.searchsorted(birth, death[is_freed])]
    lived: npt.NDArray[np.int64] = at_death - at_birth
    return lived
