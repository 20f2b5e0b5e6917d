# SPDX-License-Identifier: MIT
"""Allocators written in Python: what a simulation checks, counts and returns."""

from __future__ import annotations

import doctest
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import alloclab as al
from alloclab.errors import NotMeasured, SimulationError, TraceError, UsageError
from alloclab.simulate import PLACEMENT_METRICS
from alloclab.textbook import BestFit, Buddy, Bump, FirstFit
from support.sequences import kept

STEPS = [
    ("allocate", "a", 10),
    ("allocate", "b", 30),
    ("allocate", "c", 16),
    ("free", "b"),
    ("allocate", "d", 8),
]


class Scripted:
    """Returns what it was told to, call after call."""

    def __init__(self, *offsets: Any) -> None:
        self.offsets = list(offsets)
        self.freed: list[int] = []

    def allocate(self, size: int, alignment: int) -> Any:
        return self.offsets.pop(0)

    def deallocate(self, offset: int) -> None:
        self.freed.append(offset)


def failure(steps: Any, allocator: Any, **options: Any) -> SimulationError:
    with pytest.raises(SimulationError) as caught:
        al.simulate(steps, allocator, **options)
    return caught.value


def test_the_example_of_the_documentation_holds() -> None:
    found = doctest.testmod(sys.modules["alloclab.simulate"])
    assert found.attempted >= 3
    assert found.failed == 0


def test_the_map_is_a_row_a_block_and_the_figures_are_those_worked_out_by_hand() -> None:
    placement = al.simulate(STEPS, Scripted(0, 16, 48, 16))
    blocks = {name: column.tolist() for name, column in placement.blocks.items()}
    assert blocks == {
        "object": [0, 1, 2, 3],
        "offset": [0, 16, 48, 16],
        "size": [10, 30, 16, 8],
        "block_size": [10, 30, 16, 8],
        "birth": [0, 1, 2, 4],
        "death": [-1, 3, -1, -1],
        "is_refused": [False] * 4,
    }
    # The extent is 64 from event 2 on; there 56 bytes are live, [10, 16) and [46, 48) free.
    assert placement["high_water_bytes"] == 64
    assert placement["high_water_event"] == 2
    assert placement["largest_free_run_bytes"] == 6
    assert placement["largest_free_ratio"] == 1 - 6 / 8
    assert placement["external_fragmentation_ratio"] == 1 - 56 / 64
    assert placement["internal_fragmentation_ratio"] == 0
    assert placement["realized_fragmentation_ratio"] == pytest.approx(64 / 56 - 1)
    assert placement["johnstone_wilson_1"] == pytest.approx(
        (10 * 10 / 10 + 30 * 46 / 40 + 16 * 64 / 56 + 8 * 64 / 34) / 64
    )
    assert placement["johnstone_wilson_2"] == 64 / 56
    assert placement["johnstone_wilson_3"] == 64 / 56
    assert placement["johnstone_wilson_4"] == 64 / 56
    assert placement["block_bytes_total"] == 64
    assert placement["failed_allocations"] == 0
    assert set(placement.metrics) == set(PLACEMENT_METRICS)


def test_metrics_have_the_names_they_have_elsewhere() -> None:
    own = {"high_water_bytes", "high_water_event", "largest_free_run_bytes", "largest_free_ratio"}
    assert set(PLACEMENT_METRICS) - own <= set(al.METRICS)
    with pytest.raises(UsageError, match="unknown metric 'speed'"):
        al.simulate(STEPS, Bump)["speed"]


def test_nothing_in_a_placement_is_a_time() -> None:
    placement = al.simulate(STEPS, Bump)
    assert not [name for name in placement.metrics if "_ns" in name or name.endswith("_s")]
    assert al.simulate(STEPS, Bump) == placement


def test_usable_sizes_are_what_blocks_take_up() -> None:
    placement = al.simulate([("allocate", "a", 33)], Buddy(256))
    assert placement.blocks["block_size"].tolist() == [64]
    assert placement["internal_fragmentation_ratio"] == 1 - 33 / 64


