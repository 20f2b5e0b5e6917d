# SPDX-License-Identifier: MIT
"""The textbook's allocators: traces worked out by hand, and what always holds of each."""

from __future__ import annotations

import doctest
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import alloclab as al
from alloclab import textbook
from alloclab.textbook import buddy, bump, fits, segregated
from alloclab.textbook.holes import Holes, align_up
from support.sequences import kept

ALL = (
    textbook.Bump,
    textbook.FirstFit,
    textbook.BestFit,
    textbook.NextFit,
    textbook.Buddy,
    textbook.SegregatedFit,
)
FREEING = ALL[1:]

# A sequence of (slot, size, log2 of the alignment): a slot in use is freed, a free one filled.
OPERATIONS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 700), st.integers(0, 8)), max_size=80
)


def steps_of(operations: list[tuple[int, int, int]]) -> list[tuple[Any, ...]]:
    used: set[int] = set()
    steps: list[tuple[Any, ...]] = []
    for slot, size, power in operations:
        if slot not in used:
            steps.append(("allocate", slot, size, 1 << power))
            used.add(slot)
        elif power == 0:
            steps.append(("reallocate", slot, size))
        else:
            steps.append(("free", slot))
            used.discard(slot)
    return steps


@pytest.mark.parametrize("module", [buddy, bump, fits, segregated])
def test_the_examples_of_the_documentation_hold(module: Any) -> None:
    found = doctest.testmod(module)
    assert found.attempted >= 2
    assert found.failed == 0


def offsets(allocator: Any) -> list[int]:
    """Where 48, 16, 32, 16, 16 bytes go; then, with the first and third gone, 16 and 32."""
    steps = [
        ("allocate", name, size) for name, size in zip("abcde", (48, 16, 32, 16, 16), strict=True)
    ]
    steps += [("free", "a"), ("free", "c"), ("allocate", "f", 16), ("allocate", "g", 32)]
    placement = al.simulate(steps, allocator)
    return placement.blocks["offset"].tolist()  # type: ignore[no-any-return]


def test_bump_never_looks_back() -> None:
    assert offsets(textbook.Bump()) == [0, 48, 64, 96, 112, 128, 144]


def test_first_fit_cuts_up_the_lowest_hole() -> None:
    # Holes [0, 48) and [64, 96): 16 from the first, and 32 is just what is left of it.
    assert offsets(textbook.FirstFit()) == [0, 48, 64, 96, 112, 0, 16]


def test_best_fit_cuts_up_the_smallest() -> None:
    # 16 from [64, 96), which leaves 16; so 32 comes from [0, 48).
    assert offsets(textbook.BestFit()) == [0, 48, 64, 96, 112, 64, 0]


def test_next_fit_goes_on_from_the_last_block() -> None:
    assert offsets(textbook.NextFit()) == [0, 48, 64, 96, 112, 128, 144]
    # With nothing behind the last block it starts again from the bottom.
    assert offsets(textbook.NextFit(128)) == [0, 48, 64, 96, 112, 0, 16]


def test_buddy_places_at_multiples_of_the_rounded_size() -> None:
    # 64 at 0; 16 at 64; 32 at 96; 16 at 80; 16 at 128. Then [0, 64) and [96, 128) are free, and
    # [144, 160) of the block that was split last.
    assert offsets(textbook.Buddy(256)) == [0, 64, 96, 80, 128, 144, 96]


def test_segregated_fit_searches_no_list_of_smaller_runs() -> None:
    # Runs of 48 and 32 bytes share a list, the older first.
    assert offsets(textbook.SegregatedFit(256)) == [0, 48, 64, 96, 112, 0, 64]


@pytest.mark.parametrize("kind", ALL)
@given(operations=OPERATIONS)
@kept
def test_blocks_never_overlap_and_equal_steps_give_equal_maps(
    kind: Any, operations: list[tuple[int, int, int]]
) -> None:
    steps = steps_of(operations)
    allocator = kind(1 << 13)
    first = al.simulate(steps, allocator)
    assert first == al.simulate(steps, allocator)  # reset by the simulation
    placed = first.blocks["offset"] >= 0
    end = first.blocks["offset"][placed] + first.blocks["block_size"][placed]
    assert (end <= 1 << 13).all()


@pytest.mark.parametrize("kind", FREEING)
@given(operations=OPERATIONS)
@kept
def test_once_everything_is_freed_the_whole_space_is_one_run(
    kind: Any, operations: list[tuple[int, int, int]]
) -> None:
    allocator = kind(1 << 13)
    live: dict[int, int] = {}
    for slot, size, power in operations:
        if slot in live:
            allocator.deallocate(live.pop(slot))
            continue
        offset = allocator.allocate(max(size, 1), 1 << power)
        if offset is not None:
            live[slot] = offset
    for offset in live.values():
        allocator.deallocate(offset)
    assert allocator.allocate(1 << 13, 16) == 0


@pytest.mark.parametrize("kind", [textbook.FirstFit, textbook.BestFit, textbook.NextFit])
@given(operations=OPERATIONS)
@kept
def test_a_fit_refuses_only_what_fits_nowhere_and_chooses_by_its_rule(
    kind: Any, operations: list[tuple[int, int, int]]
) -> None:
    allocator = kind(1 << 12)
    live: dict[int, int] = {}
    for slot, size, power in operations:
        if slot in live:
            allocator.deallocate(live.pop(slot))
            continue
        rounded, alignment = align_up(max(size, 1), 16), 1 << power
        holes = list(zip(allocator.holes.starts, allocator.holes.ends, strict=True))
        room = {
            align_up(low, alignment): high - low
            for low, high in holes
            if align_up(low, alignment) + rounded <= high
        }
        offset = allocator.allocate(max(size, 1), alignment)
        assert (offset is None) == (not room)
        if offset is None:
            continue
        live[slot] = offset
        assert offset in room
        if kind is textbook.FirstFit:
            assert offset == min(room)
        elif kind is textbook.BestFit:
            assert room[offset] == min(room.values())


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10)), max_size=60))
def test_holes_keep_their_order_and_never_touch(cuts: list[tuple[int, int]]) -> None:
    holes, taken = Holes(200), {}
    for at, size in cuts:
        if at % 3 == 0 and taken:
            start, end = taken.popitem()
            holes.give_back(start, end)
        elif at < len(holes) and holes.fits(at, size, 1):
            start = holes.take(at, size, 1)
            taken[start] = start + size
        bounds = [each for pair in zip(holes.starts, holes.ends, strict=True) for each in pair]
        assert bounds == sorted(set(bounds))
        free = sum(holes.ends) - sum(holes.starts)
        assert free + sum(end - start for start, end in taken.items()) == 200


def test_the_policy_of_the_documentation_chooses_the_largest_hole(checkout: Path) -> None:
    text = (checkout / "docs" / "simulate.md").read_text(encoding="utf-8")
    source = text[text.index("    class WorstFit") :].split("\n\nSearching")[0]
    scope: dict[str, Any] = {"al": al}
    exec(textwrap.dedent(source), scope)
    # Of [0, 48), [64, 96) and what lies behind 128 it always takes the last.
    assert offsets(scope["WorstFit"](256)) == [0, 48, 64, 96, 112, 128, 144]
    assert offsets(scope["WorstFit"](128)) == [0, 48, 64, 96, 112, 0, 16]
