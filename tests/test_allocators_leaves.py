# SPDX-License-Identifier: MIT
"""The leaf allocators as specs, and each of them replaying a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import alloclab as al
from alloclab.allocators import OwnAllocator
from alloclab.allocators.find import find_library

# Those that take any size, and what of a recording they may fail.
LEAVES = [
    al.Tlsf(),
    al.Buddy(),
    al.PageAllocator(),
    al.Platform(),
    al.JemallocArena(),
    al.JemallocArena(cache=False),
    al.MimallocHeap(),
]


@pytest.fixture(scope="module")
def trace(workloads: Path) -> al.Trace:
    return al.open_trace(workloads / "freeciv.alloctrace")


def answer(trace: al.Trace, spec: OwnAllocator, measure: str, events: int = 60_000) -> Any:
    """What one child says of the recording's first events."""
    from alloclab.replay.child import Order, run_child

    order = Order(trace.path, spec.kernel(), measure, stop_after=events)
    return run_child(order)


@pytest.mark.parametrize("spec", LEAVES, ids=str)
def test_a_leaf_replays_a_recording_and_damages_no_block(
    trace: al.Trace, spec: OwnAllocator
) -> None:
    found = answer(trace, spec, "check")
    assert found["call_path"] == "templated"
    assert found["failed_allocations"] == 0
    assert found["checked_blocks"] > 2_000
    assert found["damaged_blocks"] == 0


def test_a_slab_serves_what_fits_and_counts_the_rest(trace: al.Trace) -> None:  # row S49
    found = answer(trace, al.Slab(object=64), "check")
    assert found["failed_allocations"] > 0
    assert found["checked_blocks"] > 1_000
    assert found["damaged_blocks"] == 0


def test_pages_and_powers_of_two_are_in_the_block_sizes(trace: al.Trace) -> None:  # row R27
    pages = answer(trace, al.PageAllocator(), "blocks")
    buddy = answer(trace, al.Buddy(), "blocks")
    tlsf = answer(trace, al.Tlsf(), "blocks")
    sizes = [each["block_live_bytes_at_peak_requested"] for each in (tlsf, buddy, pages)]
    assert sizes[0] < sizes[1] < sizes[2]
    assert pages["block_live_bytes_at_peak_requested"] % 4096 == 0


@pytest.mark.parametrize("small", [al.Tlsf(), al.JemallocArena(), al.MimallocHeap()], ids=str)
def test_large_blocks_can_be_mappings_of_their_own(
    trace: al.Trace, small: OwnAllocator
) -> None:  # row S54
    stack = al.Segregator(threshold="64 KiB", small=small, large=al.PageAllocator())
    found = answer(trace, stack, "check")
    assert found["call_path"] == "type_erased"
    assert found["failed_allocations"] == 0
    assert found["damaged_blocks"] == 0


def test_a_peer_heap_finds_its_library_and_hands_it_to_the_core() -> None:
    library = str(find_library("jemalloc", ("libjemalloc.so.2",), "apt-get install libjemalloc2"))
    spec = al.JemallocArena()
    assert spec.core_spec() == {"allocator": "jemalloc_arena", "options": {"library": library}}
    assert spec.kernel().environment == {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=2048"}
    assert spec == al.JemallocArena(), "what was found is no part of the value"


def test_a_peer_heap_without_a_library_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from alloclab.allocators import find

    monkeypatch.setattr(find, "_loader_cache", dict)
    monkeypatch.setattr(find, "_folders", list)
    with pytest.raises(al.NotInstalled, match="apt-get install libmimalloc"):
        al.MimallocHeap().kernel()


@pytest.mark.parametrize(
    ("library", "message"),
    [("/nowhere/lib.so", "no such file: /nowhere/lib.so"), ("", "not the path of a library")],
)
def test_a_peer_heap_refuses_what_is_no_library(library: str, message: str) -> None:
    with pytest.raises(al.UsageError, match=message):
        al.JemallocArena(library=library).kernel()


def test_a_library_that_is_no_jemalloc_is_named_with_what_it_lacks(trace: al.Trace) -> None:
    path = find_library("mimalloc", al.allocators.Mimalloc.library_names, "")
    with pytest.raises(al.UsageError, match="has no function mallocx"):
        answer(trace, al.JemallocArena(library=path), "time")


@pytest.mark.parametrize("spec", [*LEAVES, al.Slab()], ids=str)
def test_a_leaf_has_no_malloc_face(spec: OwnAllocator) -> None:
    with pytest.raises(al.NotMeasured, match="cannot serve malloc"):
        spec.launch()
