# SPDX-License-Identifier: MIT
"""NumPy's own data from an allocator of the lab, by the handlers of NEP 49."""

from __future__ import annotations

import contextvars
import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest

import alloclab as al


def test_arrays_made_inside_take_their_data_from_the_allocator() -> None:
    with al.numpy_allocator(al.Pool()) as pool:
        grid = np.empty(1000)
        zeros = np.zeros((10, 10))
        assert pool.owns(grid.ctypes.data)
        assert pool.owns(zeros.ctypes.data)
        assert pool.owns((grid + 1.0).ctypes.data)
        assert not zeros.any()
    outside = np.empty(1000)
    assert not pool.owns(outside.ctypes.data)


def test_an_array_outlives_the_block_and_is_freed_where_it_came_from() -> None:
    with al.numpy_allocator(al.Pool()) as pool:
        grid = np.arange(1000.0)
    assert pool.escapes() == [(8016, "numpy")]
    assert grid.sum() == 499500.0
    del grid
    assert pool.escapes() == []


def test_the_allocator_lives_as_long_as_its_last_array() -> None:
    with al.numpy_allocator(al.Arena()) as arena:
        grid = np.ones(100_000)
    del arena
    gc.collect()
    grid += 1.0
    assert grid.sum() == 200_000.0


def test_closing_the_allocator_tells_of_arrays_and_leaves_them_valid() -> None:
    with (
        pytest.raises(al.ArenaEscapeError, match=r"8,016 B \[numpy\]"),
        al.arena("frame") as frame,
        al.numpy_allocator(frame),
    ):
        grid = np.ones(1000)
    assert grid.sum() == 1000.0


def test_an_array_that_grows_keeps_its_values() -> None:
    with al.numpy_allocator(al.Arena()) as arena:
        grid = np.arange(100)
        blocker = np.ones(10)  # so that it cannot grow in place
        grid.resize(10_000, refcheck=False)
        assert arena.owns(grid.ctypes.data)
        assert grid[:100].tolist() == list(range(100))
        assert not grid[100:].any()
        grid.resize(10, refcheck=False)
        assert grid.tolist() == list(range(10))
        assert blocker.sum() == 10.0
        assert np.fromiter((n * n for n in range(1000)), "i8").sum() == 332833500


def test_the_newest_array_grows_in_place() -> None:
    with al.numpy_allocator(al.Arena()):
        grid = np.arange(100)
        address = grid.ctypes.data
        grid.resize(1000, refcheck=False)
        assert grid.ctypes.data == address


def test_a_budget_makes_numpy_raise_memory_error() -> None:  # S52, R26
    with al.numpy_allocator(al.Limit(bytes=1 << 20, upstream=al.Pool())) as budget:
        small = np.zeros(1000)
        with pytest.raises(MemoryError):
            np.zeros(1 << 20)
        with pytest.raises(MemoryError):
            np.zeros(1000).resize(1 << 20, refcheck=False)
        assert small.sum() == 0.0
    del small
    assert budget.stats()["limit_used_bytes"] == 0


@pytest.mark.parametrize("alignment", [16, 64, 4096])
def test_data_can_be_aligned(alignment: int) -> None:
    with al.numpy_allocator(al.Pool(), alignment=alignment):
        for size in (1, 7, 1000):
            assert np.empty(size, "u1").ctypes.data % alignment == 0


def test_a_bad_alignment_is_refused() -> None:
    with (
        pytest.raises(ValueError, match="power of two from 8"),
        al.numpy_allocator(al.Pool(), alignment=24),
    ):
        pass


def test_blocks_nest_and_give_the_one_before_back() -> None:
    with al.numpy_allocator(al.Pool()) as outer:
        with al.numpy_allocator(al.Pool()) as inner:
            assert inner.owns(np.empty(100).ctypes.data)
        assert outer.owns(np.empty(100).ctypes.data)


def test_an_empty_array_and_its_shape_changes_are_freed_whole() -> None:
    with al.numpy_allocator(al.Pool()) as pool:
        empty = np.empty(0)
        grid = np.zeros((4, 6))
        grid.shape = (24,)
        del empty, grid
    assert pool.escapes() == []


def test_another_thread_frees_but_does_not_allocate() -> None:
    held: list[np.ndarray] = []
    failed: list[BaseException] = []

    def allocate() -> None:
        try:
            np.empty(100_000)
        except MemoryError as error:
            failed.append(error)

    with al.numpy_allocator(al.Arena()) as arena:
        held.append(np.ones(1000))
        # A thread begins with a context of its own, where NumPy's default holds.
        fresh = threading.Thread(target=allocate)
        fresh.start()
        fresh.join()
        assert failed == []
        # One that runs in a copy of this context meets an arena that is not its own.
        context = contextvars.copy_context()
        copied = threading.Thread(target=context.run, args=(allocate,))
        copied.start()
        copied.join()
        assert len(failed) == 1
        free = threading.Thread(target=held.clear)
        free.start()
        free.join()
    assert arena.escapes() == []


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("spec", [al.Arena(), al.Pool(), al.Platform()], ids=str)
def test_zeros_of_fresh_memory_are_not_written(spec: al.Allocator) -> None:
    with al.numpy_allocator(spec):
        before = resident_bytes()
        zeros = np.zeros(64 << 20, "u1")
        assert resident_bytes() - before < 16 << 20
        assert not zeros[:: 1 << 20].any()
        del zeros


def test_zeros_are_zero_where_another_array_was() -> None:
    with al.numpy_allocator(al.Pool()), np.errstate(all="raise"):
        for size in (10, 1000, 100_000, 10):
            np.full(size, 255, "u1")
            assert not np.zeros(size, "u1").any()
