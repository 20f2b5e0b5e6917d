# SPDX-License-Identifier: MIT
"""Tables that grow in live allocators: what they keep when memory is refused, and that nothing
takes theirs away.
"""

from __future__ import annotations

import copy
import gc
import pickle
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alloclab as al
from support.sequences import kept

TABLES = [al.ScratchStack, al.ChunkedStore, al.SealedBuilder]
POINT = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4")])


def fill(table: Any, count: int) -> None:
    for value in range(count):
        table.append(value)


def test_a_stack_is_cut_back_to_a_mark_and_keeps_its_capacity() -> None:  # R24
    heap = al.live(al.Tlsf())
    stack = al.ScratchStack(heap, "i4")
    stack.append([1, 2, 3])
    mark = stack.top
    stack.append(np.arange(100))
    stack.append(7)
    assert stack.span_from(mark).tolist() == [*range(100), 7]
    capacity = stack.capacity
    allocations = heap._heap.allocation_count
    stack.clear_from(mark)
    stack.append(np.arange(50))
    assert (stack.capacity, heap._heap.allocation_count) == (capacity, allocations)
    assert stack.span_from(0).tolist() == [1, 2, 3, *range(50)]
    assert stack.span_from(1000).size == 0
    stack.clear_from(1000)
    assert len(stack) == 53
    stack.free_capacity()
    assert (stack.top, stack.capacity, heap.live_count) == (0, 0, 0)


def test_a_span_is_a_copy() -> None:
    stack = al.ScratchStack(al.live(al.Tlsf()), "f8")
    stack.append([1.0, 2.0])
    span = stack.span_from(0)
    span[:] = 9.0
    assert stack.span_from(0).tolist() == [1.0, 2.0]


def test_an_id_leads_to_its_item_and_the_item_stays_where_it_is() -> None:  # R74
    store = al.ChunkedStore(al.live(al.Arena()), "u2")
    assert [store.append(value * 3) for value in range(1000)] == list(range(1000))
    first = store.address_of(5)
    fill(store, 1000)
    assert store.address_of(5) == first
    assert [int(store[item_id]) for item_id in range(1000)] == [3 * n for n in range(1000)]
    assert len(store) == 2000
    assert store.chunk_count == 6  # 64 + 128 + ... + 2048
    for unknown in (-1, 2000, 1 << 70):
        with pytest.raises(IndexError, match=r"there is no item .* in a table of 2000"):
            store[unknown]
    with pytest.raises(ValueError, match="not one item of 2 bytes"):
        store.append([1, 2])
    assert len(list(store)) == 2000


def test_a_sealed_table_is_exactly_as_long_as_it_is_and_read_only() -> None:  # R58, R60
    heap, arena = al.live(al.Tlsf()), al.live(al.Arena())
    builder = al.SealedBuilder(heap, POINT)
    fill_with = np.arange(300, dtype="f4").view(POINT)
    builder.append(fill_with)
    assert heap.live_count == 1
    table = builder.seal(arena)
    assert table.tolist() == fill_with.tolist()
    assert (heap.live_count, arena.stats()["used_bytes"]) == (0, 1200)
    assert arena.owns(table.ctypes.data)
    with pytest.raises(ValueError, match="read-only"):
        table[0] = (1, 2, 3)
    with pytest.raises(ValueError, match="WRITEABLE"):
        table.flags.writeable = True
    del table
    assert arena.live_count == 0


def test_nothing_is_appended_after_sealing_until_it_is_restarted() -> None:  # R58, R75
    builder = al.SealedBuilder(al.live(al.Tlsf()), "i8")
    arena = al.live(al.Arena())
    builder.append([1, 2])
    table = builder.seal(arena)
    assert builder.is_sealed
    with pytest.raises(al.Error, match="sealed: nothing can be appended"):
        builder.append(3)
    with pytest.raises(al.Error, match="sealed already"):
        builder.seal(arena)
    builder.restart()
    builder.append(9)
    assert builder.seal(arena).tolist() == [9]
    assert table.tolist() == [1, 2]


def test_a_table_of_nothing_is_sealed_without_memory() -> None:
    arena = al.live(al.Arena())
    table = al.SealedBuilder(al.live(al.Tlsf()), "i4").seal(arena)
    assert (table.size, table.dtype, arena.live_count) == (0, np.dtype("i4"), 0)


