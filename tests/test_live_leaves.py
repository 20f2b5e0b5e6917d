# SPDX-License-Identifier: MIT
"""The leaf allocators live: operation sequences that hypothesis drives, against a model."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alloclab as al
from support.sequences import kept

LEAVES = [
    al.Tlsf(initial="4 KiB", retain=0),
    al.Buddy(region="1 MiB"),
    al.Slab(object=256, slab="4 KiB", retained_slabs=1),
    al.Freelist(block=256, blocks_per_chunk=7),
    al.PageAllocator(),
    al.Platform(),
    al.MimallocHeap(),
]
# (what, size, alignment's logarithm, which of the live blocks)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["allocate", "allocate", "zeroed", "free", "resize", "reset"]),
        st.one_of(st.integers(0, 256), st.integers(0, 40_000)),
        st.integers(0, 8),
        st.integers(0, 1000),
    ),
    max_size=60,
)


class Model:
    """The live blocks, each filled with a byte of its own."""

    def __init__(self, allocator: al.LiveAllocator) -> None:
        self.allocator = allocator
        self.live: list[tuple[Any, int, int]] = []  # block, size, fill
        self.fill = 0

    def check(self) -> None:
        ends = sorted((block.address, block.address + size) for block, size, _ in self.live)
        for (_, end), (start, _) in itertools.pairwise(ends):
            assert end <= start, "two blocks overlap"
        for block, size, fill in self.live:
            assert bytes(block)[:size] == bytes([fill]) * size

    def add(self, size: int, alignment: int, zeroed: bool) -> None:
        try:
            block = self.allocator.allocate(size, alignment, zeroed=zeroed)
        except MemoryError:
            return
        assert block.address % alignment == 0
        assert not zeroed or bytes(block) == bytes(size)
        self.fill = self.fill % 255 + 1
        with memoryview(block) as view:
            view[:] = bytes([self.fill]) * size
        self.live.append((block, size, self.fill))

    def step(self, what: str, size: int, alignment: int, which: int) -> None:
        if what in {"allocate", "zeroed"}:
            self.add(size, alignment, what == "zeroed")
        elif what == "reset":
            if "reset" in self.allocator.capabilities:
                self.live.clear()
                self.allocator.reset()
        elif self.live:
            place = which % len(self.live)
            block, old_size, fill = self.live[place]
            if what == "free":
                del self.live[place]
                self.allocator.deallocate(block)
            elif self.allocator.resize(block, size):
                with memoryview(block) as view:
                    assert bytes(view[: min(size, old_size)]) == bytes([fill]) * min(size, old_size)
                    view[:] = bytes([fill]) * size
                self.live[place] = (block, size, fill)


@pytest.mark.parametrize("spec", LEAVES, ids=str)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(steps=STEPS)
@kept
def test_blocks_stay_apart_and_keep_their_bytes(spec: al.Allocator, steps: list[Any]) -> None:
    with al.live(spec, on_escape="extend") as allocator:
        model = Model(allocator)
        for what, size, power, which in steps:
            model.step(what, size, 1 << power, which)
        model.check()
        assert allocator.live_count == len(model.live)
        for block, _, _ in model.live:
            allocator.deallocate(block)


def test_a_leaf_tells_all_it_counts() -> None:
    with al.live(al.Tlsf()) as tlsf:
        tlsf.deallocate(tlsf.allocate(100))
        stats = tlsf.stats()
        assert stats["live_count"] == 0
        assert stats["largest_free_bytes"] == stats["free_bytes"] > 60_000
    with al.live(al.PageAllocator()) as pages:  # row R27
        block = pages.allocate(100)
        assert pages.stats()["rounding_waste_bytes"] == 4096 - 100
        pages.deallocate(block)


def span_of_nodes(nodes: al.LiveAllocator, litter: al.LiveAllocator) -> int:
    """From the first byte of 100 nodes to their last, other blocks being allocated between."""
    held = []
    addresses = []
    for _ in range(100):
        node = nodes.allocate(64)
        addresses.append(node.address)
        held += [node, litter.allocate(192)]
    return max(addresses) + 64 - min(addresses)


@pytest.mark.parametrize("spec", [al.Arena(), al.Tlsf()], ids=str)
def test_related_blocks_of_an_allocator_of_their_own_stand_together(  # S46
    spec: al.Allocator,
) -> None:
    shared = al.live(spec)
    apart = span_of_nodes(shared, shared)
    together = span_of_nodes(al.live(spec), al.live(spec))
    assert 100 * 64 <= together <= 100 * 80
    assert apart >= 99 * (64 + 192)


def test_jemalloc_live_says_what_the_process_needs_or_works() -> None:
    try:
        with al.live(al.JemallocArena()) as arena:
            block = arena.allocate(100, 64)
            assert block.address % 64 == 0
            arena.deallocate(block)
    except al.UsageError as error:
        assert "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=2048" in str(error)
