# SPDX-License-Identifier: MIT
"""Where real allocators put the blocks of a recording: addresses from a child, as one map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import alloclab as al
from alloclab.errors import ChildFailed, NotInstalled, NotMeasured, UsageError
from alloclab.simulate import real

EVENTS = 30_000


@pytest.fixture(scope="module")
def trace(workloads: Path) -> al.Trace:
    return al.open_trace(workloads / "cc1plus.alloctrace")


@pytest.mark.parametrize(
    "allocator",
    [
        al.Glibc(),
        al.Pool(),
        al.Arena(),
        al.Tlsf(),
        al.Buddy(),
        al.Slab(),
        al.Freelist(block="4 KiB"),
        al.Jemalloc(),
        al.Mimalloc(),
        al.Tcmalloc(),
        al.Segregator(256, small=al.Freelist(block=256), large=al.Pool()),
        al.Fallback(al.Slab(object=64), al.Tlsf()),
    ],
    ids=str,
)
def test_every_allocator_has_a_map_of_the_same_requests(
    trace: al.Trace, allocator: al.Allocator
) -> None:
    try:
        found = al.placement(trace, allocator, events=EVENTS)
    except NotInstalled as missing:
        pytest.skip(str(missing))
    simulated = al.simulate(trace, al.textbook.Bump, events=EVENTS)
    for name in ("object", "size", "birth"):
        assert np.array_equal(found.blocks[name], simulated.blocks[name]), name
    assert found["peak_requested_live_bytes"] == simulated["peak_requested_live_bytes"]
    slack = found.blocks["block_size"] - found.blocks["size"]
    slack = slack[~found.blocks["is_refused"]]  # a block that could not grow stays as it is
    assert (slack >= 0).all()
    assert found["high_water_bytes"] >= found["peak_block_live_bytes"]
    assert not found.is_simulated
    assert al.Placement.from_json(found.to_json()) == found


def test_the_same_run_gives_the_same_map(trace: al.Trace) -> None:
    first = al.placement(trace, al.Glibc(), events=EVENTS)
    assert first == al.placement(trace, al.Glibc(), events=EVENTS)
    assert first["failed_allocations"] == 0


def test_sizes_an_allocator_does_not_have_are_refused_in_its_map(trace: al.Trace) -> None:
    found = al.placement(trace, al.Freelist(block=64), events=EVENTS)
    sizes = found.blocks["size"]
    assert found["failed_allocations"] == (sizes > 64).sum()
    assert (found.blocks["block_size"][~found.blocks["is_refused"]] <= 64).all()
    with pytest.raises(NotMeasured, match="requests failed"):
        found["internal_fragmentation_ratio"]


def test_an_arena_places_blocks_one_behind_the_other(trace: al.Trace) -> None:
    found = al.placement(trace, al.Arena(initial="64 MiB"), events=2000)
    bump = al.simulate(trace, al.textbook.Bump, events=2000)
    assert found["high_water_bytes"] <= 1.1 * bump["high_water_bytes"]
    assert found["high_water_bytes"] > 0.5 * bump["high_water_bytes"]


def test_long_runs_without_a_block_are_left_out() -> None:
    page = 4096
    address = np.array([100 * page + 64, -1, 5000 * page + 16, 5001 * page, 7 << 40])
    size = np.array([2 * page, 0, 16, 32, 8])
    whole = real._from_lowest(address, size, None)
    assert whole.tolist() == [64, -1, 4900 * page + 16, 4901 * page, (7 << 40) - 100 * page]
    # The first block ends on its third page; pages keep their places in the pages.
    near = real._from_lowest(address, size, 1 << 20)
    assert near.tolist() == [64, -1, 3 * page + 16, 4 * page, 5 * page]
    # A block inside a longer one's run ends no run.
    address, size = np.array([0, page, 1000 * page]), np.array([900 * page, 8, 8])
    assert real._from_lowest(address, size, 200 * page).tolist() == [0, page, 1000 * page]
    assert real._from_lowest(address, size, 100 * page).tolist() == [0, page, 900 * page]
    with pytest.raises(UsageError, match="at least a page"):
        real._from_lowest(address, size, 16)


def test_no_block_at_all_is_a_map_too(trace: al.Trace) -> None:
    found = al.placement(trace, al.Null(), events=1000)
    assert found["high_water_bytes"] == 0
    assert found["failed_allocations"] == len(found.blocks["size"])


def test_a_child_that_gives_a_byte_twice_is_a_failure(
    trace: al.Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_at_one_place(*arguments: object) -> np.ndarray:
        count = len(al.simulate(trace, al.textbook.Bump, events=100).blocks["size"])
        return np.full((count, 2), 4096, np.uint64)

    monkeypatch.setattr(real, "_placed", all_at_one_place)
    with pytest.raises(ChildFailed, match="pool gave the same byte to two live blocks"):
        al.placement(trace, al.Pool(), events=100)
