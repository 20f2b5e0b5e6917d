# SPDX-License-Identifier: MIT
"""Parallel order: a thread for each recorded one, its figures, and what it refuses.

Rows R9, R28 (workers replayed as threads, contention), R36, R38 (what crosses threads waits).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import alloclab as al
from alloclab.cli import main
from alloclab.errors import EXIT_OK, EXIT_USAGE, NotMeasured, UsageError
from alloclab.record import record
from support.fake_child import FakeChild, fake_child
from support.recorded_programs import Programs

__all__ = ["fake_child"]

CREW = {
    "threads": 4,
    "processors": 2,
    "ordered_ops": 900_000,
    "longest_chain_ops": 300_000,
    "order_waits": 50,
    "order_sleeps": 20,
    "order_wait_ns": 16_000_000,
    "allocator_sleeps": 7,
    "involuntary_switches": 3,
}


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of threads that free and reallocate each other's blocks."""
    folder = tmp_path_factory.mktemp("exchange")
    command = [Programs(folder)("exchange"), "6", "4000"]
    return Path(record(command, output=folder / "recording").traces[0].path)


def test_threads_are_replayed_as_threads_and_blocks_stay_whole(exchanged: Path) -> None:
    run = al.replay(exchanged, al.Glibc(), order="parallel", measure=("time", "check"))
    exact = al.replay(exchanged, al.Glibc(), measure="check")
    assert run.order == "parallel" and "order='parallel'" in repr(run)
    assert run.answers["time"][0]["threads"] == 7
    assert run["damaged_blocks"] == run["misaligned_blocks"] == 0
    assert run["checked_blocks"] == exact["checked_blocks"] > 20_000
    assert run["trace_parallelism"] > 1
    assert run["peak_footprint_bytes"] > 0


def test_a_run_in_parallel_order_survives_json(exchanged: Path) -> None:
    run = al.replay(exchanged, al.Pool(), order="parallel", measure="time")
    again = al.Run.from_json(json.loads(json.dumps(run.to_json())))
    assert again.order == "parallel"
    assert again["order_waits"] == run["order_waits"]
    assert "kernel" not in run.answers  # its templated kernel is for one thread


def test_a_heap_for_one_thread_is_not_measured(exchanged: Path) -> None:
    run = al.replay(exchanged, al.Freelist(), order="parallel", measure="time")
    with pytest.raises(NotMeasured, match="not thread-safe"):
        run["peak_footprint_bytes"]


def test_a_locked_stack_is_replayed_by_its_type_erased_path(exchanged: Path) -> None:
    run = al.replay(exchanged, al.Locked(al.Pool()), order="parallel", measure=("time", "check"))
    assert run["damaged_blocks"] == 0
    assert run.answers["kernel"][0]["call_path"] == "type_erased"
    with pytest.raises(NotMeasured, match="cannot serve malloc"):
        run["wall_ns_per_event"]


def test_a_comparison_is_all_in_one_order(exchanged: Path) -> None:
    comparison = al.compare(
        exchanged, [al.Glibc(), al.Pool()], order="parallel", repeats=1, progress=False
    )
    assert comparison.order == "parallel"
    orders = {
        answer["order"]
        for row in comparison
        for answers in row.run.answers.values()
        for answer in answers
    }
    assert orders == {"parallel"}
    assert "parallel order, a thread for each recorded one" in comparison.title()
    assert "internal_fragmentation_ratio" not in comparison["pool"].figures


def test_wall_time_is_divided_and_the_null_replays_stands_beside(fake_child: FakeChild) -> None:
    fake_child.say(malloc={"reply": CREW}, null_replay={"reply": CREW})
    run = al.replay(fake_child.trace, al.Glibc(), order="parallel", measure="time")
    assert run["wall_ns_per_event"] == 20.0
    assert run["wall_events_per_s"] == 50e6
    assert run["null_wall_ns_per_event"] == 20.0
    assert run["busy_processors"] == 12 / 20
    assert run["trace_parallelism"] == 3.0
    assert run["order_wait_ratio"] == 16 / (20 * 4)
    assert (run["allocator_sleeps"], run["order_sleeps"]) == (7, 20)
    with pytest.raises(NotMeasured, match="exact order"):
        run["ns_per_event"]


def test_children_are_told_the_order_and_not_pinned(fake_child: FakeChild) -> None:
    al.replay(fake_child.trace, al.Glibc(), order="parallel", max_distance=9, measure="time")
    for call in fake_child.calls():
        words = str(call)
        assert "parallel" in words and "max-distance" in words and "cpu" not in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"order": "sideways"}, "unknown order"),
        ({"order": "parallel", "cpu": 0}, "every processor"),
        ({"max_distance": 5}, "for parallel order"),
        ({"order": "parallel", "max_distance": -1}, "0 or more events"),
    ],
)
def test_what_does_not_go_together_is_refused(
    fake_child: FakeChild, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        al.replay(fake_child.trace, al.Glibc(), **arguments)


def test_the_command_line_takes_the_order(
    exchanged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["replay", "--order", "parallel", "--json", str(exchanged), "glibc"]
    assert main(words) == EXIT_OK
    document = json.loads(capsys.readouterr().out)
    assert document["run"]["order"] == "parallel"
    assert document["metrics"]["order_waits"] >= 0
    assert main(["replay", "--order", "parallel", "--cpu", "0", str(exchanged), "glibc"]) == (
        EXIT_USAGE
    )