def test_a_sealed_table_can_be_shared() -> None:  # R59, R76
    with al.SharedArena("1 MiB") as arena:
        builder = al.SealedBuilder(al.live(al.Tlsf()), "i4")
        builder.append(range(100))
        root = arena.offset_of(builder.seal(arena))
        gc.collect()
        arena.publish(root)
        with al.SharedArenaView(arena) as view:
            assert view.array(root, 100, "i4").tolist() == list(range(100))


def test_a_sealed_table_is_changed_beside_it() -> None:  # R59
    builder = al.SealedBuilder(al.live(al.Tlsf()), POINT)
    builder.append(np.zeros(100, POINT))
    sealed = builder.seal(al.live(al.Arena()))
    heap = al.live(al.Tlsf())
    changed = al.SideTable(heap, sealed)
    assert (len(changed), changed.changed_count, heap.live_count) == (100, 0, 0)
    for place in range(50, 100):
        changed[place] = (place, 0, 1)
    changed[99] = (7, 7, 7)
    assert changed.changed_count == 50
    assert changed[99].tolist() == (7, 7, 7)
    assert changed[60].tolist() == (60, 0, 1)
    assert changed[49].tolist() == (0, 0, 0)
    assert not sealed["z"].any()
    assert len(list(changed)) == 100
    for place in (-1, 100):
        with pytest.raises(IndexError, match="in a table of 100"):
            changed[place] = (1, 2, 3)
    with pytest.raises(ValueError, match="not one item of 12 bytes"):
        changed[0] = np.zeros(2, POINT)
    changed.clear()
    assert changed.changed_count == 0
    assert changed[99].tolist() == (0, 0, 0)


def test_changes_that_find_no_room_leave_the_others() -> None:  # R26, R59
    sealed = np.arange(1000)
    changed = al.SideTable(al.live(al.Limit(al.Tlsf(), "1 KiB")), sealed)
    place = 0
    with pytest.raises(MemoryError, match="limit: no room for a longer SideTable"):
        for place in range(1000):
            changed[place] = -1
    assert changed.changed_count == place == 24  # of 32 slots; 16 bytes each, and both tables
    assert [int(each) for each in changed] == [-1] * place + list(range(place, 1000))


@pytest.mark.parametrize(
    "sealed",
    [np.zeros((2, 2)), np.zeros(10)[::2], np.zeros(4, "V3"), np.zeros(65, "u1")[1:65].view("V16")],
    ids=["two rows", "gaps", "a size", "an alignment"],
)
def test_what_is_no_sealed_table_is_refused(sealed: np.ndarray) -> None:
    with pytest.raises(al.UsageError, match=r"a sealed table is one row|no items of 3 bytes"):
        al.SideTable(al.live(al.Tlsf()), sealed)


def test_a_sealed_table_lives_as_long_as_what_changes_it() -> None:
    arena = al.live(al.Arena())
    builder = al.SealedBuilder(al.live(al.Tlsf()), "i8")
    builder.append([1, 2, 3])
    changed = al.SideTable(al.live(al.Tlsf()), builder.seal(arena))
    with pytest.raises(al.ArenaEscapeError):
        arena.close()
    assert [int(each) for each in changed] == [1, 2, 3]


@pytest.mark.parametrize("kind", TABLES)
def test_refused_memory_leaves_what_was_there(kind: Any) -> None:  # R26
    heap = al.live(al.Limit(al.Tlsf(), "4 KiB"))
    table = kind(heap, "i8")
    count = 0
    with pytest.raises(MemoryError, match=rf"limit: no room for a longer {kind.__name__}"):
        for count in range(1000):
            table.append(count)
    assert 64 <= count <= 512
    assert len(table) == count
    with pytest.raises(MemoryError):
        table.append(0)
    if kind is al.ChunkedStore:
        assert [int(item) for item in table] == list(range(count))
    elif kind is al.ScratchStack:
        assert table.span_from(0).tolist() == list(range(count))
        assert not table.reserve_hint(1000)  # R46
        with pytest.raises(MemoryError):
            table.append(range(1000))
        assert table.top == count
    else:
        with pytest.raises(MemoryError, match="null: no room for a sealed table"):
            table.seal(al.live(al.Null()))
        assert table.seal(al.live(al.Arena())).tolist() == list(range(count))


