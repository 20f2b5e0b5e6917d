# SPDX-License-Identifier: MIT
"""Live allocators: blocks that know their end, arrays that hold it up, capabilities that exist."""

from __future__ import annotations

import copy
import gc
import pickle
import threading

import numpy as np
import pytest

import alloclab as al
from alloclab import _core
from alloclab.allocators import KNOWN


def test_a_block_is_memory_that_can_be_written_and_read() -> None:
    pool = al.live(al.Pool())
    block = pool.allocate(64, 256, tag="ast")
    assert (len(block), block.size, block.alignment, block.tag) == (64, 64, 256, "ast")
    assert block.address % 256 == 0
    with memoryview(block) as view:
        view[:3] = b"abc"
        assert not view.readonly
    assert bytes(block)[:3] == b"abc"


def test_a_zeroed_block_reads_as_zero_where_another_one_was() -> None:
    pool = al.live(al.Pool())
    dirty = pool.allocate(256)
    with memoryview(dirty) as view:
        view[:] = b"\xff" * 256
    pool.deallocate(dirty)
    assert bytes(pool.allocate(256, zeroed=True)) == bytes(256)


def test_a_freed_block_raises_when_it_is_used_and_keeps_its_number() -> None:  # W9
    pool = al.live(al.Pool())
    block = pool.allocate(64)
    address = block.address
    pool.deallocate(block)
    assert not block.is_live
    assert block.address == address
    with pytest.raises(al.BlockEnded, match="freed, reset or rewound away"):
        memoryview(block)
    with pytest.raises(al.BlockEnded):
        pool.deallocate(block)
    with pytest.raises(al.BlockEnded):
        pool.usable_size(block)


def test_a_block_of_another_allocator_is_refused() -> None:  # R40
    left, right = al.live(al.Pool()), al.live(al.Pool())
    block = left.allocate(64)
    with pytest.raises(al.Error, match="another allocator"):
        right.deallocate(block)
    assert block.is_live


def test_dropping_the_last_handle_frees_the_block() -> None:
    arena = al.live(al.Arena())
    arena.allocate(1000)
    gc.collect()
    assert arena.live_count == 0
    assert arena.stats()["used_bytes"] == 0


def test_a_handle_keeps_its_allocator_alive() -> None:  # R22
    block = al.live(al.Arena()).allocate(64)
    gc.collect()
    with memoryview(block) as view:
        view[:] = b"x" * 64
    assert bytes(block) == b"x" * 64


def test_a_live_allocator_cannot_be_copied_or_pickled() -> None:  # R22
    arena = al.live(al.Arena())
    for make_another in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be"):
            make_another(arena)


def test_a_block_is_given_by_an_allocator_only() -> None:
    arena = al.live(al.Arena())
    for given in (arena.allocate(8), arena.mark()):
        with pytest.raises(TypeError, match="not made or copied"):
            type(given).__new__(type(given))
        with pytest.raises(TypeError):
            copy.copy(given)
        with pytest.raises(TypeError, match="not safe"):
            object.__new__(type(given))


def test_a_reset_ends_every_block() -> None:  # S35
    arena = al.live(al.Arena())
    blocks = [arena.allocate(64) for _ in range(10)]
    arena.reset()
    assert not any(block.is_live for block in blocks)
    assert arena.live_count == 0
    with pytest.raises(al.BlockEnded):
        bytes(blocks[0])


def test_a_reset_is_refused_while_an_array_looks() -> None:
    arena = al.live(al.Arena(), "frame")
    other = arena.allocate(8)
    points = arena.array(10, "f8", tag="points")
    with pytest.raises(
        al.ArenaEscapeError, match=r"'frame' cannot reset while 1 block.*80 B \[points\]"
    ):
        arena.reset()
    assert other.is_live
    points[:] = 1.0
    del points
    arena.reset()
    assert not other.is_live


def test_a_rewind_ends_what_came_after_the_mark() -> None:
    arena = al.live(al.Arena())
    before = arena.allocate(64)
    mark = arena.mark()
    after = [arena.allocate(64) for _ in range(5)]
    arena.rewind(mark)
    assert before.is_live
    assert not any(block.is_live for block in after)
    arena.allocate(64)
    arena.rewind(mark)
    assert arena.live_count == 1


def test_a_rewind_looks_only_at_the_arrays_it_would_end() -> None:
    arena = al.live(al.Arena())
    kept = arena.array(4)
    mark = arena.mark()
    lost = arena.array(4, tag="lost")
    with pytest.raises(al.ArenaEscapeError, match=r"\[lost\]"):
        arena.rewind(mark)
    del lost
    arena.rewind(mark)
    kept[:] = 2.0
    assert kept.sum() == 8.0