def test_overlaps_name_the_event_and_both_blocks() -> None:
    error = failure(STEPS, Scripted(0, 16, 32, 48))
    assert (error.event, error.reason) == (2, "overlapping blocks")
    assert error.block == (2, 32, 16)
    assert error.other == (1, 16, 30)
    assert str(error) == (
        "event 2: overlapping blocks: object 2 at [32, 48) and object 1 at [16, 46)"
    )


@pytest.mark.parametrize(
    ("offset", "reason"),
    [
        (-16, "placed below the address space"),
        (-1, "placed below the address space"),
        (24, "not aligned to 16 bytes"),
        (1 << 20, "placed beyond the 65536 bytes"),
        (1 << 80, "placed beyond the 65536 bytes"),
        (65536 - 8, "not aligned"),
        (65536 - 16, "placed beyond"),
        (16.0, "allocate returned 16.0, which is neither an offset nor None"),
        ("16", "allocate returned '16'"),
        (True, "allocate returned True"),
        ([16], r"allocate returned [16]"),
        (np.float64(16), "allocate returned np.float64(16.0)"),
    ],
)
def test_an_offset_that_is_none_is_reported_at_its_event(offset: Any, reason: str) -> None:
    error = failure(STEPS, Scripted(0, offset), address_space="64 KiB")
    assert error.event == 1
    assert reason in error.reason
    assert error.block is not None and error.block[0] == 1


def test_numpy_integers_are_offsets() -> None:
    placement = al.simulate(STEPS[:2], Scripted(np.int64(0), np.uint32(16)))
    assert placement.blocks["offset"].tolist() == [0, 16]


class Raising(Scripted):
    def allocate(self, size: int, alignment: int) -> Any:
        if not self.offsets:
            raise LookupError("no list for this size")
        return super().allocate(size, alignment)


def test_what_an_allocator_raises_is_reported_with_the_event() -> None:
    error = failure(STEPS, Raising(0, 16))
    assert (error.event, error.block) == (2, (2, None, 16))
    assert error.reason == "raised LookupError: no list for this size"
    assert isinstance(error.__cause__, LookupError)


def test_the_first_thing_that_went_wrong_is_reported() -> None:
    # The overlap at event 1 is found before what the damaged books led to at event 2.
    assert failure(STEPS, Raising(0, 0)).reason == "overlapping blocks"


