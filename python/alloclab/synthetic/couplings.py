# SPDX-License-Identifier: MIT
"""Blocks near each other exchange lives or places, so that lives in bytes end at an allocation.

What a box knows of a small block's life is how many bytes are allocated meanwhile, and a life can
end only between two allocations. A temporary string that dies after the next one lives for exactly
that one's size; drawn apart, next to nothing of such lives would come out as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alloclab.synthetic.columns import Floats, Ints
from alloclab.synthetic.order import CLASSES
from alloclab.synthetic.scales import Scale

COUPLED = 256
"""Births within which blocks exchange lives or places."""
_SHORT_BYTES = 128  # lives that may end at the next allocation
_KEY = 1 << 24
_SOON = 2  # births after a large block that say which of them is the one to live longer
_ALMOST_NOTHING = 0.1  # bytes: a life of none is far from any other on a scale of doublings
_ROUNDS = (1, 2, 4, 8, 16, 32, 64, 128)  # how far from each other in its cell two exchange lives
_NEAR_ENOUGH = 0.01  # a life as wrong as this, as a share of it, is left alone


def couple_large(columns: dict[str, Any], allocated: Ints, large: Ints) -> None:
    """Swaps the rows of large blocks of a size near each other by what is allocated soon after."""
    last = len(allocated) - 1
    soon = allocated[np.minimum(large + 1 + _SOON, last)] - allocated[large + 1]
    size, window = columns["size"][large], large // COUPLED
    to = large[np.lexsort((soon, size, window))]
    source = large[np.lexsort((columns["lived_place"][large], size, window))]
    for column in columns.values():
        column[to] = column[source]


def couple_small(
    columns: dict[str, Any], small: Ints, allocated: Ints, lives: Scale, classes: Ints
) -> None:
    """Swaps the lives of small blocks of a class near each other, so that the short ones, of which
    there are fewer than places, are where the next block is as large as they are long or larger.
    """
    following = np.append(allocated[2:] - allocated[1:-1], 0)[small]
    cell = small // COUPLED * CLASSES + classes[small]
    at = columns["lived_place"][small]
    lived = np.where(at >= 0, lives.value(at), 0)
    is_short = (lived > 0) & (lived <= _SHORT_BYTES)
    slots = np.lexsort((following, cell))
    keys = cell[slots] * _KEY + np.minimum(following[slots], _KEY - 1)
    short = np.flatnonzero(is_short)
    short = short[np.lexsort((lived[short], cell[short]))]
    number = np.arange(len(short))
    wanted = np.searchsorted(keys, cell[short] * _KEY + lived[short])
    ends = np.searchsorted(keys, (cell[short] + 1) * _KEY)
    # Each gets the first place that is large enough and free, or of those left the last.
    after = np.searchsorted(cell[short], cell[short], side="right") - 1 - number
    taken = np.minimum(np.maximum.accumulate(wanted - number) + number, ends - 1 - after)
    is_taken = np.zeros(len(small), np.bool_)
    is_taken[taken] = True
    others = np.flatnonzero(~is_short)
    others = others[np.argsort(cell[others], kind="stable")]
    free = slots[~is_taken]
    free = free[np.lexsort((free, cell[free]))]
    for name in ("lived_place", "gap", "is_freed"):
        source = columns[name][small]
        target = source.copy()
        target[slots[taken]] = source[short]
        target[free] = source[others]
        columns[name][small] = target


def swap_lives(
    rng: np.random.Generator,
    columns: dict[str, Any],
    small: Ints,
    allocated: Ints,
    lives: Scale,
    classes: Ints,
) -> None:
    """Swaps the lives of two blocks of a class near each other where both together come nearer to
    what they should be, for some rounds of random pairs.

    Cost: some 1 us a block.
    """
    cell = small // COUPLED * CLASSES + classes[small]
    at = columns["lived_place"][small]
    lived = np.where(at >= 0, lives.value(at), -1)
    wrong = _misses(allocated, small, lived)
    source = np.arange(len(small))
    order = np.argsort(cell + rng.random(len(cell)), kind="stable")
    number = np.arange(len(order))
    for bit in _ROUNDS:
        first = number[: max(len(order) - bit, 0)]
        first = first[first & bit == 0]
        one, other = order[first], order[first + bit]
        is_pair = (cell[one] == cell[other]) & (lived[one] != lived[other])
        is_pair &= np.maximum(wrong[one], wrong[other]) > _NEAR_ENOUGH
        one, other = one[is_pair], other[is_pair]
        if len(one) == 0:
            continue
        one_then = _misses(allocated, small[one], lived[other])
        other_then = _misses(allocated, small[other], lived[one])
        is_better = one_then + other_then < wrong[one] + wrong[other]
        one, other = one[is_better], other[is_better]
        wrong[one], wrong[other] = one_then[is_better], other_then[is_better]
        lived[one], lived[other] = lived[other], lived[one]
        source[one], source[other] = source[other], source[one]
    for name in ("lived_place", "gap", "is_freed"):
        columns[name][small] = columns[name][small][source]


def place_followers(columns: dict[str, Any], allocated: Ints, lives: Scale, classes: Ints) -> None:
    """Puts right after a small block whose life ends badly one that is as large as it lives long,
    if there is one near it that is free to move.
    """
    count = len(classes)
    at = columns["lived_place"]
    born = np.arange(count)
    is_free = columns["is_small"].copy()  # to be moved: what is no part of a pair that fits
    lived = np.where(is_free & (at >= 0), lives.value(at), -1)
    is_wrong = _misses(allocated, born, lived) > _NEAR_ENOUGH
    fits = (lived > 0) & ~is_wrong & (lived <= np.append(allocated[2:] - allocated[1:-1], 0))
    is_free[fits] = False
    is_free[1:] &= ~fits[:-1]
    wanting = np.flatnonzero(is_wrong[:-1] & is_free[1:] & is_free[:-1])
    wanting = wanting[~is_wrong[wanting + 1]]
    is_free[wanting] = False
    key = born // COUPLED * _KEY + np.minimum(columns["size"], _KEY - 1)
    wanted = (wanting + 1) // COUPLED * _KEY + np.minimum(lived[wanting], _KEY - 1)
    slots, objects = _matched(wanting + 1, wanted, np.flatnonzero(is_free), key)
    source = born.copy()
    source[slots] = objects
    emptied = np.setdiff1d(objects, slots)
    displaced = np.setdiff1d(slots, objects)
    near = born // COUPLED * CLASSES + classes
    source[emptied[np.argsort(near[emptied], kind="stable")]] = displaced[
        np.argsort(near[displaced], kind="stable")
    ]
    for name, column in columns.items():
        columns[name] = column[source]


def _matched(slots: Ints, wanted: Ints, objects: Ints, key: Ints) -> tuple[Ints, Ints]:
    """Returns slots and, for each, an object with the key it wants: as many as there are."""
    objects = objects[np.argsort(key[objects], kind="stable")]
    order = np.argsort(wanted, kind="stable")
    slots, wanted = slots[order], wanted[order]
    number = np.arange(len(slots)) - np.searchsorted(wanted, wanted, side="left")
    at = np.searchsorted(key[objects], wanted, side="left") + number
    is_there = at < np.searchsorted(key[objects], wanted, side="right")
    return slots[is_there], objects[at[is_there]]


def _misses(allocated: Ints, born: Ints, lived: Ints) -> Floats:
    """Returns how far from their lives those would come that are born here, on a scale of natural
    logarithms; 0 where a life is negative: not known.
    """
    is_known = lived >= 0
    gap = gap_after_bytes(allocated, born[is_known], lived[is_known])
    found = (allocated[gap + 1] - allocated[born[is_known] + 1]).astype(np.float64)
    wrong = np.zeros(len(born))
    wrong[is_known] = np.abs(
        np.log((found + _ALMOST_NOTHING) / (lived[is_known] + _ALMOST_NOTHING))
    )
    return wrong


def gap_after_bytes(allocated: Ints, born: Ints, lived: Ints) -> Ints:
    """Returns the gap before which about `lived` bytes are allocated after each of these objects'
    births: the nearest on a scale of doublings.
    """
    begin = allocated[born + 1]
    after = np.searchsorted(allocated, begin + lived, side="left")
    after = np.clip(after, born + 1, len(allocated) - 1)
    below = np.maximum(allocated[after - 1] - begin, _ALMOST_NOTHING)
    above = (allocated[after] - begin).astype(np.float64)
    is_below = (lived.astype(np.float64) ** 2 < below * above) & (after > born + 1)
    return np.asarray(after - 1 - is_below, np.int64)
