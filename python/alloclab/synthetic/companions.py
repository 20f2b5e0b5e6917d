# SPDX-License-Identifier: MIT
"""Large blocks that are born near each other: a coincidence of two of them may be the whole peak.

Boxes say when large blocks are born, to a ten-thousandth of the run, and no more; so how often one
follows the last within a few allocations is kept beside them, and whether it does so once more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alloclab.synthetic.columns import LARGE_BYTES, Ints
from alloclab.synthetic.tables import counted

NEAR = 32  # births between two that are near each other, at most
_MOVED = 0.01  # of the run: no block is moved further to be near another one


def fit_companions(sizes: Ints) -> dict[str, Any]:
    """Returns how often each small distance occurs, and of large blocks after one that was near the
    one before it, and after one that was not, how many are near that one.
    """
    large = np.flatnonzero(sizes >= LARGE_BYTES)
    distance = np.diff(large)
    is_near = distance <= NEAR
    after_near, after_far = is_near[1:][is_near[:-1]], is_near[1:][~is_near[:-1]]
    return {
        "distances": counted(distance[is_near]),
        "near_again": [int(after_near.sum()), len(after_near)],
        "near_at_once": [int(after_far.sum()), len(after_far)],
    }


def place_large(rng: np.random.Generator, table: dict[str, Any], places: Ints, count: int) -> Ints:
    """Returns where large blocks stand among `count` births, in order, no two at one place.

    Args:
        places: where they would stand, in order, if none knew of the others.
    """
    if len(places) == 0:
        return places
    again, at_once = (
        part / whole if whole else 0.0
        for part, whole in (table["near_again"], table["near_at_once"])
    )
    is_near = np.zeros(len(places), np.bool_)
    draws = rng.random(len(places)).tolist()
    may_move = (np.diff(places, prepend=places[0]) <= _MOVED * count).tolist()
    for number in range(1, len(places)):
        chance = again if is_near[number - 1] else at_once
        is_near[number] = may_move[number] and draws[number] < chance
    distances = np.array([[1, 1], *table["distances"]], np.int64)[bool(table["distances"]) :]
    shares = distances[:, 1] / distances[:, 1].sum()
    step = rng.choice(distances[:, 0], size=len(places), p=shares)
    passed = np.cumsum(np.where(is_near, step, 0))
    leader = np.maximum.accumulate(np.where(is_near, 0, np.arange(len(places))))
    wanted = np.sort(places[leader] + passed - passed[leader])
    index = np.arange(len(places))
    placed = np.maximum.accumulate(wanted - index) + index
    latest = count - len(places) + index
    return np.asarray(np.minimum(placed, latest), np.int64)
