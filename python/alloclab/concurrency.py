# SPDX-License-Identifier: MIT
"""Whose calls a program's heap had: by thread, and from thread to thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.traces import KINDS, Chunk
from alloclab.units import format_ratio

_CALLS = [
    KINDS[name]
    for name in (
        "allocate",
        "allocate_failed",
        "free",
        "free_null",
        "reallocate",
        "reallocate_failed",
        "reallocate_zero",
    )
]


@dataclass(frozen=True)
class Concurrency:
    """How a program's calls of its allocator were spread over its threads.

    A thread lives from its first event to its exit, or to the end of the trace.

    Attributes:
        calls: of each thread that made any, most first: allocations, reallocations and frees, those
            of null and those that failed included.
        threads: how many there were, those without calls included.
        most_alive: threads alive at once at most.
        mean_alive: on average over the time of the trace; `most_alive` where its clock stood still.
        freed_elsewhere_ratio: of the blocks freed, the share freed by another thread than allocated
            them; 0 where none was freed.
    """

    calls: tuple[int, ...]
    threads: int
    most_alive: int
    mean_alive: float
    freed_elsewhere_ratio: float

    @property
    def busiest_ratio(self) -> float:
        """The share of calls that the thread with most of them made; 1 where there are none."""
        return self.calls[0] / sum(self.calls) if self.calls else 1.0

    def __str__(self) -> str:
        if self.threads <= 1:
            return "one thread"
        return (
            f"{self.threads} threads, at most {self.most_alive} at once, {self.mean_alive:.1f} on "
            f"average; {format_ratio(self.busiest_ratio)} of the calls are one's, "
            f"{format_ratio(self.freed_elsewhere_ratio)} of the frees another's than the allocation"
        )


def concurrency(chunks: Iterable[Chunk], objects: Mapping[str, npt.NDArray[Any]]) -> Concurrency:
    """Counts calls by thread over the chunks of a trace, whose objects are given, too.

    Cost: a sort of each chunk's threads.
    """
    walk = _Walk()
    for chunk in chunks:
        walk.add(chunk)
    most, mean = walk.alive()
    is_freed = (np.asarray(objects["is_region"]) == 0) & (objects["death"] >= 0)
    elsewhere = objects["birth_thread"][is_freed] != objects["death_thread"][is_freed]
    return Concurrency(
        calls=tuple(sorted(filter(None, walk.calls.values()), reverse=True)),
        threads=len(walk.begin),
        most_alive=most,
        mean_alive=mean,
        freed_elsewhere_ratio=float(elsewhere.mean()) if elsewhere.size else 0.0,
    )


class _Walk:
    """By thread: its calls, and the event and time of its first event and its exit."""

    def __init__(self) -> None:
        self.calls: dict[int, int] = {}
        self.begin: dict[int, tuple[int, int]] = {}
        self.end: dict[int, tuple[int, int]] = {}
        self.events = self.last_ns = 0

    def add(self, chunk: Chunk) -> None:
        if not len(chunk):
            return

        def place(at: int) -> tuple[int, int]:
            return chunk.first_event + at, int(chunk.time_ns[at])

        threads, first = _unique(chunk.thread)
        for thread, at in zip(threads.tolist(), first.tolist(), strict=True):
            self.begin.setdefault(thread, place(at))
        for at in np.flatnonzero(chunk.is_kind("thread_exit")).tolist():
            self.end[int(chunk.thread[at])] = place(at)
        is_call = np.isin(chunk.kind, _CALLS)
        if len(threads) > 1:
            callers, count = np.unique(chunk.thread[is_call], return_counts=True)
        else:
            callers, count = threads, np.array([np.count_nonzero(is_call)])
        for thread, more in zip(callers.tolist(), count.tolist(), strict=True):
            self.calls[thread] = self.calls.get(thread, 0) + more
        self.events = chunk.first_event + len(chunk)
        self.last_ns = int(chunk.time_ns[-1])

    def alive(self) -> tuple[int, float]:
        """Returns how many threads were alive at once at most, and on average over time."""
        steps, lived_ns = [], 0
        for thread, (event, time_ns) in self.begin.items():
            end_event, end_ns = self.end.get(thread, (self.events, self.last_ns))
            steps += [(event, 1), (end_event + 1, -1)]
            lived_ns += end_ns - time_ns
        now = most = 0
        for _, step in sorted(steps):  # of one event the ends come first
            now += step
            most = max(most, now)
        return most, lived_ns / self.last_ns if self.last_ns else float(most)


def _unique(threads: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Returns the threads and where each comes first; most chunks are of one, without a sort."""
    if (threads == threads[0]).all():
        return threads[:1], np.zeros(1, np.int64)
    return np.unique(threads, return_index=True)
