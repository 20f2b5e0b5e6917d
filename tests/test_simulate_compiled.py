# SPDX-License-Identifier: MIT
"""Allocators compiled with Numba: the same maps, the same checks, and what does not compile."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alloclab as al
from alloclab.errors import NotInstalled, SimulationError, TraceError, UsageError

CLASSES = 40


class Pages:
    """Size classes of 64 bytes, each with a stack of free blocks: state is numbers and arrays."""

    def __init__(self) -> None:
        self.top = 0
        self.count = np.zeros(CLASSES, np.int64)
        self.free = np.zeros((CLASSES, 1 << 15), np.int64)
        self.sizes = np.zeros(1 << 20, np.int64)

    def reset(self) -> None:
        self.top = 0
        self.count[:] = 0

    def class_of(self, size: int) -> int:
        return (size + 63) // 64

    def allocate(self, size: int, alignment: int) -> int | None:
        at = self.class_of(size)
        if at >= CLASSES or alignment > 64:
            return None
        if self.count[at] > 0:
            self.count[at] -= 1
            offset = self.free[at, self.count[at]]
        else:
            offset = self.top
            self.top += at * 64
        self.sizes[offset // 64] = at
        return int(offset)

    def deallocate(self, offset: int) -> None:
        at = self.sizes[offset // 64]
        self.free[at, self.count[at]] = offset
        self.count[at] += 1

    def resize(self, offset: int, new_size: int) -> bool:
        return bool(self.class_of(new_size) == self.sizes[offset // 64])

    def usable_size(self, offset: int) -> int:
        return int(self.sizes[offset // 64] * 64)


@al.njit_allocator
class FastPages(Pages):
    pass


@al.njit_allocator
class FastBump:
    def __init__(self, capacity: int = 1 << 40) -> None:
        self.capacity = capacity
        self.top = 0

    def reset(self) -> None:
        self.top = 0

    def allocate(self, size: int, alignment: int) -> int | None:
        offset = -(-self.top // alignment) * alignment
        if offset + size > self.capacity:
            return None
        self.top = offset + size
        return offset

    def deallocate(self, offset: int) -> None:
        pass


def same_maps(compiled: al.Placement, interpreted: al.Placement) -> bool:
    return all(
        np.array_equal(compiled.blocks[name], interpreted.blocks[name])
        for name in interpreted.blocks
    )


def test_compiled_and_interpreted_give_the_same_map(workloads: Path) -> None:
    trace = al.open_trace(workloads / "freeciv.alloctrace")
    events = 150_000  # two chunks
    fast = al.simulate(trace, FastPages(), events=events)
    slow = al.simulate(trace, Pages(), events=events)
    assert same_maps(fast, slow)
    assert slow["failed_allocations"] > 0
    assert (slow.blocks["birth"] > 0).sum() > 10_000
    bump = al.simulate(trace, FastBump(), events=events)
    assert same_maps(bump, al.simulate(trace, al.textbook.Bump(), events=events))


def test_every_step_does_the_same() -> None:
    steps: list[tuple[Any, ...]] = [
        ("allocate", "a", 0),
        ("allocate", "b", 100, 64),
        ("reallocate", "b", 120),  # in place
        ("reallocate", "b", 300),  # moves
        ("allocate", "c", 64 * CLASSES),  # refused
        ("reallocate", "c", 10),
        ("reallocate", "a", 64 * CLASSES),  # fails; stays
        ("free", "a"),
        ("reset",),
        ("allocate", "d", 7),
    ]
    fast = al.simulate(steps, FastPages())
    assert same_maps(fast, al.simulate(steps, Pages()))
    assert fast.blocks["is_refused"].sum() == 2
    assert fast == al.simulate(steps, FastPages())


def test_the_instance_is_left_as_it_is_and_its_state_is_used() -> None:
    allocator = FastBump(100)
    placement = al.simulate([("allocate", "a", 90), ("allocate", "b", 90)], allocator)
    assert placement["failed_allocations"] == 1
    assert allocator.top == 0
    assert allocator.allocate(8, 16) == 0  # still callable from Python
    allocator.top = 50
    assert al.simulate([("allocate", "a", 90)], allocator)["failed_allocations"] == 0


STEPS = [("allocate", "a", 32), ("allocate", "b", 32), ("reallocate", "a", 64), ("free", "b")]


@al.njit_allocator
class Wrong:
    """Goes wrong in the way its number says."""

    def __init__(self, way: int) -> None:
        self.way = way
        self.calls = 0
        self.table = np.zeros(4, np.int64)

    def allocate(self, size: int, alignment: int) -> int | None:
        self.calls += 1
        if self.calls == 1:
            return 64
        if self.way == 0:
            return -16
        if self.way == 1:
            return 8
        if self.way == 2:
            return 1 << 20
        if self.way == 3:
            return 80
        if self.way == 4:
            raise ValueError("as it likes")
        if self.way == 5:
            return int(self.table[self.calls * 1000])
        if self.way == 6 and self.calls == 3:
            return 64
        return 1024 * self.calls

    def deallocate(self, offset: int) -> None:
        if self.way == 7:
            raise RuntimeError("not mine")

    def resize(self, offset: int, new_size: int) -> bool:
        return self.way == 8

    def usable_size(self, offset: int) -> int:
        if self.way == 8 and self.calls > 1:
            return 1 << 30
        return 1 if self.way == 9 else 0


@pytest.mark.parametrize(
    ("way", "event", "reason"),
    [
        (0, 1, "placed below the address space"),
        (1, 1, "not aligned"),
        (2, 1, "placed beyond the address space"),
        (3, 1, "overlapping blocks"),
        (4, 1, "raised ValueError: as it likes"),
        (5, 1, "raised IndexError"),
        (6, 2, "moved to the place it is still alive at"),
        (7, 2, "raised RuntimeError: not mine"),
        (8, 1, "usable_size"),
        (9, 0, "usable_size"),
    ],
)
def test_what_goes_wrong_is_reported_as_it_is_interpreted(
    way: int, event: int, reason: str
) -> None:
    with pytest.raises(SimulationError) as caught:
        al.simulate(STEPS, Wrong(way), address_space="64 KiB")
    assert caught.value.event == event
    assert reason in caught.value.reason


def test_an_object_that_is_not_alive_is_an_error_of_the_trace() -> None:
    from alloclab.simulate.compiled import Compiled
    from alloclab.simulate.rows import Rows
    from alloclab.simulate.steps import FREE, REALLOCATE, Steps

    for kind in (FREE, REALLOCATE):
        column = np.array([5], np.int64)
        steps = Steps(10, np.array([kind], np.uint8), column, column, column)
        with pytest.raises(TraceError, match="object 5 is no live block"):
            Compiled(FastBump(), 1 << 20, Rows(0)).run(steps)
    wild = Steps(0, np.array([FREE], np.uint8), column * 10**9, column, column)
    with pytest.raises(TraceError, match="out of order"):
        Compiled(FastBump(), 1 << 20, Rows(0)).run(wild)


def test_what_cannot_be_compiled_is_a_usage_error_that_says_why() -> None:
    @al.njit_allocator
    class Listed:
        def __init__(self) -> None:
            self.holes = [(0, 100)]

        def allocate(self, size: int, alignment: int) -> int | None:
            return 0

        def deallocate(self, offset: int) -> None:
            pass

    with pytest.raises(UsageError, match="Listed: holes is a list: the state of a compiled"):
        al.simulate(STEPS, Listed())

    @al.njit_allocator
    class Fractional(FastBump):
        def allocate(self, size: int, alignment: int) -> Any:
            return 0.5

    with pytest.raises(UsageError, match=r"Fractional cannot be.*allocate returns float64"):
        al.simulate(STEPS, Fractional())

    @al.njit_allocator
    class Misspelt(FastBump):
        def deallocate(self, offset: int) -> None:
            self.botom = offset

    with pytest.raises(UsageError, match=r"Misspelt cannot be compiled.*botom"):
        al.simulate(STEPS, Misspelt())


def test_without_numba_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(NotInstalled, match=r"pip install 'alloclab\[numba\]'"):
        al.njit_allocator(Pages)


def test_importing_the_lab_does_not_import_numba() -> None:
    import subprocess

    code = "import sys, alloclab; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
