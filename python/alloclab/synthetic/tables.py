# SPDX-License-Identifier: MIT
"""A model's small tables beside its boxes: calls, threads, steps of chains, null frees, time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from alloclab.synthetic.columns import Floats, Heap, Ints

_PARTS = 128  # of the run, for null frees and the clock
_THREAD_PARTS = 32  # of the run, each with its own share of threads
_STEP_QUANTILES = 17
_MOST_PAIRS = 400  # of threads that allocate and free
_RUNGS = 4  # sizes that reallocations give, in each doubling of them
_RUNG_SHARE = 0.05  # of the reallocations of a doubling, at least
_RUNG_COUNT = 4  # reallocations, at least


def size_bins(sizes: Ints) -> Ints:
    """Returns for each size the number of bits of it: 0 for 0, 1 for 1, 2 for 2 and 3."""
    return np.asarray(np.ceil(np.log2(np.asarray(sizes, np.float64) + 1)), np.int64)


def counted(*columns: Ints) -> list[list[int]]:
    """Returns each row of these columns that occurs, with how often at its end."""
    if not len(columns[0]):
        return []
    rows, counts = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    return [[*row, count] for row, count in zip(rows.tolist(), counts.tolist(), strict=True)]


def fit_tables(heap: Heap) -> dict[str, Any]:
    """Returns all tables as JSON holds them."""
    rows = heap.objects
    blocks = ~rows["is_region"]
    bins = size_bins(rows["size"])
    freed = rows["gap"] >= 0
    return {
        "calls": counted(bins[blocks], rows["call"][blocks], rows["alignment"][blocks]),
        "zeroed": counted(
            rows["call"][freed & blocks], rows["is_zeroed"][freed & blocks].astype(np.int64)
        ),
        "threads": _threads(heap),
        "thread_changes": _thread_changes(heap),
        "handovers": _handovers(heap),
        "lifo_percent": heap.lifo_percent,
        "steps": _steps(heap),
        "rungs": _rungs(heap.step_size),
        "nulls": _quantiles(heap.null_gap / max(heap.births, 1), _PARTS + 1),
        "null_frees": len(heap.null_gap),
        "clock_ns": [int(each) for each in _quantiles(heap.clock_ns, _PARTS + 1, digits=15)],
    }


def _quantiles(values: Floats, count: int, digits: int = 5) -> list[float]:
    """Returns evenly spaced quantiles, the least and the largest value included."""
    if not len(values):
        return []
    found = np.quantile(values, np.linspace(0, 1, count))
    return [float(f"{each:.{digits}g}") for each in found.tolist()]


def _threads(heap: Heap) -> list[list[list[int]]]:
    """Returns for each part of the run which threads allocate how often."""
    threads = heap.objects["birth_thread"]
    edges = np.linspace(0, heap.births, min(_THREAD_PARTS, max(heap.births, 1)) + 1).astype(int)
    return [counted(threads[begin:end]) for begin, end in pairwise(edges.tolist())]


def _thread_changes(heap: Heap) -> float:
    """Returns the share of births that are another thread's than the one before."""
    threads = heap.objects["birth_thread"]
    return float(f"{(threads[1:] != threads[:-1]).mean():.4g}") if len(threads) > 1 else 0.0


def _handovers(heap: Heap) -> list[list[int]]:
    """Returns which thread frees what another one allocated, the most frequent pairs, and for each
    thread how many it frees itself.
    """
    freed = heap.objects["gap"] >= 0
    pairs = counted(heap.objects["birth_thread"][freed], heap.objects["death_thread"][freed])
    return sorted(sorted(pairs, key=lambda pair: -pair[-1])[:_MOST_PAIRS])


def _rungs(step_sizes: Ints) -> list[list[Any]]:
    """Returns for each doubling of the sizes that blocks are reallocated to: it, how many are, and
    the few most frequent sizes, each with how many. Buffers grow by doubling, or by half.
    """
    rungs = []
    bins = size_bins(step_sizes)
    for each in np.unique(bins).tolist():
        sizes, counts = np.unique(step_sizes[bins == each], return_counts=True)
        total = int(counts.sum())
        often = np.argsort(-counts, kind="stable")[:_RUNGS]
        often = np.sort(often[counts[often] >= max(_RUNG_SHARE * total, _RUNG_COUNT)])
        rows = zip(sizes[often].tolist(), counts[often].tolist(), strict=True)
        rungs.append([each, total, [[size, count] for size, count in rows]])
    return rungs


def _steps(heap: Heap) -> list[list[Any]]:
    """Returns when objects are reallocated before the last time: by the doublings of how often they
    are, quantiles of the share of the time between birth and the last one. Of objects whose steps
    are all over before the next birth nothing is to be said.
    """
    rows = heap.objects
    born, last = rows["born"][heap.step_object], rows["last_gap"][heap.step_object]
    share = (heap.step_gap - born + 0.5) / (last - born + 1)
    is_last = np.ones(len(share), np.bool_)
    order = np.argsort(heap.step_object, kind="stable")
    owner = heap.step_object[order]
    is_last[order[:-1]] = owner[1:] != owner[:-1]
    is_over = is_last | (last == born)
    bins = np.where(is_over, 0, size_bins(rows["steps"][heap.step_object]))
    return [
        [int(each), _quantiles(share[bins == each], _STEP_QUANTILES)]
        for each in np.unique(bins)
        if each
    ]