def test_marks_that_are_stale_or_foreign_are_refused() -> None:
    arena, other = al.live(al.Arena()), al.live(al.Arena())
    outer = arena.mark()
    arena.allocate(64)
    inner = arena.mark()
    arena.rewind(outer)
    with pytest.raises(al.Error, match="stale"):
        arena.rewind(inner)
    with pytest.raises(al.Error, match="another allocator's"):
        other.rewind(outer)
    arena.reset()
    with pytest.raises(al.Error, match="stale"):
        arena.rewind(outer)


def test_a_block_older_than_a_mark_keeps_its_bytes_until_the_mark_is_gone() -> None:
    arena = al.live(al.Arena())
    block = arena.allocate(64)
    mark = arena.mark()
    used_bytes = arena.stats()["used_bytes"]
    del block  # the newest block: the cursor must not go below the mark
    assert arena.stats()["used_bytes"] == used_bytes
    arena.rewind(mark)
    assert arena.stats()["used_bytes"] == used_bytes


def test_a_block_older_than_a_mark_does_not_grow_into_what_a_rewind_ends() -> None:
    arena = al.live(al.Arena())
    old = arena.allocate(64)
    with memoryview(old) as view:
        view[:] = b"a" * 64
    mark = arena.mark()
    assert not arena.resize(old, 4096)
    assert len(old) == 64
    moved = arena.reallocate(old, 4096)
    assert not old.is_live
    assert bytes(moved)[:64] == b"a" * 64
    arena.rewind(mark)
    assert not moved.is_live


def test_a_block_older_than_a_mark_does_not_shrink_below_it() -> None:
    arena = al.live(al.Arena())
    arena.mark()
    young = arena.allocate(64)
    assert arena.resize(young, 4096)
    mark = arena.mark()
    assert not arena.resize(young, 32)
    assert arena.resize(young, 4096)
    after = arena.allocate(1024)
    arena.rewind(mark)
    assert not after.is_live
    assert arena.allocate(1024).address >= young.address + 4096


def test_a_capability_an_allocator_has_not_is_no_attribute() -> None:
    platform, arena = al.live(al.Platform()), al.live(al.Arena())
    for name in ("reset", "mark", "rewind", "owns"):
        assert not hasattr(platform, name)
        assert hasattr(arena, name)
    assert hasattr(platform, "usable_size") and not hasattr(arena, "usable_size")
    with pytest.raises(AttributeError, match="platform has no reset"):
        platform.reset()


def test_usable_size_and_owns_tell_of_blocks() -> None:
    pool = al.live(al.Pool())
    block = pool.allocate(100)
    assert pool.usable_size(block) >= 100
    assert pool.owns(block)
    assert not pool.owns(id(pool))


def test_resize_is_in_place_or_not_at_all() -> None:
    arena = al.live(al.Arena())
    block = arena.allocate(64)
    address = block.address
    assert arena.resize(block, 128)
    assert (block.address, block.size) == (address, 128)
    newer = arena.allocate(64)
    assert not arena.resize(block, 256)
    assert block.size == 128
    assert newer.is_live


def test_reallocate_keeps_the_bytes_where_it_moves() -> None:
    arena = al.live(al.Arena())
    block = arena.allocate(64, tag="grown")
    with memoryview(block) as view:
        view[:] = bytes(range(64))
    arena.allocate(8)
    held = arena.allocate(8)
    moved = arena.reallocate(block, 1024)
    assert not block.is_live
    assert (moved.size, moved.tag) == (1024, "grown")
    assert bytes(moved)[:64] == bytes(range(64))
    assert held.is_live


@pytest.mark.parametrize("size", [-1, -(1 << 40)])
def test_a_negative_size_is_a_mistake(size: int) -> None:
    with pytest.raises(ValueError, match="not negative"):
        al.live(al.Arena()).allocate(size)


