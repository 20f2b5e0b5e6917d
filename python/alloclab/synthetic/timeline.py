# SPDX-License-Identifier: MIT
"""Brings births, reallocations, frees and null frees of drawn objects into one order of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alloclab.synthetic.columns import Floats, Ints
from alloclab.traces import KINDS

_BIRTH, _STEP, _FREE = 0, 1, 2  # what comes first within a gap


def fit_events(
    rng: np.random.Generator, gap: Ints, steps: tuple[Ints, Ints, Ints], events: int, nulls: bool
) -> tuple[Ints, tuple[Ints, Ints, Ints], int]:
    """Returns gaps, steps and how many null frees to have, so that there are `events` in all.

    Null frees make up the difference where the model has any; then reallocations are left out, then
    frees: what was to die last is kept. What was kept is freed at the end where events lack.
    """
    owner, when, size = steps
    missing = events - len(gap) - int((gap >= 0).sum()) - len(owner)
    if nulls and missing >= 0:
        return gap, steps, missing
    if missing < 0:
        left_out = min(-missing, len(owner))
        stays = np.ones(len(owner), np.bool_)
        stays[rng.permutation(len(owner))[:left_out]] = False
        owner, when, size = owner[stays], when[stays], size[stays]
        missing += left_out
    gap = gap.copy()
    if missing < 0:
        freed = np.flatnonzero(gap >= 0)
        gap[freed[np.argsort(gap[freed], kind="stable")[missing:]]] = -1
    elif missing > 0:
        kept = np.flatnonzero(gap < 0)[:missing]
        gap[kept] = len(gap) - 1
    missing = events - len(gap) - int((gap >= 0).sum()) - len(owner)
    return gap, (owner, when, size), max(missing, 0)


def order_events(
    rng: np.random.Generator,
    columns: Mapping[str, Any],
    gap: Ints,
    steps: tuple[Ints, Ints, Ints],
    null_gap: Ints,
    lifo_share: float,
) -> dict[str, Any]:
    """Returns the events in order: `kind`, `object`, `size`, and `source`, the object whose columns
    an event goes by (a null free: the one born last).

    Frees of a gap come last born first in as many gaps as `lifo_share` says, else first born first.
    """
    count = len(gap)
    born, freed = np.arange(count), np.flatnonzero(gap >= 0)
    owner, when, step_size = steps
    nothing = np.zeros(len(null_gap), np.int64)
    is_last_first = rng.random(count)[gap[freed]] < lifo_share
    end = np.where(columns["is_zeroed"][freed], KINDS["reallocate_zero"], KINDS["free"])
    end = np.where(columns["is_region"][freed], KINDS["unmap"], end)
    begin = np.where(columns["is_region"], KINDS["map"], KINDS["allocate"])
    parts = {
        "kind": [begin, _filled(owner, "reallocate"), end, _filled(nothing, "free_null")],
        "object": [born, owner, freed, nothing],
        "size": [columns["size"], step_size, np.zeros(len(freed), np.int64), nothing],
        "source": [born, owner, freed, null_gap],
    }
    gaps = np.concatenate([born, when, gap[freed], null_gap])
    within: Floats = np.concatenate(
        [
            np.full(count, float(_BIRTH)),
            np.full(len(owner), float(_STEP)),  # a stable sort keeps an object's in order
            _FREE + np.where(is_last_first, count - freed, freed) / (count + 1),
            0.5 + 2.5 * rng.random(len(null_gap)),
        ]
    )
    order = np.lexsort((within, gaps))
    return {key: np.concatenate(values)[order] for key, values in parts.items()}


def _filled(like: Ints, kind: str) -> Ints:
    return np.full(len(like), KINDS[kind], np.int64)
