# SPDX-License-Identifier: MIT
"""What a model is fitted to: one row an object, on a clock that counts allocations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.traces import KINDS, Trace

LARGE_BYTES = 65_536
"""From this size on the recorder notes how much of a block the program touched."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Heap:
    """A trace as a model sees it: columns of objects, and where reallocations and null frees stand.

    The clock counts objects: object k is born at k, and what happens after its birth and before the
    next one's happens in gap k. `gap` of an object is the gap of its death, -1 where it was alive
    at the end. `touched` is the share of its pages that were resident at its death.
    """

    objects: dict[str, npt.NDArray[Any]]
    step_object: Ints
    step_gap: Ints
    step_size: Ints
    null_gap: Ints
    clock_ns: Floats
    left_out: dict[str, int]
    lifo_percent: int
    has_touched: bool

    @property
    def births(self) -> int:
        return len(self.objects["size"])

    @property
    def events(self) -> int:
        """Events that the model makes again: those of the trace less `left_out`."""
        frees = int((self.objects["gap"] >= 0).sum())
        return self.births + frees + len(self.step_gap) + len(self.null_gap)


def read_heap(trace: Trace) -> Heap:
    """Decodes a whole trace. Memory: some 150 bytes an object."""
    rows = trace.objects()
    birth, death = rows["birth"], rows["death"]
    births = len(birth)
    call = np.zeros(births, np.uint8)
    alignment = np.zeros(births, np.int64)
    final = rows["size"].astype(np.int64)
    is_zeroed = np.zeros(births, np.bool_)
    steps, nulls, clock = [], [], []
    counts = np.zeros(256, np.int64)
    for chunk in trace.chunks():
        counts += np.bincount(chunk.kind, minlength=256)
        at = chunk.is_kind("allocate")
        made = chunk.object[at].astype(np.int64)
        call[made] = chunk.call[at]
        alignment[made] = chunk.alignment[at].astype(np.int64)
        at = chunk.is_kind("reallocate")
        moved = chunk.object[at].astype(np.int64)
        size = chunk.size[at].astype(np.int64)
        final[moved] = size  # the last one of each stands
        steps.append(np.stack([moved, chunk.first_event + np.flatnonzero(at), size]))
        is_zeroed[chunk.object[chunk.is_kind("reallocate_zero")].astype(np.int64)] = True
        nulls.append(chunk.first_event + np.flatnonzero(chunk.is_kind("free_null")))
        clock.append(chunk.time_ns)
    step_object, step_event, step_size = np.concatenate(
        [np.zeros((3, 0), np.int64), *steps], axis=1
    )
    null_event = np.concatenate([np.zeros(0, np.int64), *nulls])
    gap = np.where(death >= 0, np.searchsorted(birth, death) - 1, -1)
    allocated = allocated_before(rows["size"], rows["is_region"])
    lived_bytes = np.where(gap >= 0, allocated[gap + 1] - allocated[1:], 0)
    step_gap = np.maximum(np.searchsorted(birth, step_event) - 1, 0)
    last_gap = np.arange(births)
    last_gap[step_object] = step_gap  # in order: the last one of each stands
    touched, is_prefix = _touched(trace, birth, step_object, step_event)
    return Heap(
        {
            "born": np.arange(births, dtype=np.int64),
            "size": rows["size"].astype(np.int64),
            "max_size": rows["max_size"].astype(np.int64),
            "final_size": final,
            "steps": np.bincount(step_object, minlength=births).astype(np.int64),
            "last_gap": last_gap,
            "gap": gap,
            "lived_bytes": lived_bytes,
            "touched": touched,
            "is_prefix": is_prefix,
            "is_region": rows["is_region"].astype(np.bool_),
            "is_zeroed": is_zeroed,
            "call": call,
            "alignment": alignment,
            "birth_thread": rows["birth_thread"].astype(np.int64),
            "death_thread": rows["death_thread"].astype(np.int64),
        },
        step_object,
        step_gap,
        step_size,
        np.maximum(np.searchsorted(birth, null_event) - 1, 0),
        np.concatenate([np.zeros(0), *clock]),
        _left_out(counts),
        _lifo_percent(death, gap),
        trace.summary()["has_touched"] != 0,
    )


def _lifo_percent(death: Ints, gap: Ints) -> int:
    """Returns of frees right after each other, with no birth between, how many are of the younger
    object first.
    """
    order = np.argsort(death, kind="stable")
    order = order[death[order] >= 0]
    is_same = gap[order[1:]] == gap[order[:-1]]
    is_lifo = order[1:] < order[:-1]
    return round(100 * int((is_lifo & is_same).sum()) / max(int(is_same.sum()), 1))


def allocated_before(size: npt.NDArray[Any], is_region: npt.NDArray[Any]) -> Ints:
    """Returns the bytes that blocks were given before each object, and in all at the end."""
    blocks = np.where(np.asarray(is_region, np.bool_), 0, size)
    return np.concatenate([[0], np.cumsum(blocks, dtype=np.int64)])


def _touched(
    trace: Trace, birth: Ints, step_object: Ints, step_event: Ints
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Returns of each object the share of its pages touched (1 where nobody knows), and whether
    they are a prefix; of what was reallocated, the last row counts.
    """
    share, is_prefix = np.ones(len(birth)), np.ones(len(birth), np.bool_)
    rows = trace.touched()
    if len(birth) == 0 or len(rows["event"]) == 0:
        return share, is_prefix
    events = np.concatenate([birth, step_event])
    owner = np.concatenate([np.arange(len(birth)), step_object])
    order = np.argsort(events, kind="stable")
    place = np.minimum(np.searchsorted(events[order], rows["event"]), len(order) - 1)
    is_known = (events[order][place] == rows["event"]) & (rows["resident_at_death"] >= 0)
    whose = owner[order][place][is_known]
    pages = np.maximum(rows["pages"][is_known], 1)
    share[whose] = np.minimum(rows["resident_at_death"][is_known] / pages, 1.0)
    is_prefix[whose] = rows["is_prefix"][is_known] != 0
    return share, is_prefix


def _left_out(counts: Ints) -> dict[str, int]:
    """Counts the events that have no counterpart in a model, by kind."""
    made = {"allocate", "free", "free_null", "reallocate", "reallocate_zero"}
    made |= {"map", "map_reserved", "split", "unmap"}
    return {
        name: int(counts[code]) for name, code in KINDS.items() if counts[code] and name not in made
    }
