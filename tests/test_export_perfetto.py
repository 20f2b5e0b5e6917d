# SPDX-License-Identifier: MIT
"""Trace Event JSON: it parses, slices nest on their threads, counters go through the peak."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import alloclab as al
from alloclab.formats.export.perfetto import _crossing, _order
from alloclab.traces import Trace
from support.exported import Recordings, recordings
from support.made_traces import Calls

__all__ = ["recordings"]


def exported(trace: Trace, path: Path, **options: int) -> tuple[dict[str, Any], al.ExportReport]:
    report = al.export_trace(trace, path, **options)
    return json.loads(path.read_text(encoding="ascii")), report


def by_phase(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found = defaultdict(list)
    for event in document["traceEvents"]:
        found[event["ph"]].append(event)
    return found


def check_nesting(events: list[dict[str, Any]]) -> int:
    """Returns how many slices there are; each ends what began last on its thread."""
    stacks: dict[int, list[dict[str, Any]]] = defaultdict(list)
    slices, last = 0, 0.0
    for event in events:
        if event["ph"] not in "BE":
            continue
        assert event["ts"] >= last
        last = event["ts"]
        if event["ph"] == "B":
            stacks[event["tid"]].append(event)
            slices += 1
        else:
            begun = stacks[event["tid"]].pop()
            assert (begun["name"], begun["cat"]) == (event["name"], event["cat"])
    assert not any(stacks.values())
    return slices


def test_scopes_are_nested_slices_with_kind_and_name(
    recordings: Recordings, tmp_path: Path
) -> None:
    trace = recordings("marks")
    document, report = exported(trace, tmp_path / "x.json")
    summary = trace.summary()
    assert check_nesting(document["traceEvents"]) == summary["scopes"] == 10
    begun = by_phase(document)["B"]
    assert [(event["cat"], event["name"]) for event in begun[:2]] == [
        ("phase", "load"),
        ("request", "/index"),
    ]
    still_open = [event for event in begun if event.get("args", {}).get("is_open_at_end")]
    assert len(still_open) == summary["open_scopes_at_end"]
    assert "scope_enter" not in report.left_out
    assert {name: report.left_out[name] for name in ("reset", "transfer", "tag")} == {
        "reset": 2,
        "transfer": 1,
        "tag": 1,
    }


def test_marks_are_instants_on_their_thread(recordings: Recordings, tmp_path: Path) -> None:
    document, _ = exported(recordings("marks"), tmp_path / "x.json")
    (mark,) = by_phase(document)["i"]
    assert (mark["name"], mark["s"], mark["tid"]) == ("loaded", "t", 1)


def test_processes_and_threads_have_names(recordings: Recordings, tmp_path: Path) -> None:
    trace = recordings("threads", "4", "50")
    document, _ = exported(trace, tmp_path / "x.json")
    named = [event for event in by_phase(document)["M"] if event["name"] == "thread_name"]
    assert [(event["tid"], event["args"]["name"]) for event in named] == [
        (thread + 1, f"thread {thread}") for thread in range(trace.summary()["threads"])
    ]
    (process,) = [event for event in by_phase(document)["M"] if event["name"] == "process_name"]
    assert process["args"]["name"] == "threads"
    assert {event["pid"] for event in document["traceEvents"]} == {trace.metadata["pid"]}
    assert document["otherData"]["metadata"] == trace.metadata


def counter(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [event for event in by_phase(document)["C"] if event["name"] == name]


def test_counters_follow_what_is_live_worked_out_by_hand(
    recordings: Recordings, tmp_path: Path
) -> None:
    document, _ = exported(recordings("calls"), tmp_path / "x.json")
    live = [event["args"]["bytes"] for event in counter(document, "requested_live_bytes")]
    # One block at a time, in the order of calls.c; malloc(0) changes nothing.
    assert live == [
        *(0, 24, 0, 25, 0, 504, 0, 512, 0, 100_000, 0),
        *(24, 0, 10_000, 0),
        *(40, 4_000, 400_000, 0),
        *(25, 2_500, 0),
        *(100, 0, 512, 0, 10, 0, 10, 0, 10, 0),
    ]
    objects = [event["args"]["objects"] for event in counter(document, "live_objects")]
    assert set(objects) == {0, 1}
    assert counter(document, "mapped_live_bytes") == []


def test_regions_have_a_counter_of_their_own(recordings: Recordings, tmp_path: Path) -> None:
    trace = recordings("maps")
    document, report = exported(trace, tmp_path / "x.json")
    mapped = [event["args"]["bytes"] for event in counter(document, "mapped_live_bytes")]
    assert max(mapped) == trace.summary()["peak_mapped_live_bytes"] > 0
    assert report.left_out["map"] > 0


def test_samples_are_bounded_and_go_through_the_peaks(workloads: Path, tmp_path: Path) -> None:
    trace = al.open_trace(workloads / "freeciv.alloctrace")
    document, report = exported(trace, tmp_path / "x.json", samples=50)
    live = counter(document, "requested_live_bytes")
    assert len(live) <= 53
    assert (
        max(event["args"]["bytes"] for event in live)
        == (trace.summary()["peak_requested_live_bytes"])
    )
    objects = counter(document, "live_objects")
    assert objects[-1]["args"]["objects"] == trace.summary()["live_objects_at_end"]
    resident = counter(document, "resident memory")
    rows = trace.footprint()
    assert max(event["args"]["anonymous_bytes"] for event in resident) == (
        rows["anonymous_bytes"].max()
    )
    assert len(resident) <= 51
    assert report.left_out["footprint"] == len(rows["event"]) - len(resident)
    summary = trace.summary()
    scope_events = 2 * summary["scopes"] - summary["open_scopes_at_end"]
    assert report.events == len(resident) + scope_events


def test_a_scope_left_before_one_within_it_is_no_slice() -> None:
    # Thread 0: scope 0 begins, 1 begins, 0 ends, 1 ends; thread 1: scope 2 stays open.
    thread, enter, left = [0, 0, 1], [10, 20, 25], [30, 40, -1]
    assert _crossing(thread, enter, left) == {0}
    assert list(_order(enter, left)) == [
        (0, True),
        (1, True),
        (2, True),
        (0, False),
        (1, False),
        (2, False),
    ]


def test_scopes_still_open_end_innermost_first() -> None:
    assert list(_order([1, 2], [-1, -1])) == [(0, True), (1, True), (1, False), (0, False)]
    assert _crossing([0, 0], [1, 2], [-1, -1]) == set()


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_metadata_that_is_no_json_number_becomes_text(value: str) -> None:
    from alloclab.formats.export.format import metadata_json

    class Odd:
        metadata = json.loads(f'{{"load": {value}}}')

    assert json.loads(metadata_json(Odd())) == {"load": value}  # type: ignore[arg-type]


def test_more_samples_than_events_take_no_more_memory(tmp_path: Path) -> None:
    calls = Calls()
    calls.free(calls.allocate(8))
    trace = calls.trace(tmp_path / "t.alloctrace")
    document, _ = exported(trace, tmp_path / "all.json", samples=10**12)
    assert document == exported(trace, tmp_path / "three.json", samples=3)[0]
