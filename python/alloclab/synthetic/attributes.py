# SPDX-License-Identifier: MIT
"""Which call makes a drawn object and which thread, and which thread frees it, and how."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.synthetic.columns import Ints
from alloclab.synthetic.tables import size_bins


def choose(rng: np.random.Generator, rows: list[list[int]], count: int) -> Ints:
    """Returns `count` of these rows' numbers, as often as the last value of each row says."""
    chance = np.array([row[-1] for row in rows], np.float64)
    return np.asarray(rng.choice(len(rows), size=count, p=chance / chance.sum()), np.int64)


def choose_by(
    rng: np.random.Generator, keys: Ints, table: list[list[int]], default: list[int]
) -> Ints:
    """Returns what goes with each key: rows of the values between a row's key and its count.

    A key without a row gets the nearest one's, and where the table is empty the default.
    """
    chosen = np.tile(np.array(default, np.int64), (len(keys), 1))
    known = np.array(sorted({row[0] for row in table}), np.int64)
    for key in np.unique(keys) if len(known) else ():
        nearest = known[np.abs(known - key).argmin()]
        rows = [row for row in table if row[0] == nearest]
        where = np.flatnonzero(keys == key)
        values = np.array([row[1:-1] for row in rows], np.int64)
        chosen[where] = values[choose(rng, rows, len(where))]
    return chosen


def draw_calls(rng: np.random.Generator, sizes: Ints, table: list[list[int]]) -> tuple[Ints, Ints]:
    """Returns the call that makes each object and its alignment, by the doublings of its size."""
    chosen = choose_by(rng, size_bins(sizes), table, [0, 0])
    return chosen[:, 0], chosen[:, 1]


def draw_threads(
    rng: np.random.Generator, count: int, parts: list[list[list[int]]], changes: float
) -> Ints:
    """Returns the thread that makes each object: runs of one thread, as long as they should be.

    Args:
        parts: of the run, each with how often which thread allocates in it.
        changes: how often the thread is another one than before, as a share.
    """
    threads = np.zeros(count, np.int64)
    edges = np.linspace(0, count, len(parts) + 1).astype(np.int64)
    for rows, begin, end in zip(parts, edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if not rows or begin == end:
            continue
        share = np.array([row[-1] for row in rows], np.float64)
        other = 1 - float(((share / share.sum()) ** 2).sum())  # that a new draw is another one
        is_drawn = rng.random(end - begin) < (changes / other if other > 0 else 0.0)
        is_drawn[0] = True
        drawn = np.array([row[0] for row in rows])[choose(rng, rows, int(is_drawn.sum()))]
        threads[begin:end] = drawn[np.cumsum(is_drawn) - 1]
    return threads


def draw_freeing_threads(
    rng: np.random.Generator, threads: Ints, handovers: list[list[int]]
) -> Ints:
    """Returns the thread that frees each object, by the one that made it."""
    freeing = choose_by(rng, threads, handovers, [0])[:, 0]
    known = {row[0] for row in handovers}
    is_known = np.isin(threads, np.array(sorted(known), np.int64))
    return np.asarray(np.where(is_known, freeing, threads), np.int64)


def draw_zeroed(
    rng: np.random.Generator, calls: Ints, table: list[list[int]]
) -> npt.NDArray[np.bool_]:
    """Says which objects end by a reallocation to zero bytes, by the call that made them."""
    return np.asarray(choose_by(rng, calls, table, [0])[:, 0] != 0)


def spread(rng: np.random.Generator, quantiles: list[Any], count: int, births: int) -> Ints:
    """Returns `count` gaps that are spread over a run of so many births as these quantiles say."""
    if not quantiles or births == 0:
        return np.zeros(count, np.int64)
    share = np.interp(rng.random(count), np.linspace(0, 1, len(quantiles)), quantiles)
    return np.asarray(np.minimum(np.floor(share * births), births - 1), np.int64)