def test_an_interrupt_is_not_an_error_of_the_allocator() -> None:
    class Interrupted(Scripted):
        def deallocate(self, offset: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        al.simulate(STEPS, Interrupted(0, 16, 48, 64))


def test_freeing_wrongly_is_reported_too() -> None:
    class Forgetful(Bump):
        def deallocate(self, offset: int) -> None:
            raise KeyError(offset)

    error = failure(STEPS, Forgetful())
    assert (error.event, error.reason) == (3, "raised KeyError: 16")


def test_none_is_a_refusal_and_the_program_goes_on() -> None:
    placement = al.simulate(STEPS, Scripted(0, None, 16, 32))
    assert placement["failed_allocations"] == 1
    assert placement["failed_bytes"] == 30
    assert placement["peak_requested_live_bytes"] == 56  # what the program asked for all the same
    assert placement.blocks["offset"].tolist() == [0, -1, 16, 32]
    with pytest.raises(NotMeasured, match="1 requests failed"):
        placement["internal_fragmentation_ratio"]
    assert isinstance(placement.metrics["johnstone_wilson_1"], NotMeasured)
    assert "not measured: 1 requests failed" in str(placement)


def test_a_refused_object_is_neither_freed_nor_grown_in_place() -> None:
    allocator = Scripted(None, 0)
    steps = [("allocate", "a", 8), ("reallocate", "a", 16), ("free", "a")]
    placement = al.simulate(steps, allocator)
    assert placement.blocks["offset"].tolist() == [-1, 0]
    assert placement.blocks["death"].tolist() == [1, 2]
    assert allocator.freed == [0]


def test_a_realloc_moves_where_the_allocator_cannot_resize() -> None:
    allocator = Scripted(0, 16)
    placement = al.simulate([("allocate", "a", 8), ("reallocate", "a", 24)], allocator)
    assert placement.blocks["offset"].tolist() == [0, 16]
    assert placement.blocks["death"].tolist() == [1, -1]
    assert allocator.freed == [0]
    # While it moves, both stand; the extent is 40 and the one live block has 24.
    assert placement["high_water_bytes"] == 40


def test_a_realloc_without_room_leaves_the_block_as_it_is() -> None:
    steps = [("allocate", "a", 8), ("reallocate", "a", 24), ("free", "a")]
    allocator = Scripted(0, None)
    placement = al.simulate(steps, allocator)
    assert placement.blocks["offset"].tolist() == [0, 0]
    assert placement.blocks["block_size"].tolist() == [8, 8]
    assert placement.blocks["is_refused"].tolist() == [False, True]
    assert placement["failed_bytes"] == 24
    assert allocator.freed == [0]


class Resizing(Scripted):
    """Says of every resize what it was told to say."""

    def __init__(self, answer: Any, *offsets: Any) -> None:
        super().__init__(*offsets)
        self.answer = answer

    def resize(self, offset: int, new_size: int) -> Any:
        return self.answer


def test_a_resize_in_place_must_have_room() -> None:
    steps = [("allocate", "a", 8), ("allocate", "b", 8), ("reallocate", "a", 24)]
    assert al.simulate(steps, Resizing(True, 0, 32)).blocks["offset"].tolist() == [0, 32, 0]
    error = failure(steps, Resizing(True, 0, 16))
    assert (error.event, error.block, error.other) == (2, (0, 0, 24), (1, 16, 8))
    error = failure(steps[::2], Resizing(True, 0), address_space=16)
    assert error.reason == "grown beyond the address space"
    error = failure(steps, Resizing("yes", 0, 32))
    assert error.reason == "resize returned 'yes', which is neither True nor False"


def test_a_block_may_not_move_onto_itself() -> None:
    steps = [("allocate", "a", 32), ("reallocate", "a", 48)]
    error = failure(steps, Scripted(32, 32))
    assert (error.event, error.reason) == (1, "moved to the place it is still alive at")
    assert failure(steps, Scripted(32, 16)).reason == "overlapping blocks"


def test_usable_sizes_are_checked() -> None:
    class Measured(Scripted):
        answer: Any = 8

        def usable_size(self, offset: int) -> Any:
            return self.answer

    error = failure(STEPS, Measured(0))
    assert error.reason == "usable_size returned 8 for a block of 10 bytes"
    for Measured.answer in ("16", 1 << 70, -1, None, 16.0):
        assert failure(STEPS, Measured(0)).event == 0
    Measured.answer = 32  # the second block is placed in the first one's slack
    assert failure(STEPS, Measured(0, 16)).block == (1, 16, 32)


def test_a_request_of_nothing_gets_a_byte_of_its_own() -> None:
    asked: list[int] = []

    class Recording(Bump):
        def allocate(self, size: int, alignment: int) -> int | None:
            asked.append(size)
            return super().allocate(size, alignment)

    placement = al.simulate([("allocate", "a", 0), ("allocate", "b", 0)], Recording())
    assert asked == [1, 1]
    assert placement.blocks["size"].tolist() == [0, 0]
    assert placement.blocks["block_size"].tolist() == [1, 1]
    assert placement["peak_requested_live_bytes"] == 0


def test_reset_ends_every_block() -> None:
    steps = [*STEPS, ("reset",), ("allocate", "e", 8)]
    placement = al.simulate(steps, Bump())
    assert placement.blocks["death"].tolist() == [5, 3, 5, 5, -1]
    assert placement.blocks["offset"].tolist()[-1] == 0
    allocator = Scripted(0, 16, 48, 64, 0)  # has no reset: each block is taken back
    al.simulate(steps, allocator)
    assert sorted(allocator.freed) == [0, 16, 48, 64]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (("allocate", "a"), "step 1"),
        (("allocate", "a", 8, 8, 8), "step 1"),
        (("allocate", "b", -1), "not a number of bytes: -1"),
        (("allocate", "b", 1.5), "not a number of bytes: 1.5"),
        (("allocate", "b", True), "not a number of bytes: True"),
        (("allocate", "b", 8, 24), "an alignment is a power of two, not 24"),
        (("allocate", "a", 8), "'a' is alive already"),
        (("free", "b"), "'b' is not alive"),
        (("reallocate", "b", 8), "'b' is not alive"),
        (("release", "a"), "step 1"),
        ((), "step 1"),
        ("free", "step 1"),
        (None, "step 1"),
        (("free", ["a"]), "step 1"),
    ],
)
def test_a_step_that_is_none_is_refused(step: Any, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        al.simulate([("allocate", "a", 8), step], Bump)


def test_what_is_no_allocator_is_refused() -> None:
    class Half:
        def allocate(self, size: int, alignment: int) -> int:
            return 0

    with pytest.raises(UsageError, match="Half is no allocator: it has no deallocate"):
        al.simulate(STEPS, Half())
    with pytest.raises(UsageError, match="give an allocator, made"):
        al.simulate(STEPS, Resizing)
    with pytest.raises(UsageError, match="address space"):
        al.simulate(STEPS, Bump, address_space=0)
    with pytest.raises(UsageError, match="not a number of events"):
        al.simulate(STEPS, Bump, events=-1)


def test_only_so_many_events_are_replayed() -> None:
    assert al.simulate(STEPS, Bump, events=2).events == 2
    empty = al.simulate(STEPS, Bump, events=0)
    assert empty.events == 0
    assert isinstance(empty.metrics["external_fragmentation_ratio"], NotMeasured)
    with pytest.raises(NotMeasured, match="no events"):
        empty.timeline()


def test_a_placement_survives_json() -> None:
    placement = al.simulate(STEPS, BestFit, label="best")
    document = json.loads(json.dumps(placement.to_json()))
    again = al.Placement.from_json(document)
    assert again == placement
    assert again.metrics == placement.metrics
    assert document["metrics"]["high_water_bytes"] == placement["high_water_bytes"]
    assert al.Placement.from_json(json.dumps(document)) == placement
    assert again != al.simulate(STEPS, BestFit)  # another label
    assert placement != "something else"


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 9},
        {"blocks": {}},
        {"blocks": None},
        {"events": "many"},
        {"events": 1},
    ],
)
def test_a_document_that_is_no_placement_is_refused(change: dict[str, Any]) -> None:
    document = {**al.simulate(STEPS, Bump).to_json(), **change}
    with pytest.raises(al.Error):
        al.Placement.from_json(document)


