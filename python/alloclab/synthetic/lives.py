# SPDX-License-Identifier: MIT
"""Puts drawn objects in the order of their births and says in which gap each is freed.

A gap is what lies between a birth and the next one. How small blocks live is known in bytes, as
Barrett and Zorn (1993, "Using lifetime predictors to improve memory allocation performance")
measure lifetimes; where the boxes know more exactly when than for how long, they say the gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alloclab.synthetic.columns import LARGE_BYTES, Floats, Ints, allocated_before
from alloclab.synthetic.companions import place_large
from alloclab.synthetic.order import CLASSES, class_of, put_in_order
from alloclab.synthetic.scales import Scale

_COUPLED = 256  # births within which large blocks of a size change places
_SHORT_BYTES = 128  # lives that may end at the next allocation
_KEY = 1 << 24
_SOON = 2  # births after a large block that say which of them is the one to live longer
_ALMOST_NOTHING = 0.1  # bytes: a life of none is far from any other on a scale of doublings


def order_births(
    rng: np.random.Generator,
    columns: Mapping[str, Any],
    sizes: Scale,
    tables: Mapping[str, Any],
    positions: float,
) -> tuple[dict[str, Any], Floats]:
    """Returns the columns in the order of births, with `size` in bytes, and where on the run, in
    positions of the model, each birth is.

    Args:
        positions: how many of them the run has.
    """
    count = len(columns["born"])
    order = np.argsort(_slots(columns, positions / count), kind="stable")
    place = np.asarray((np.arange(count) + 0.5) * (positions / count), np.float64)
    ordered = {key: column[order] for key, column in columns.items()}
    ordered["size"] = sizes.value(ordered["size_place"])
    is_landmark = ordered["is_landmark"]
    is_large = ~is_landmark & (ordered["size"] >= LARGE_BYTES)
    small, large = np.flatnonzero(~is_large & ~is_landmark), np.flatnonzero(is_large)
    small = small[put_in_order(rng, class_of(sizes, ordered["size"][small]), tables["lifts"])]
    slots = place_large(rng, tables["companions"], large, len(large) + len(small))
    others = _merged(slots, large, small)
    at = np.rint(ordered["born"][is_landmark] / positions * count).astype(np.int64)
    again = _merged(_apart(at, count), np.flatnonzero(is_landmark), others)
    return {key: column[again] for key, column in ordered.items()}, place


def _slots(columns: Mapping[str, Any], unit: float) -> Ints:
    """Returns the place among all births of each object: one each.

    Boxes that know most exactly when their objects are born choose first; those of a wider one
    spread over what is free in it. So a stretch of the run that is full of one thing stays that
    long, and what the wide boxes hold is where it can have been.
    """
    count = len(columns["born"])
    slots = np.zeros(count, np.int64)
    free = np.arange(count)
    level = np.where(columns["is_landmark"], -1, np.log2(np.maximum(columns["born_width"], 1)))
    level = np.floor(level).astype(np.int64)
    for each in np.unique(level):
        chosen = np.flatnonzero(level == each)
        low, width = columns["born_low"][chosen], columns["born_width"][chosen]
        if each < 0:
            low, width = columns["born"][chosen], np.zeros(len(chosen))
        share = (columns["born"][chosen] - low) / np.maximum(width, 1e-9)
        begin = np.searchsorted(free, np.rint(low / unit))
        end = np.searchsorted(free, np.rint((low + width) / unit))
        wanted = np.floor(begin + share * (end - begin)).astype(np.int64)
        order = np.argsort(wanted + share, kind="stable")
        taken = _apart(wanted[order], len(free))
        slots[chosen[order]] = free[taken]
        free = np.delete(free, taken)
    return slots


def _apart(slots: Ints, count: int) -> Ints:
    """Returns these slots, in order, of `count`, moved so that no two are one."""
    number = np.arange(len(slots))
    moved = np.maximum.accumulate(slots - number) + number
    return np.asarray(np.minimum(moved, count - len(slots) + number), np.int64)


def _merged(slots: Ints, at_slots: Ints, others: Ints) -> Ints:
    """Returns all of both, these at the slots and the others around them."""
    merged = np.empty(len(at_slots) + len(others), np.int64)
    is_slot = np.zeros(len(merged), np.bool_)
    is_slot[slots] = True
    merged[is_slot], merged[~is_slot] = at_slots, others
    return merged


def place_deaths(
    columns: dict[str, Any],
    place: Floats,
    sizes: Scale,
    small_lives: Scale,
    other_lives: Scale,
) -> Ints:
    """Returns the gap in which each object is freed, -1 where it is kept.

    Blocks near each other change their lives: of large ones of a size the longer-lived is to be
    followed by more bytes, of small ones of a class of sizes one that dies after the next
    allocation by about as many as it lives for.
    """
    count = len(place)
    born = np.arange(count)
    allocated = allocated_before(columns["size"], columns["is_region"])
    knows_life = columns["lived_place"] >= 0
    is_coupled = knows_life & ~columns["is_landmark"] & (columns["size"] >= LARGE_BYTES)
    _couple_large(columns, allocated, np.flatnonzero(is_coupled))
    later = place[np.minimum(born + _COUPLED, count - 1)] if count else place
    may_move = columns["is_small"] & (knows_life | ~columns["is_freed"] | (columns["gap"] > later))
    movable = np.flatnonzero(may_move)
    _couple_small(columns, movable, allocated, small_lives, class_of(sizes, columns["size"]))
    at = columns["lived_place"]
    knows_life = at >= 0
    by_bytes = _gap_after_bytes(allocated, small_lives.value(at))
    by_births = born + other_lives.value(at)
    by_position = np.searchsorted(place, columns["gap"]) - 1
    gap = np.select(
        [~columns["is_freed"], ~knows_life, columns["is_small"]],
        [-1, np.maximum(by_position, born), by_bytes],
        by_births,
    )
    return np.asarray(np.minimum(gap, count - 1), np.int64)


def _couple_large(columns: dict[str, Any], allocated: Ints, large: Ints) -> None:
    """Swaps the rows of large blocks of a size near each other by what is allocated soon after."""
    last = len(allocated) - 1
    soon = allocated[np.minimum(large + 1 + _SOON, last)] - allocated[large + 1]
    size, window = columns["size"][large], large // _COUPLED
    to = large[np.lexsort((soon, size, window))]
    source = large[np.lexsort((columns["lived_place"][large], size, window))]
    for column in columns.values():
        column[to] = column[source]


def _couple_small(
    columns: dict[str, Any], small: Ints, allocated: Ints, lives: Scale, classes: Ints
) -> None:
    """Swaps the lives of small blocks of a class near each other, so that the short ones, of which
    there are fewer than places, are where the next block is as large as they are long or larger.
    """
    following = np.append(allocated[2:] - allocated[1:-1], 0)[small]
    cell = small // _COUPLED * CLASSES + classes[small]
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


def _gap_after_bytes(allocated: Ints, lived: Ints) -> Ints:
    """Returns the gap before which about `lived` bytes are allocated after each object's birth: the
    nearest on a scale of doublings.
    """
    count = len(lived)
    born = np.arange(count)
    begin = allocated[1:]
    after = np.searchsorted(allocated, begin + lived, side="left")
    after = np.clip(after, born + 1, count)
    below = np.maximum(allocated[after - 1] - begin, _ALMOST_NOTHING)
    above = (allocated[after] - begin).astype(np.float64)
    is_below = (lived.astype(np.float64) ** 2 < below * above) & (after > born + 1)
    return np.asarray(after - 1 - is_below, np.int64)