WORK = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 200)),
        st.tuples(st.sampled_from(["clear_from", "reserve_hint"]), st.integers(0, 500)),
        st.tuples(st.just("free_capacity"), st.just(0)),
    ),
    max_size=30,
)


@pytest.mark.parametrize("spec", [al.Arena(), al.Pool(), al.Limit(al.Tlsf(), "2 KiB")], ids=str)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(work=WORK)
@kept
def test_a_stack_holds_what_a_list_would(spec: al.Allocator, work: list[tuple[str, int]]) -> None:
    heap = al.live(spec)
    stack, model = al.ScratchStack(heap, "i4"), []
    for what, number in work:
        if what == "append":
            values = list(range(len(model), len(model) + number))
            try:
                stack.append(values)
                model += values
            except MemoryError:
                assert spec.name == "limit"
        elif what == "clear_from":
            stack.clear_from(number)
            del model[number:]
        elif what == "reserve_hint":
            assert stack.reserve_hint(number) or spec.name == "limit"
        else:
            stack.free_capacity()
            model = []
        assert stack.span_from(0).tolist() == model
        assert len(model) <= stack.capacity
    del stack
    assert heap.live_count == 0
    heap.close()


@pytest.mark.parametrize("kind", TABLES)
def test_nothing_takes_a_tables_memory_away(kind: Any) -> None:
    arena = al.live(al.Arena())
    mark = arena.mark()
    table = kind(arena, "i4")
    fill(table, 100)
    for end in (arena.reset, lambda: arena.rewind(mark), arena.close):
        with pytest.raises(al.ArenaEscapeError, match=rf"\[{kind.__name__}\]"):
            end()
    assert arena.is_closed and len(table) == 100
    with pytest.raises(al.ScopeClosed):
        fill(table, 10_000)
    assert len(table) >= 100
    del table
    gc.collect()
    assert arena._heap.live_count == 0


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_that_goes_gives_its_memory_back(kind: Any) -> None:
    heap = al.live(al.Tlsf(), traced=True)
    table = kind(heap, "i4")
    fill(table, 1000)
    assert {row.tag for row in heap.live_blocks()} == {kind.__name__}
    assert all(row.file == __file__ for row in heap.live_blocks())
    del table
    assert heap.leak_report() == ""
    heap.close()


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("size", [1, 2, 4, 8, 12, 16, 24, 32, 48, 64])
def test_items_of_every_allowed_size_come_back(kind: Any, size: int) -> None:
    items = np.frombuffer(bytes(n % 251 for n in range(200 * size)), f"V{size}")
    table = kind(al.live(al.Pool()), items.dtype)
    for item in items:
        table.append(item)
    if kind is al.ChunkedStore:
        again = [table[n].tobytes() for n in range(200)]
        assert again == [item.tobytes() for item in items]
        return
    read = table.span_from(0) if kind is al.ScratchStack else table.seal(al.live(al.Arena()))
    assert read.tobytes() == items.tobytes()


@pytest.mark.parametrize("kind", TABLES)
def test_other_types_are_refused_by_name(kind: Any) -> None:
    heap = al.live(al.Pool())
    with pytest.raises(al.UsageError, match=r"no items of 3 bytes: it can have 1, 2, 4, 8, 12"):
        kind(heap, "V3")
    for dtype in ("O", "V0"):
        with pytest.raises(al.UsageError, match="does not hold bytes"):
            kind(heap, dtype)


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_not_copied_and_not_used_within_its_own_calls(kind: Any) -> None:
    told: list[str] = []

    def look(_: object) -> None:
        try:
            len(table)
        except al.Error as error:
            told.append(str(error))

    heap = al.live(al.FailAfter(al.Tlsf(), 0))
    table = kind(heap, "i4")
    for make_another in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied"):
            make_another(table)
    heap.on_failure(look)
    with pytest.raises(MemoryError):
        table.append(1)
    assert told == ["the table is used within a call of its own"]
    assert len(table) == 0


def test_a_table_belongs_to_its_allocators_thread() -> None:
    stack = al.ScratchStack(al.live(al.Tlsf()), "i4")
    found: list[type[BaseException]] = []

    def elsewhere() -> None:
        try:
            stack.append(1)
        except al.WrongThread as error:
            found.append(type(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [al.WrongThread]
    stack.append(1)
    assert stack.top == 1
