# SPDX-License-Identifier: MIT
"""The arena, its presets and its relatives as specs, each replaying a recording (row W36)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import alloclab as al
from alloclab.allocators import OwnAllocator

ARENAS = [
    al.Arena(preset="page_chain"),
    al.Arena(preset="weir"),
    al.Arena(preset="roc"),
    al.Arena(preset="roc", growth=3.0, extend=False, max_chunk="4 MiB"),
    al.Arena(reset="retain_with_limit", retain_limit="1 MiB", poison="fill"),
    al.FrameArena(growth=1.5),
    al.DoubleEnded(),
]


@pytest.fixture(scope="module")
def trace(workloads: Path) -> al.Trace:
    return al.open_trace(workloads / "freeciv.alloctrace")


def answer(trace: al.Trace, spec: OwnAllocator, events: int = 60_000) -> Any:
    """What one child says of the recording's first events."""
    from alloclab.replay.child import Order, run_child

    found = run_child(Order(trace.path, spec.kernel(), "blocks", stop_after=events))
    return {**found, **found["stats"]}


@pytest.mark.parametrize("spec", ARENAS, ids=str)
def test_an_arena_of_any_design_replays_a_recording(trace: al.Trace, spec: OwnAllocator) -> None:
    found = answer(trace, spec)
    assert found["failed_allocations"] == 0
    assert found["reserved_bytes"] >= found["committed_bytes"] > 1 << 20


@pytest.mark.parametrize("spec", ARENAS, ids=str)
def test_it_reads_back_both_ways(spec: OwnAllocator) -> None:
    from alloclab import allocators

    assert allocators.from_json(spec.to_json()) == spec
    assert allocators.parse(str(spec)) == spec


def test_the_growth_of_a_preset_shows_in_what_is_reserved(trace: al.Trace) -> None:
    """A chain of 64 KiB maps large requests on their own, and those go back when they are freed."""
    chain = answer(trace, al.Arena(preset="page_chain"))["reserved_bytes"]
    doubling = answer(trace, al.Arena(preset="doubling"))["reserved_bytes"]
    assert doubling == answer(trace, al.Arena())["reserved_bytes"]
    assert chain < doubling / 2


def test_a_region_that_is_too_small_fails_requests_and_the_run_goes_on(trace: al.Trace) -> None:
    found = answer(trace, al.DoubleEnded(region="64 KiB"))
    assert found["failed_allocations"] > 0
    assert found["reserved_bytes"] == 64 << 10


def test_unknown_words_are_refused_with_those_it_knows() -> None:
    with pytest.raises(al.UsageError, match=r"preset: not one of page_chain, .*: 'quartz'"):
        al.Arena(preset="quartz")
    with pytest.raises(al.UsageError, match="reset: not one of free_all"):
        al.Arena(reset="never")
    with pytest.raises(al.NotMeasured, match="cannot serve malloc"):
        al.FrameArena().launch()
