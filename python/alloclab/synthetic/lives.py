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
from alloclab.synthetic.couplings import (
    COUPLED,
    couple_large,
    couple_small,
    gap_after_bytes,
    place_followers,
    swap_lives,
)
from alloclab.synthetic.order import class_of, put_in_order
from alloclab.synthetic.scales import Scale


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
    rng: np.random.Generator,
    columns: dict[str, Any],
    place: Floats,
    sizes: Scale,
    small_lives: Scale,
    other_lives: Scale,
) -> Ints:
    """Returns the gap in which each object is freed, -1 where it is kept.

    Blocks near each other change their lives: of large ones of a size the longer-lived is to be
    followed by more bytes, of small ones of a class of sizes one that lives for a number of bytes
    by just as many; and where no block is followed so, what follows changes.
    """
    count = len(place)
    born = np.arange(count)
    allocated = allocated_before(columns["size"], columns["is_region"])
    knows_life = columns["lived_place"] >= 0
    is_coupled = knows_life & ~columns["is_landmark"] & (columns["size"] >= LARGE_BYTES)
    couple_large(columns, allocated, np.flatnonzero(is_coupled))
    later = place[np.minimum(born + COUPLED, count - 1)] if count else place
    may_move = columns["is_small"] & (knows_life | ~columns["is_freed"] | (columns["gap"] > later))
    movable = np.flatnonzero(may_move)
    classes = class_of(sizes, columns["size"])
    couple_small(columns, movable, allocated, small_lives, classes)
    swap_lives(rng, columns, movable, allocated, small_lives, classes)
    place_followers(columns, allocated, small_lives, classes)
    allocated = allocated_before(columns["size"], columns["is_region"])
    at = columns["lived_place"]
    knows_life = at >= 0
    by_bytes = gap_after_bytes(allocated, born, small_lives.value(at))
    by_births = born + other_lives.value(at)
    unit = 2 * place[0] if count else 1.0
    by_position = np.floor(columns["gap"] / unit).astype(np.int64)
    gap = np.select(
        [~columns["is_freed"], ~knows_life, columns["is_small"]],
        [-1, np.maximum(by_position, born), by_bytes],
        by_births,
    )
    return np.asarray(np.minimum(gap, count - 1), np.int64)