def test_a_document_whose_blocks_overlap_is_refused() -> None:
    document = al.simulate(STEPS, Bump).to_json()
    document["blocks"]["offset"][1] = 0
    with pytest.raises(UsageError, match="rows 0 and 1 of the map overlap"):
        al.Placement.from_json(document)


def test_a_placement_cannot_be_changed() -> None:
    placement = al.simulate(STEPS, Bump)
    with pytest.raises(ValueError, match="read-only"):
        placement.blocks["offset"][0] = 7
    with pytest.raises(AttributeError):
        placement.events = 7  # type: ignore[misc]


def test_errors_survive_pickling() -> None:
    error = failure(STEPS, Scripted(0, 16, 32, 48))
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.block, again.other) == (str(error), error.block, error.other)


def test_the_timeline_follows_the_events() -> None:
    line = al.simulate(STEPS, Scripted(0, 16, 48, 16)).timeline()
    assert line["event"].tolist() == [0, 1, 2, 3, 4]
    assert line["extent_bytes"].tolist() == [10, 46, 64, 64, 64]
    assert line["requested_live_bytes"].tolist() == [10, 40, 56, 26, 34]
    assert line["largest_free_run_bytes"].tolist() == [0, 6, 6, 38, 24]
    assert line["allocated_bytes"].tolist() == [10, 40, 56, 56, 64]