@pytest.mark.parametrize("alignment", [0, 3, -16])
def test_an_alignment_that_is_no_power_of_two_is_a_mistake(alignment: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        al.live(al.Arena()).allocate(8, alignment)


def test_a_refusal_is_a_memory_error_or_none_and_nothing_is_lost() -> None:  # R26, S49
    freelist = al.live(al.Freelist(block=64))
    block = freelist.allocate(64)
    refused: list[int] = []
    freelist.on_failure(refused.append)
    with pytest.raises(MemoryError, match="freelist: no room for 65 bytes"):
        freelist.allocate(65)
    with pytest.raises(MemoryError):
        freelist.array(100)
    assert freelist.allocate_address(1000) is None
    assert refused == [65, 800, 1000]
    assert block.is_live


def test_a_budget_raises_memory_error_and_calls_back() -> None:  # S52
    budget = al.live(al.Limit(bytes=1000, upstream=al.Pool()), "level")
    refused: list[int] = []
    budget.on_failure(refused.append)
    kept = budget.allocate(900)
    with pytest.raises(MemoryError, match="limit: no room for 101 bytes"):
        budget.allocate(101)
    assert refused == [101]
    assert budget.stats()["limit_refused_ops"] == 1
    budget.deallocate(kept)
    assert budget.allocate(1000).size == 1000


def test_an_address_is_unchecked_and_ends_with_the_allocator() -> None:  # W9
    with al.live(al.Pool()) as pool:
        address = pool.allocate_address(64, 64, tag="raw")
        assert address is not None and address % 64 == 0
        pool.deallocate_address(address, 64, 64)
        assert pool.allocate_address(64) is not None


@pytest.mark.parametrize("dtype", ["f8", "u1", "<c16", "V24", [("x", "i4"), ("y", "f8")]])
def test_an_array_has_the_shape_and_type_asked_for(dtype: object) -> None:
    arena = al.live(al.Arena())
    array = arena.array((3, 4), dtype, zeroed=True)  # type: ignore[arg-type]
    assert array.shape == (3, 4)
    assert array.dtype == np.dtype(dtype)  # type: ignore[call-overload]
    assert array.flags.writeable and array.flags.aligned
    assert not array.view("u1").any()
    assert arena.array(0).size == 0


@pytest.mark.parametrize("shape", [np.int64(5), (np.int32(2), 3), [4, 2], np.array([2, 2])])
def test_a_shape_is_whole_numbers_of_any_kind(shape: object) -> None:
    array = al.live(al.Pool()).array(shape)  # type: ignore[arg-type]
    assert array.shape == np.zeros(shape).shape  # type: ignore[call-overload]


def test_a_shape_of_a_real_number_is_a_mistake() -> None:
    with pytest.raises(TypeError):
        al.live(al.Pool()).array((2.5,))  # type: ignore[arg-type]


def test_an_array_can_be_aligned_to_a_cache_line() -> None:
    pool = al.live(al.Pool())
    assert pool.array(5, "u1", alignment=64).ctypes.data % 64 == 0


def test_an_array_of_objects_is_refused() -> None:
    with pytest.raises(al.UsageError, match="does not hold bytes"):
        al.live(al.Arena()).array(3, object)


def test_a_view_holds_the_block_as_the_array_did() -> None:
    pool = al.live(al.Pool())
    view = pool.array((10, 10))[2:5, ::2]
    gc.collect()
    assert pool.live_count == 1
    view[:] = 7.0
    assert view.sum() == 7.0 * 15
    del view
    assert pool.live_count == 0


def test_an_allocator_serves_the_thread_that_made_it() -> None:  # S47
    arena = al.live(al.Arena())
    block = arena.allocate(64)
    errors: list[BaseException] = []

    def use() -> None:
        try:
            arena.allocate(64)
        except al.WrongThread as error:
            errors.append(error)

    def run(target: object) -> None:
        thread = threading.Thread(target=target)  # type: ignore[arg-type]
        thread.start()
        thread.join()

    run(use)
    assert len(errors) == 1
    handles = [block]
    del block
    run(handles.clear)  # dropped elsewhere: freed here, by the next call
    arena.allocate(16)
    assert arena.stats()["used_bytes"] == 0
    run(arena.adopt_thread)
    with pytest.raises(al.WrongThread, match="adopt_thread"):
        arena.allocate(64)


def test_workers_keep_results_in_a_backing_all_of_them_share() -> None:  # R28
    backing = al.live(al.Locked(al.Pool()))
    results: dict[int, np.ndarray] = {}

    def work(worker: int) -> None:
        with al.live(al.Arena()) as own:  # serves this thread only
            scratch = own.array(1000, "i4")
            scratch[:] = worker
            kept = backing.array(10, "i4", tag="result")
            kept[:] = scratch[:10]
            results[worker] = kept
            del scratch

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert {number: kept.tolist() for number, kept in results.items()} == {
        number: [number] * 10 for number in range(4)
    }
    assert all(backing.owns(kept.ctypes.data) for kept in results.values())
    assert backing.live_count == 4
    results.clear()
    assert backing.live_count == 0


def test_a_spec_that_is_a_whole_processes_malloc_is_refused() -> None:
    with pytest.raises(al.UsageError, match="glibc is a whole process's malloc"):
        al.live(al.Glibc())


def test_every_part_the_core_knows_has_a_spec() -> None:
    assert set(_core.known_allocators()) - set(KNOWN) == set()


def test_a_mimalloc_heap_whose_thread_has_ended_frees_and_refuses() -> None:
    heaps: list[al.LiveAllocator] = []
    blocks: list[_core.Block] = []

    def make() -> None:
        try:
            heaps.append(al.live(al.MimallocHeap()))
        except al.Error:
            return
        blocks.extend(heaps[0].allocate(100) for _ in range(1000))

    def take_over() -> None:
        heaps[0].adopt_thread()
        with memoryview(blocks[-1]) as view:
            view[:] = b"x" * 100
        blocks.pop()
        with pytest.raises(MemoryError):
            heaps[0].allocate(100)

    for work in (make, *[take_over] * 20):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if not heaps:
            pytest.skip("no mimalloc on this machine")
    assert len(blocks) == 980
    blocks.clear()
    heaps[0].adopt_thread()
    heaps[0].close()
