# SPDX-License-Identifier: MIT
"""Sequences of calls drawn by hypothesis over every live allocator, against a model of what lives;
and memory that runs out at each request in turn.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import alloclab as al
from alloclab._core import Block
from alloclab.allocators import KNOWN
from support.sequences import kept

SPECS: list[al.Allocator] = [
    al.Arena(),
    al.Arena(initial="4 KiB", growth=1, max_chunk="4 KiB"),
    al.FrameArena(),
    al.DoubleEnded(),
    al.Freelist(block=128),
    al.Pool(),
    al.Tlsf(),
    al.Buddy(),
    al.Slab(),
    al.PageAllocator(),
    al.Platform(),
    al.Null(),
    al.JemallocArena(),
    al.MimallocHeap(),
    al.Segregator(64, small=al.Freelist(block=64), large=al.Pool()),
    al.Bucketizer(al.Slab(), min=1, max=1024, step=64),
    al.Fallback(primary=al.Freelist(block=64), secondary=al.Arena()),
    al.Affix(al.Pool()),
    al.Quantizer(al.Pool()),
    al.Stats(al.Pool(), slack=True),
    al.Limit(al.Pool(), "8 KiB"),
    al.FailAfter(al.Pool(), 5, failed=3),
    al.Locked(al.Pool()),
    al.ThreadLocal(al.Pool()),
    al.Callback(al.Tlsf()),
    al.Deterministic(al.Arena()),
    al.Traced(al.Pool()),
    al.Guard(al.Pool()),
    al.Quarantine(al.Pool()),
    al.Affix(al.Arena()),
    al.Quantizer(al.Arena()),
    al.Stats(al.Arena()),
    al.Guard(al.Arena()),
    al.Quarantine(al.Arena()),
    al.Limit(al.Stats(al.Segregator(256, small=al.Slab(), large=al.Tlsf())), "64 KiB"),
]
SIZES = st.one_of(st.integers(0, 200), st.sampled_from([255, 256, 1024, 4096, 5000, 70_000]))
CALLS = st.one_of(
    st.tuples(st.just("allocate"), SIZES, st.integers(0, 6)),
    st.tuples(st.just("array"), st.integers(0, 300), st.just(0)),
    st.tuples(st.just("free"), st.integers(0, 50), st.just(0)),
    st.tuples(st.just("resize"), st.integers(0, 50), SIZES),
    st.tuples(st.just("reallocate"), st.integers(0, 50), SIZES),
    st.tuples(st.sampled_from(["reset", "mark", "rewind"]), st.just(0), st.just(0)),
)


def opened(spec: al.Allocator, **how: Any) -> al.LiveAllocator:
    try:
        return al.live(spec, **how)
    except al.Error as error:
        if spec.name in ("jemalloc_arena", "mimalloc_heap"):
            pytest.skip(f"not to be had in this process: {error}")
        raise


@dataclass
class Model:
    """What lives, as the caller knows it: each block or array with the byte it is full of."""

    heap: al.LiveAllocator
    live: dict[int, tuple[Block | np.ndarray[Any, Any], int]] = field(default_factory=dict)
    marks: list[tuple[Any, int]] = field(default_factory=list)
    births: int = 0

    def call(self, name: str, first: int, second: int) -> None:
        if name in ("reset", "mark", "rewind"):
            if hasattr(self.heap, name):
                getattr(self, name)()
            return
        if name in ("allocate", "array"):
            getattr(self, name)(first, second)
        elif self.live:
            getattr(self, name)(sorted(self.live)[first % len(self.live)], second)

    def allocate(self, size: int, exponent: int) -> None:
        try:
            block = self.heap.allocate(size, 1 << exponent)
        except MemoryError:
            return
        assert block.address % (1 << exponent) == 0
        self.keep(block)

    def array(self, size: int, _: int) -> None:
        try:
            self.keep(self.heap.array(size, "u1"))
        except MemoryError:
            return

    def keep(self, made: Block | np.ndarray[Any, Any]) -> None:
        fill = self.births * 37 % 251
        with memoryview(made) as view:
            view[:] = bytes([fill]) * len(made)
        self.live[self.births] = (made, fill)
        self.births += 1

    def free(self, birth: int, _: int) -> None:
        made, fill = self.live.pop(birth)
        assert bytes(made) == bytes([fill]) * len(made)
        if isinstance(made, Block):
            self.heap.deallocate(made)
            assert not made.is_live

    def resize(self, birth: int, size: int) -> None:
        made, fill = self.live[birth]
        if not isinstance(made, Block) or not hasattr(self.heap, "resize"):
            return
        before = len(made)
        if self.heap.resize(made, size):
            assert len(made) == size
            self.refill(made, fill, min(before, size))
        else:
            assert len(made) == before

    def reallocate(self, birth: int, size: int) -> None:
        made, fill = self.live[birth]
        if not isinstance(made, Block):
            return
        before = len(made)
        try:
            moved = self.heap.reallocate(made, size)
        except MemoryError:
            assert made.is_live and len(made) == before
            return
        if moved is not made:  # as young as any: a rewind may end it
            del self.live[birth]
            birth, self.births = self.births, self.births + 1
        self.live[birth] = (moved, fill)
        self.refill(moved, fill, min(before, size))

    def refill(self, block: Block, fill: int, kept: int) -> None:
        with memoryview(block) as view:
            assert bytes(view[:kept]) == bytes([fill]) * kept
            view[:] = bytes([fill]) * len(block)

    def looked_at(self, since: int) -> bool:
        return any(
            birth >= since and not isinstance(made, Block) for birth, (made, _) in self.live.items()
        )

    def end(self, since: int) -> None:
        for birth in [birth for birth in self.live if birth >= since]:
            made, _ = self.live.pop(birth)
            assert isinstance(made, Block) and not made.is_live

    def reset(self) -> None:
        if self.looked_at(0):
            with pytest.raises(al.ArenaEscapeError):
                self.heap.reset()
            return
        self.heap.reset()
        self.end(0)
        self.marks.clear()

    def mark(self) -> None:
        self.marks.append((self.heap.mark(), self.births))

    def rewind(self) -> None:
        if not self.marks:
            return
        mark, since = self.marks[-1]
        if self.looked_at(since):
            with pytest.raises(al.ArenaEscapeError):
                self.heap.rewind(mark)
            return
        self.heap.rewind(mark)
        self.end(since)

    def check(self) -> None:
        """Every block holds what was written, and no two share a byte."""
        ranges = []
        for made, fill in self.live.values():
            assert bytes(made) == bytes([fill]) * len(made)
            start = made.address if isinstance(made, Block) else made.ctypes.data
            ranges.append((start, start + len(made)))
        ranges = sorted(each for each in ranges if each[0] != each[1])
        assert all(left[1] <= right[0] for left, right in itertools.pairwise(ranges))


def run(heap: al.LiveAllocator, calls: list[tuple[str, int, int]]) -> None:
    model = Model(heap)
    for name, first, second in calls:
        model.call(name, first, second)
        model.check()
    assert heap.live_count == len(model.live)
    model.live.clear()
    assert heap.live_count == 0
    heap.close()


def test_every_allocator_that_can_be_live_is_tried() -> None:
    possible = {name for name, kind in KNOWN.items() if kind.can_be_part} - {"plugin"}
    assert {spec.name for spec in SPECS} >= possible


FIXED = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


OLDER_THAN_A_MARK = [("allocate", 64, 4), ("allocate", 64, 4), ("mark", 0, 0)]
THEN_OVER_IT = [("rewind", 0, 0), ("allocate", 1024, 4), ("allocate", 4096, 4)]


@pytest.mark.parametrize("spec", SPECS, ids=str)
@FIXED
@given(calls=st.lists(CALLS, max_size=40))
@example(calls=[*OLDER_THAN_A_MARK, ("resize", 1, 4096), *THEN_OVER_IT])
@example(calls=[*OLDER_THAN_A_MARK, ("resize", 1, 16), ("allocate", 4096, 4), *THEN_OVER_IT])
@example(calls=[*OLDER_THAN_A_MARK, ("reallocate", 0, 5000), *THEN_OVER_IT])
@example(calls=[*OLDER_THAN_A_MARK, ("free", 1, 0), ("allocate", 4096, 4), *THEN_OVER_IT])
@example(calls=[("mark", 0, 0), ("allocate", 64, 4), ("free", 0, 0), *THEN_OVER_IT])
@kept
def test_any_sequence_of_calls_keeps_what_lives(
    spec: al.Allocator, calls: list[tuple[str, int, int]]
) -> None:
    heap = opened(spec)
    run(heap, calls)
    assert heap.is_closed and heap.escapes() == []


@pytest.mark.parametrize("spec", [al.Pool(), al.Arena(), al.Tlsf(), al.Platform()], ids=str)
@FIXED
@given(calls=st.lists(CALLS, max_size=40))
@kept
def test_a_trace_changes_nothing_and_finds_nothing(
    spec: al.Allocator, calls: list[tuple[str, int, int]]
) -> None:
    heap = opened(spec, traced=True)
    run(heap, calls)  # a defect the trace finds raises
    assert heap.is_closed and heap.escapes() == []


def work(heap: al.LiveAllocator) -> Iterator[str]:
    """A program of eight requests: tables that grow, and NumPy's own data."""
    table = heap.allocate(64, tag="table")
    with memoryview(table) as view:
        view[:] = b"t" * 64
    yield "table"
    for size in (1 << 12, 1 << 14, 1 << 16):
        table = heap.reallocate(table, size)
        assert bytes(table)[:64] == b"t" * 64
        yield f"table of {size}"
    values = heap.array(100, tag="values")
    yield "values"
    with al.numpy_allocator(heap):
        doubled = np.full(100, 2.0)
        yield "doubled"
        total = values[:0].sum() + doubled.sum()
    assert total == 200.0
    yield "total"