def test_a_recorded_trace_is_replayed_as_recorded(workloads: Path) -> None:
    path = workloads / "freeciv.alloctrace"
    trace = al.open_trace(path)
    placement = al.simulate(trace, Bump, events=200_000)
    assert al.simulate(path, Bump, events=200_000) == placement
    objects = trace.objects()
    born = (objects["birth"] < 200_000) & (objects["is_region"] == 0)
    moved = placement.blocks["object"]
    assert np.array_equal(np.unique(moved), np.flatnonzero(born))
    first = np.unique(moved, return_index=True)[1]
    assert np.array_equal(placement.blocks["size"][first], objects["size"][born])
    assert np.array_equal(placement.blocks["birth"][first], objects["birth"][born])
    died = (objects["death"] >= 0) & (objects["death"] < 200_000) & born
    last = len(moved) - 1 - np.unique(moved[::-1], return_index=True)[1]
    deaths = np.where(died, objects["death"], -1)[born]
    assert np.array_equal(placement.blocks["death"][last], deaths)


def test_a_damaged_trace_is_an_error_of_the_trace(tmp_path: Path) -> None:
    broken = tmp_path / "broken.alloctrace"
    broken.write_bytes(b"no trace at all")
    with pytest.raises(TraceError):
        al.simulate(broken, Bump)


class Hostile:
    """Does a hundred wrong things, by a number each."""

    def __init__(self, choices: list[int]) -> None:
        self.choices = choices
        self.calls = 0

    def answer(self) -> Any:
        self.calls += 1
        choice = self.choices[self.calls % len(self.choices)]
        answers = (0, 16 * self.calls, None, -1, 2**63, 2**62, 1.0, "x", [], object(), True, 17)
        if choice == len(answers):
            raise RuntimeError("as it likes")
        if choice == len(answers) + 1:
            self.choices = self.choices[::-1]
            return np.int8(0)
        return answers[choice]

    def allocate(self, size: int, alignment: int) -> Any:
        return self.answer()

    def deallocate(self, offset: int) -> Any:
        return self.answer()

    def resize(self, offset: int, new_size: int) -> Any:
        return self.answer()

    def usable_size(self, offset: int) -> Any:
        return self.answer()


@given(
    st.lists(st.integers(0, 13), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 100)), max_size=60),
)
@kept
def test_no_allocator_does_worse_than_a_simulation_error(
    choices: list[int], operations: list[tuple[int, int]]
) -> None:
    used: set[int] = set()
    steps: list[tuple[Any, ...]] = []
    for slot, size in operations:
        if slot not in used:
            steps.append(("allocate", slot, size))
            used.add(slot)
        elif size % 2:
            steps.append(("reallocate", slot, size))
        else:
            steps.append(("free", slot))
            used.discard(slot)
    try:
        placement = al.simulate(steps, Hostile(choices))
    except SimulationError as error:
        assert 0 <= error.event < len(steps)
    else:
        assert al.Placement.from_json(placement.to_json()) == placement


def test_first_fit_needs_less_than_a_bump_on_a_recording(workloads: Path) -> None:
    trace = al.open_trace(workloads / "cc1plus.alloctrace")
    bump = al.simulate(trace, Bump, events=20_000)
    fit = al.simulate(trace, FirstFit, events=20_000)
    assert fit["peak_requested_live_bytes"] == bump["peak_requested_live_bytes"]
    assert fit["high_water_bytes"] < bump["high_water_bytes"]
