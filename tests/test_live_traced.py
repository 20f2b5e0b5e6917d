# SPDX-License-Identifier: MIT
"""Live allocators that remember every block, and those that tell of every call."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import alloclab as al
from alloclab import _core


def test_a_traced_block_knows_its_line_and_tag() -> None:  # S2, S3
    pool = al.live(al.Pool(), traced=True)
    block = pool.allocate(100, tag="ast")
    line = sys._getframe().f_lineno - 1
    values = pool.array(10, tag="points")
    rows = pool.live_blocks()
    assert [(row.size, row.tag, row.line) for row in rows] == [
        (100, "ast", line),
        (80, "points", line + 2),
    ]
    assert rows[0].address == block.address
    assert rows[0].file == __file__
    assert values.size == 10


def test_reports_are_the_texts_of_the_document() -> None:  # S37, S38, S39
    game = al.live(al.Pool(), "Game", traced=True)
    freed = [game.allocate(100), game.allocate(50)]
    kept = [game.allocate(200, tag="game-state"), game.allocate(150, tag="ai-data")]
    for block in freed:
        game.deallocate(block)
    lines = game.leak_report().splitlines()
    assert lines[:2] == ["=== MEMORY LEAKS DETECTED ===", "350 bytes leaked in 2 allocations"]
    assert lines[2].startswith(f"  {kept[0].address:#x}: 200 bytes at test_live_traced.py:")
    assert lines[3].endswith("[ai-data]")
    assert "--- Game ---\nTotal Allocated:  500 bytes\n" in game.statistics_report()
    assert game.tag_report().startswith("=== Allocation by Tag ===\n| Tag ")
    del kept
    assert game.leak_report() == ""


def test_tags_come_as_a_record_array() -> None:  # S39, S40
    game = al.live(al.Pool(), traced=True)
    kept = [game.allocate(64, tag="game-state") for _ in range(3)]
    game.deallocate(kept.pop())
    plain = game.allocate(8)
    rows = game.tags()
    assert rows.dtype.names == ("tag", "count", "current_bytes", "peak_bytes")
    assert rows[rows["tag"] == "game-state"].tolist() == [("game-state", 2, 128, 192)]
    assert rows[rows["tag"] == ""]["current_bytes"].tolist() == [plain.size]


def test_an_allocator_that_is_not_traced_has_no_reports() -> None:
    with pytest.raises(AttributeError, match="pool has no leak_report"):
        al.live(al.Pool()).leak_report()


def test_a_wrong_free_of_an_address_raises_and_names_both_lines() -> None:
    pool = al.live(al.Pool(), traced=True)
    address = pool.allocate_address(64, tag="raw")
    assert address is not None
    with pytest.raises(al.MemoryDefect, match=r"size.*test_live_traced\.py:\d+ \[raw\]"):
        pool.deallocate_address(address, 32)
    with pytest.raises(al.MemoryDefect, match="double free"):
        pool.deallocate_address(address, 64)
    with pytest.raises(al.MemoryDefect):
        pool.deallocate_address(address + 8, 64)
    assert pool.allocate(64).is_live  # it goes on


def test_a_traced_reset_leaves_no_leaks() -> None:  # Bug C
    arena = al.live(al.Arena(), traced=True)
    for _ in range(100):
        arena.allocate_address(16)
    assert len(arena.live_blocks()) == 100
    arena.reset()
    assert arena.live_blocks() == []
    assert arena.leak_report() == ""


def test_numpys_own_data_is_traced_to_the_line_that_made_it() -> None:
    pool = al.live(al.Pool(), traced=True)
    with al.numpy_allocator(pool):
        grid = np.zeros(100)
    line = sys._getframe().f_lineno - 1
    (row,) = pool.live_blocks()
    assert (row.tag, row.file, row.line) == ("numpy", __file__, line)
    assert grid.size == 100


def test_events_come_in_batches_and_in_order() -> None:  # S53
    batches: list[np.ndarray[Any, Any]] = []
    pool = al.live(al.Pool(), on_events=batches.append)
    for _ in range(1000):
        pool.deallocate(pool.allocate(48, 32))
    assert 1 < len(batches) < 20  # far fewer than calls
    pool.close()
    events = np.concatenate(batches)
    assert len(events) == 2000
    names = [al.EVENT_KINDS[kind] for kind in events["kind"][:4]]
    assert names == ["allocate", "deallocate", "allocate", "deallocate"]
    assert set(events["size"].tolist()) == {48}
    assert set(events["alignment"].tolist()) == {32}
    assert events["block"][0] == events["block"][1]


def test_refusals_resizes_and_resets_are_events() -> None:  # S53
    batches: list[np.ndarray[Any, Any]] = []
    arena = al.live(al.Arena(), on_events=batches.append)
    block = arena.allocate(16)
    assert arena.resize(block, 64)
    arena.reset()
    arena.flush_events()
    (events,) = batches
    assert [al.EVENT_KINDS[kind] for kind in events["kind"]] == ["allocate", "resize", "reset"]
    assert (events["size"][1], events["old_size"][1]) == (64, 16)


def test_an_error_in_the_callback_is_the_callers() -> None:
    def refuse(events: np.ndarray[Any, Any]) -> None:
        raise RuntimeError(f"{len(events)} events")

    pool = al.live(al.Pool(), on_events=refuse)
    pool.allocate(8)
    with pytest.raises(RuntimeError, match="2 events"):
        pool.flush_events()


def test_what_ends_after_the_close_is_told_by_a_flush() -> None:  # S53
    told: list[int] = []
    heap = al.live(al.Pool(), on_events=lambda rows: told.extend(rows["kind"]), on_escape="extend")
    kept = heap.array(10)
    heap.close()
    assert [al.EVENT_KINDS[kind] for kind in told] == ["allocate"]
    del kept
    heap.flush_events()
    assert [al.EVENT_KINDS[kind] for kind in told] == ["allocate", "deallocate"]


def checking_owner() -> _core.LiveHeap:
    pool = {"allocator": "pool", "options": {}}
    trace = {"allocator": "trace", "options": {"check_owner": "true"}}
    return _core.LiveHeap(json.dumps({**trace, "children": {"upstream": pool}}))


def in_a_thread(call: Callable[[], object]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


def test_a_thread_that_takes_an_allocator_over_takes_its_trace_too() -> None:  # S47
    heap = checking_owner()

    def work() -> None:
        heap.adopt_thread()
        block = heap.allocate(64)
        heap.deallocate(block)

    in_a_thread(work)
    with pytest.raises(al.WrongThread):
        heap.allocate(64)
    heap.adopt_thread()
    heap.deallocate(heap.allocate(64))


def test_the_last_look_may_end_in_another_thread(capfd: pytest.CaptureFixture[str]) -> None:
    heap = checking_owner()
    looks = [memoryview(heap.allocate(64))]
    assert not heap.close()
    in_a_thread(looks.clear)
    assert heap.close()
    heaps = [checking_owner()]
    heaps[0].allocate(64)
    in_a_thread(heaps.clear)
    assert capfd.readouterr().err == ""


def test_the_next_thread_of_an_ended_ones_id_is_another() -> None:  # S47
    heaps: list[al.LiveAllocator] = []
    errors: list[str] = []

    def use() -> None:
        try:
            heaps[0].allocate(64)
        except al.WrongThread as error:
            errors.append(str(error))

    for work in (lambda: heaps.append(al.live(al.Arena())), *[use] * 20):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(errors) == 20