def test_memory_may_run_out_at_any_request() -> None:  # R43, R44
    reached: list[int] = []
    for served in range(40):
        heap = al.live(al.FailAfter(al.Tlsf(), served, failed=1))
        steps: list[str] = []
        failure: MemoryError | None = None
        try:
            for step in work(heap):
                steps.append(step)
        except MemoryError as error:
            failure = error.with_traceback(None)
        failed = heap.stats()["injected_failure_ops"]
        # A growth that cannot be had in place is had elsewhere: that failure is no failure.
        assert failed == 1 or failure is None
        assert heap.live_count == 0
        assert heap.escapes() == []
        heap.close()
        reached.append(len(steps))
        if failed == 0:
            break
    # The first; three growths in place, each had elsewhere; one that had to move; the array.
    assert reached[:6] == [0, 7, 7, 7, 3, 4]
    # NumPy's own requests, as many as it makes.
    assert reached[6:] == sorted(reached[6:])
    assert reached[-1] == 7


def test_a_budget_that_fails_leaves_what_was_there() -> None:  # R26, S52
    heap = al.live(al.Limit(al.Pool(), "4 KiB"))
    kept = [heap.allocate(1000) for _ in range(4)]
    for block in kept:
        with pytest.raises(MemoryError):
            heap.reallocate(block, 2000)
        assert block.is_live and block.size == 1000
    assert heap.stats()["limit_used_bytes"] == 4000
