# SPDX-License-Identifier: MIT
"""A defect anywhere in a live stack is an error of the call that found it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import numpy as np
import pytest

import alloclab as al


def overflow(heap: al.LiveAllocator, size: int = 32) -> None:
    """Writes a byte behind a block, then frees it."""
    address = heap.allocate_address(size)
    assert address is not None
    ctypes.memset(address + size, 1, 1)
    heap.deallocate_address(address, size)


def write_to_freed(heap: al.LiveAllocator) -> None:
    block = heap.allocate(64)
    address = block.address
    heap.deallocate(block)
    ctypes.memset(address + 8, 1, 1)


STACKS = {
    "guard": lambda: al.Guard(al.Pool()),
    "below a lock": lambda: al.Locked(al.Guard(al.Pool())),
    "below a quarantine": lambda: al.Quarantine(al.Guard(al.Pool()), blocks=1),
    "on one side": lambda: al.Segregator(
        16, small=al.Traced(al.Freelist(block=16)), large=al.Guard(al.Pool())
    ),
    "in a bucket": lambda: al.Bucketizer(al.Guard(al.Pool())),
    "in a thread's own": lambda: al.ThreadLocal(al.Guard(al.Pool())),
    "in a trace": lambda: al.Traced(al.Guard(al.Pool())),
    "in a trace within": lambda: al.Stats(al.Traced(al.Guard(al.Pool()))),
}


@pytest.mark.parametrize("spec", STACKS.values(), ids=STACKS)
def test_a_write_past_the_end_raises_from_the_free(spec: Callable[[], al.Allocator]) -> None:
    heap = al.live(spec())
    with pytest.raises(al.MemoryDefect, match="write past the end"):
        overflow(heap)
        heap.deallocate(heap.allocate(20))  # a quarantine looks at the one before
    assert heap.allocate(20).is_live  # it goes on


def test_every_trace_of_a_stack_raises() -> None:
    heap = al.live(
        al.Segregator(64, small=al.Traced(al.Freelist(block=64)), large=al.Traced(al.Pool()))
    )
    for size in (64, 100):
        address = heap.allocate_address(size)
        assert address is not None
        heap.deallocate_address(address, size)
        with pytest.raises(al.MemoryDefect, match="double free"):
            heap.deallocate_address(address, size)


def test_a_resize_that_is_refused_raises_what_it_found() -> None:
    heap = al.live(al.Guard(al.Pool()))
    block = heap.allocate(20)
    ctypes.memset(block.address + 20, 1, 1)
    with pytest.raises(al.MemoryDefect, match="write past the end"):
        heap.resize(block, 1 << 20)
    ctypes.memset(block.address + 20, 0xFB, 1)


def test_damage_in_quarantine_raises_from_the_free_of_another_block() -> None:
    heap = al.live(al.Quarantine(al.Pool(), blocks=4))
    write_to_freed(heap)
    with pytest.raises(al.MemoryDefect, match=r"use after free.*64 bytes.*the first at 8"):
        for _ in range(4):
            heap.deallocate(heap.allocate(64))


def test_damage_in_quarantine_raises_from_a_reset() -> None:
    heap = al.live(al.Quarantine(al.Arena()))
    write_to_freed(heap)
    with pytest.raises(al.MemoryDefect, match="use after free"):
        heap.reset()


def test_damage_in_quarantine_raises_from_a_rewind() -> None:
    heap = al.live(al.Quarantine(al.Arena()))
    mark = heap.mark()
    write_to_freed(heap)
    with pytest.raises(al.MemoryDefect, match="use after free"):
        heap.rewind(mark)


def test_damage_in_quarantine_raises_from_the_request_that_empties_it() -> None:
    heap = al.live(al.Quarantine(al.Limit(al.Pool(), 128)))
    write_to_freed(heap)
    with pytest.raises(al.MemoryDefect, match="use after free"):
        heap.allocate(1000)


def test_damage_in_quarantine_raises_from_the_close() -> None:
    heap = al.live(al.Quarantine(al.Pool()))
    write_to_freed(heap)
    with pytest.raises(al.MemoryDefect, match="use after free"):
        heap.close()
    assert heap.is_closed


def test_a_trace_names_the_lines_of_what_is_found_below_it() -> None:
    heap = al.live(al.Guard(al.Quarantine(al.Pool(), blocks=1)), traced=True)
    write_to_freed(heap)
    with pytest.raises(al.MemoryDefect, match=r"use after free.*at test_live_defects\.py:\d+"):
        heap.close()


def test_a_trace_over_other_layers_names_the_tag_too() -> None:
    heap = al.live(al.Traced(al.Locked(al.Guard(al.Pool()))))
    address = heap.allocate_address(20, tag="ast")
    assert address is not None
    ctypes.memset(address + 20, 1, 1)
    with pytest.raises(al.MemoryDefect, match=r"test_live_defects\.py:\d+ \[ast\]"):
        heap.deallocate_address(address, 20)


def test_what_a_dropped_handle_finds_is_the_next_calls() -> None:
    heap = al.live(al.Guard(al.Pool()))
    block = heap.allocate(20)
    ctypes.memset(block.address + 20, 1, 1)
    del block
    with pytest.raises(al.MemoryDefect, match="write past the end"):
        heap.allocate(20)


def test_an_allocation_that_raises_is_taken_back() -> None:
    heap = al.live(al.Stats(al.Guard(al.Pool())))
    for allocate in (heap.allocate, heap.allocate_address):
        block = heap.allocate(20)
        ctypes.memset(block.address + 20, 1, 1)
        del block
        with pytest.raises(al.MemoryDefect):
            allocate(100)
    assert heap.stats()["stats_used_bytes"] == 0


def test_what_numpy_frees_is_the_next_calls() -> None:
    heap = al.live(al.Guard(al.Pool()))
    with al.numpy_allocator(heap):
        grid = np.zeros(10)
    ctypes.memset(grid.ctypes.data + grid.nbytes, 1, 1)
    del grid
    with pytest.raises(al.MemoryDefect, match="write past the end"):
        heap.close()


def test_what_nobody_was_told_is_told_when_the_heap_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[sys.UnraisableHookArgs] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    heap = al.live(al.Guard(al.Pool()))
    block = heap.allocate(20)
    ctypes.memset(block.address + 20, 1, 1)
    del block, heap
    (defect,) = told
    assert defect.exc_type is al.MemoryDefect
    assert "write past the end" in str(defect.exc_value)
