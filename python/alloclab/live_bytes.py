# SPDX-License-Identifier: MIT
"""What a trace has live between given events: one pass over its chunks, whatever is asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alloclab.traces import KINDS, Chunk

Ints = npt.NDArray[np.int64]

_SIZED = ("allocate", "reallocate")
_ENDED = ("free", "reallocate_zero")
_REGIONS = ("map", "map_reserved", "split", "unmap", "remap")


class ChunkSource(Protocol):
    """What is walked: a trace, or whatever else has its chunks."""

    def chunks(self) -> Iterator[Chunk]: ...


@dataclass(frozen=True)
class LiveBytes:
    """A trace cut at `event`, which begins with 0 and ends with the number of events.

    Attributes:
        time_ns: of the event at each cut.
        live_bytes, mapped_bytes: requested and mapped just before it.
        peak_live_bytes, peak_mapped_bytes: at most, from each cut to the next.
        allocated_bytes, allocations: by thread, from each cut to the next; reallocations count.
        last_size: of each object, in bytes as last asked for.
    """

    event: Ints
    time_ns: Ints
    live_bytes: Ints
    mapped_bytes: Ints
    peak_live_bytes: Ints
    peak_mapped_bytes: Ints
    allocated_bytes: dict[int, Ints]
    allocations: dict[int, Ints]
    last_size: Ints


def live_bytes(
    trace: ChunkSource, events: int, cuts: Iterable[int] | Ints, threads: Iterable[int] = ()
) -> LiveBytes:
    """Walks a trace once.

    Args:
        trace: the trace, of so many `events`.
        cuts: events to cut at; the two ends are added.
        threads: whose allocations are wanted.

    Cost: a sort of each chunk, and two numbers an object.
    """
    inside = np.asarray(cuts if isinstance(cuts, np.ndarray) else list(cuts), dtype=np.int64)
    event = np.unique(np.concatenate([np.array([0, events]), np.clip(inside, 0, events)]))
    walk = _Walk(event, tuple(threads))
    for chunk in trace.chunks():
        walk.add(chunk)
    return walk.finish()


class _Walk:
    def __init__(self, event: Ints, threads: tuple[int, ...]) -> None:
        count = len(event)
        self.event, self.threads = event, threads
        self.time_ns, self.live, self.mapped = (np.zeros(count, np.int64) for _ in range(3))
        self.peak_live, self.peak_mapped = (np.zeros(count, np.int64) for _ in range(2))
        self.bytes = {thread: np.zeros(count, np.int64) for thread in threads}
        self.calls = {thread: np.zeros(count, np.int64) for thread in threads}
        self.size_now = np.zeros(0, np.int64)
        self.last_size = np.zeros(0, np.int64)
        self.region_size: dict[int, int] = {}
        self.created = 0
        self.live_now = self.mapped_now = self.last_time_ns = 0

    def add(self, chunk: Chunk) -> None:
        count = len(chunk)
        if count == 0:
            return
        is_sized = _is_any(chunk, _SIZED)
        change = self._block_changes(chunk, is_sized)
        mapped_change = self._region_changes(chunk)
        live = self.live_now + np.cumsum(change)
        mapped = self.mapped_now + np.cumsum(mapped_change)
        # The stretches that this chunk has a part of; the first may have begun before it.
        end = chunk.first_event + count
        first = int(np.searchsorted(self.event, chunk.first_event, side="right")) - 1
        last = int(np.searchsorted(self.event, end, side="left"))
        row = slice(first, last)
        start = np.maximum(self.event[row] - chunk.first_event, 0)
        begins_here = self.event[row] >= chunk.first_event
        for at, now, was, peak in (
            (self.live, live, self.live_now, self.peak_live),
            (self.mapped, mapped, self.mapped_now, self.peak_mapped),
        ):
            before = np.where(start > 0, now[start - 1], was)
            at[row] = np.where(begins_here, before, at[row])
            most = np.maximum(np.maximum.reduceat(now, start), before)
            peak[row] = np.maximum(peak[row], most)
        self.time_ns[row] = np.where(begins_here, chunk.time_ns[start], self.time_ns[row])
        for thread in self.threads:
            mine = is_sized & (chunk.thread == thread)
            asked = np.where(mine, chunk.size.astype(np.int64), 0)
            self.bytes[thread][row] += np.add.reduceat(asked, start)
            self.calls[thread][row] += np.add.reduceat(mine.astype(np.int64), start)
        self.live_now, self.mapped_now = int(live[-1]), int(mapped[-1])
        self.last_time_ns = int(chunk.time_ns[-1])

    def finish(self) -> LiveBytes:
        self.live[-1], self.mapped[-1] = self.live_now, self.mapped_now
        self.time_ns[-1] = self.last_time_ns
        return LiveBytes(
            self.event,
            self.time_ns,
            self.live,
            self.mapped,
            self.peak_live[:-1],
            self.peak_mapped[:-1],
            {thread: column[:-1] for thread, column in self.bytes.items()},
            {thread: column[:-1] for thread, column in self.calls.items()},
            self.last_size[: self.created],
        )

    def _block_changes(self, chunk: Chunk, is_sized: npt.NDArray[np.bool_]) -> Ints:
        """Returns by how much each event changes what is live: its size less the one before it."""
        change = np.zeros(len(chunk), np.int64)
        at = np.flatnonzero(is_sized | _is_any(chunk, _ENDED))
        if not at.size:
            return change
        named = chunk.object[at].astype(np.int64)
        size = np.where(is_sized[at], chunk.size[at].astype(np.int64), 0)
        self._make_room(int(named.max()) + 1)
        order = np.argsort(named, kind="stable")
        named, size, at = named[order], size[order], at[order]
        is_first = np.concatenate([[True], named[1:] != named[:-1]])
        is_last = np.concatenate([is_first[1:], [True]])
        before = np.where(is_first, self.size_now[named], np.concatenate([[0], size[:-1]]))
        change[at] = size - before
        self.size_now[named[is_last]] = size[is_last]
        was_sized = is_sized[at]
        self.last_size[named[was_sized]] = size[was_sized]  # the last of equal places wins
        return change

    def _region_changes(self, chunk: Chunk) -> Ints:
        """Returns by how much each event changes what is mapped; such events are few."""
        change = np.zeros(len(chunk), np.int64)
        creates = _is_any(chunk, ("allocate", "map", "map_reserved", "split"))
        for at in np.flatnonzero(_is_any(chunk, _REGIONS)):
            kind, named, size = int(chunk.kind[at]), int(chunk.object[at]), int(chunk.size[at])
            before = self.region_size.get(named, 0)
            if kind == KINDS["split"]:
                whole = self.region_size.get(named, 0)
                self.region_size[named] = min(size, whole)
                part = self.created + int(np.count_nonzero(creates[:at]))
                self.region_size[part] = max(whole - size, 0)
                continue
            after = 0 if kind == KINDS["unmap"] else size
            self.region_size[named] = after
            change[at] = after - before
        self.created += int(np.count_nonzero(creates))
        self._make_room(self.created)
        return change

    def _make_room(self, needed: int) -> None:
        if needed > len(self.size_now):
            more = np.zeros(max(needed, 2 * len(self.size_now)) - len(self.size_now), np.int64)
            self.size_now = np.concatenate([self.size_now, more])
            self.last_size = np.concatenate([self.last_size, more])


def _is_any(chunk: Chunk, kinds: Iterable[str]) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[Any] = np.isin(chunk.kind, [KINDS[kind] for kind in kinds])
    return mask
