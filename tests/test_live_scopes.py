# SPDX-License-Identifier: MIT
"""Scopes: an arena a block of code, nested, named; what escapes one; requests by id."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

import alloclab as al


def test_everything_ends_with_the_block() -> None:  # W3, W11
    with al.arena("frame", initial="64 KiB") as frame:
        block = frame.allocate(64, tag="ast")
        values = frame.array((1000,), "f8")
        values[:] = 1.0
        assert values.sum() == 1000.0
        del values
    assert not block.is_live
    assert frame.is_closed
    with pytest.raises(al.ScopeClosed):
        frame.allocate(64)
    assert frame.stats()["reserved_bytes"] == 65536  # as it was at the end


def test_an_array_that_escapes_is_an_error_and_stays_valid() -> None:
    with (
        pytest.raises(al.ArenaEscapeError, match=r"'frame' ends while 2 blocks of 880 B") as caught,
        al.arena("frame") as frame,
    ):
        kept = frame.array(100, "f8", tag="kept")
        look = memoryview(frame.allocate(80))
        kept[:] = 3.0
    assert caught.value.escapes == [(800, "kept"), (80, None)]
    assert isinstance(caught.value, BufferError)
    assert kept.sum() == 300.0  # the memory is there as long as the array is
    look[:] = b"y" * 80
    assert bytes(look) == b"y" * 80
    look.release()
    kept[:] = 4.0
    assert kept.sum() == 400.0


def test_an_escape_can_be_asked_for() -> None:
    with al.arena("frame", on_escape="extend") as frame:
        kept = frame.array(100)
    kept[:] = 5.0
    gc.collect()
    assert kept.sum() == 500.0


def test_an_error_in_the_block_is_told_before_an_escape() -> None:
    with pytest.raises(KeyError) as caught, al.arena("frame") as frame:
        kept = frame.array(10)
        raise KeyError("first")
    assert "'frame' ends while" in caught.value.__notes__[0]
    assert kept.size == 10


def test_the_last_array_to_die_gives_the_memory_back() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096

    before = resident()
    with al.arena("big", on_escape="extend", initial="64 MiB") as big:
        kept = big.array(64 << 17, "u1")
        kept[:] = 1
        held = resident()
    assert resident() - before >= len(kept)
    del kept
    assert held - resident() >= 8 << 20
    assert big.is_closed


def test_scopes_nest_and_the_inner_one_ends_first() -> None:  # W37
    with al.arena("outer") as outer:
        first = outer.allocate(8)
        with al.arena("inner") as inner:
            inner.allocate(8)
            assert al.current_scope() is inner
            with pytest.raises(al.ScopeOrderError, match=r"'outer' cannot end before.*'inner'"):
                outer.close()
            with pytest.raises(al.ScopeOrderError, match=r"'outer' cannot end before.*'inner'"):
                outer.__exit__(None, None, None)
            assert not outer.is_closed
        assert first.is_live  # independent memory
        assert al.current_scope() is outer


def test_any_open_scope_can_be_allocated_from_by_name() -> None:  # W35
    with al.arena("level") as level, al.arena("frame") as frame:
        frame.allocate(8)
        kept = al.current_scope("level").allocate(64)
        assert level.live_count == 1
        assert level.owns(kept)
    with pytest.raises(al.ScopeOrderError, match="no scope is open"):
        al.current_scope()


def test_a_scope_is_entered_once() -> None:
    with al.arena() as arena:
        arena.allocate(8)
        with pytest.raises(al.ScopeOrderError, match="open already"):
            arena.__enter__()
    with pytest.raises(al.ScopeOrderError, match="closed"):
        arena.__enter__()


def test_each_thread_has_its_own_scopes() -> None:
    seen: list[str] = []

    def look() -> None:
        try:
            al.current_scope()
        except al.ScopeOrderError as error:
            seen.append(str(error))

    with al.arena() as arena:
        arena.allocate(8)
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == ["no scope is open"]


def test_an_arena_without_an_allocation_warns() -> None:  # R23
    with (
        pytest.warns(al.UnusedArena, match="arena 'idle' ended without an allocation"),
        al.arena("idle") as idle,
    ):
        pass
    assert idle.is_closed
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with al.arena("used") as used:
            used.allocate(1)
    assert used.is_closed


def test_any_allocator_can_be_a_scope() -> None:
    with al.arena("pool", al.Pool()) as pool:
        block = pool.allocate(64)
    assert not block.is_live


def test_both_examples_of_weir_run() -> None:  # W4
    level: list[np.ndarray] = [np.zeros(100)]  # long-lived, the collector's
    for _ in range(3):
        with al.arena("update-physics") as frame:
            forces = frame.array(100, zeroed=True)
            forces += 9.81
            level[0] += forces
            del forces
    assert level[0][0] == pytest.approx(3 * 9.81)


def test_request_scopes_open_and_close_by_id() -> None:  # L1, L2
    scopes = al.RequestScopes()
    request = scopes.enter_request_scope()
    block = scopes.allocate(64)
    assert scopes.current is not None and scopes.current.id == request
    scopes.exit_request_scope(request)
    assert not block.is_live
    assert scopes.current is None


def test_ids_grow_and_are_never_used_again() -> None:  # L12
    ids = []
    for _ in range(100):
        request = al.enter_request_scope()
        ids.append(request)
        al.exit_request_scope(request)
    assert ids == sorted(set(ids))


def test_a_strict_exit_out_of_order_raises_and_a_tolerant_one_closes_what_is_within() -> None:
    strict = al.RequestScopes()
    outer, inner = strict.enter_request_scope(), strict.enter_request_scope()
    with pytest.raises(al.ScopeOrderError, match=f"{outer} cannot end before {inner}"):
        strict.exit_request_scope(outer)
    with pytest.raises(al.ScopeOrderError, match="no open request scope has the id 0"):
        strict.exit_request_scope(al.ScopeId(0))
    tolerant = al.RequestScopes(strict=False)
    outer, _ = tolerant.enter_request_scope(), tolerant.enter_request_scope()
    blocks = [tolerant.allocate(8)]
    tolerant.exit_request_scope(al.ScopeId(0))
    assert blocks[0].is_live
    tolerant.exit_request_scope(outer)
    assert tolerant.current is None
    assert not blocks[0].is_live


def test_outside_of_a_request_the_heap_serves_and_is_counted() -> None:  # L3
    scopes = al.RequestScopes()
    block = scopes.allocate(64)
    assert scopes.heap_fallback_count == 1
    request = scopes.enter_request_scope()
    scopes.allocate(64)
    scopes.exit_request_scope(request)
    assert scopes.heap_fallback_count == 1
    assert block.is_live


def test_the_arena_of_a_block_is_found_by_its_address() -> None:  # L5
    scopes = al.RequestScopes()
    opened = []
    for _ in range(3):
        scopes.enter_request_scope()
        assert scopes.current is not None
        opened.append(scopes.current)
    blocks = [(arena, arena.allocate(1 << power)) for power in range(17) for arena in opened]
    for arena, block in blocks:
        assert [each.id for each in opened if each.owns(block)] == [arena.id]
    elsewhere = al.live(al.Pool()).allocate(64)
    assert not any(arena.owns(elsewhere) for arena in opened)
    for arena in reversed(opened):
        scopes.exit_request_scope(al.ScopeId(arena.id))


def test_a_request_that_allocates_nothing_takes_no_memory() -> None:  # L4, L7
    scopes = al.RequestScopes()
    request = scopes.enter_request_scope()
    assert scopes.current is not None
    stats = scopes.current.stats()
    assert (stats["reserved_bytes"], stats["chunk_count"]) == (0, 0)
    scopes.exit_request_scope(request)


def test_an_array_outlives_its_request_only_with_an_error() -> None:  # L10
    scopes = al.RequestScopes()
    request = scopes.enter_request_scope("GET /")
    assert scopes.current is not None
    kept = scopes.current.array(10)
    with pytest.raises(al.ArenaEscapeError, match="'GET /' ends"):
        scopes.exit_request_scope(request)
    assert scopes.current is None
    kept[:] = 1.0


def test_a_worker_starts_with_no_request() -> None:  # L8
    scopes = al.RequestScopes()
    seen: list[object] = []

    def work() -> None:
        seen.append(scopes.current)
        request = scopes.enter_request_scope()
        scopes.allocate(8)
        scopes.exit_request_scope(request)
        seen.append(scopes.current)

    request = scopes.enter_request_scope()
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    scopes.exit_request_scope(request)
    assert seen == [None, None]


def test_any_thread_may_allocate_outside_of_a_request() -> None:  # L3, L8
    scopes = al.RequestScopes()
    blocks = [scopes.allocate(64)]
    threads = [
        threading.Thread(target=lambda: blocks.append(scopes.allocate(64))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({block.address for block in blocks}) == 9
    assert scopes.heap_fallback_count == 9


def test_a_task_begun_within_a_request_has_none() -> None:  # L8
    scopes = al.RequestScopes()

    async def child(parent: al.ScopeId) -> None:
        assert scopes.current is None
        with pytest.raises(al.ScopeOrderError, match="no open request scope"):
            scopes.exit_request_scope(parent)
        own = scopes.enter_request_scope()
        scopes.allocate(8)
        await asyncio.sleep(0)
        scopes.exit_request_scope(own)

    async def main() -> None:
        request = scopes.enter_request_scope()
        block = scopes.allocate(8)
        await asyncio.gather(child(request), child(request))
        await asyncio.to_thread(lambda: scopes.allocate(8))
        assert block.is_live
        scopes.exit_request_scope(request)

    asyncio.run(main())
    assert scopes.heap_fallback_count == 1


def test_a_task_begun_within_a_scope_has_none() -> None:
    async def child() -> None:
        with pytest.raises(al.ScopeOrderError, match="no scope is open"):
            al.current_scope()
        with al.arena("inner") as inner:
            inner.allocate(8)
            assert al.current_scope() is inner

    async def main() -> None:
        with al.arena("outer") as outer:
            outer.allocate(8)
            await asyncio.create_task(child())
            assert al.current_scope() is outer

    asyncio.run(main())
