# SPDX-License-Identifier: MIT
"""Profiles and the trace table, of traces small enough that the arithmetic is in the test."""

import json
from pathlib import Path

import numpy as np
import pytest

import alloclab as al
from alloclab.distributions import Distribution, distribution
from alloclab.errors import NotMeasured, UsageError
from support.made_traces import Calls


def test_quantiles_are_what_a_share_is_below_or_at() -> None:
    spread = distribution(np.arange(1, 2001))
    assert spread.quantile(0) == 1
    # Of 2,000 numbers the thousand smallest are 1 to 1,000; the next one is the median, as it is
    # for `Trace.lifetimes()`.
    assert spread.median == 1001
    assert spread.quantile(0.001) == 3
    assert spread.quantile(1) == 2000
    assert len(spread.quantiles) == 1001


def test_weighted_values_count_as_often_as_they_are_large() -> None:
    # 90 + 1 * 10 = 100 in all: from the tenth part on it is the one of 90.
    spread = distribution(np.array([90, *[1] * 10]), is_weighted=True)
    assert [spread.quantile(share) for share in (0, 0.099, 0.1, 1)] == [1, 1, 90, 90]


def test_a_share_is_a_whole_number_of_thousandths_from_0_to_1() -> None:
    spread = Distribution(tuple(range(1001)))
    for share in (-0.001, 1.001, 0.0005, float("nan")):
        with pytest.raises(UsageError, match="not a share in whole thousandths"):
            spread.quantile(share)


def test_of_nothing_there_is_no_distribution() -> None:
    with pytest.raises(NotMeasured):
        distribution(np.array([], np.int64))
    with pytest.raises(NotMeasured):
        distribution(np.array([0, 0]), is_weighted=True)


def test_the_largest_block_that_a_trace_can_say_has_a_class(tmp_path: Path) -> None:
    calls = Calls()
    calls.allocate((1 << 62) - 1)
    found = al.profile(calls.trace(tmp_path / "large.alloctrace"))
    assert [each.most_bytes for each in found.classes] == [1 << 62]


def test_sizes_are_told_by_blocks_and_by_bytes(tmp_path: Path) -> None:
    calls = Calls()
    for size in (8, 8, 9, 16, 4000):
        calls.allocate(size)
    calls.map(1 << 20)  # a region is no block
    found = al.profile(calls.trace(tmp_path / "sizes.alloctrace"))
    assert (found.name, found.row.objects) == ("made", 5)
    assert found.sizes.median == 9
    assert isinstance(found.sizes_by_bytes, Distribution)
    # 41 of 4,041 bytes are in the four small blocks.
    assert found.sizes_by_bytes.quantile(0.01) == 16
    assert found.sizes_by_bytes.median == 4000


def test_a_class_is_above_half_a_power_of_two_and_at_most_that(tmp_path: Path) -> None:
    calls = Calls()
    for size in (0, 1, 8, 9, 16, 17, 4096):
        calls.allocate(size)
    found = al.profile(calls.trace(tmp_path / "classes.alloctrace"))
    total = 1 + 8 + 9 + 16 + 17 + 4096
    assert [(each.most_bytes, each.objects, each.bytes) for each in found.classes] == [
        (0, 1, 0),
        (1, 1, 1),
        (8, 1, 8),
        (16, 2, 25),
        (32, 1, 17),
        (4096, 1, 4096),
    ]
    assert found.classes[3].objects_ratio == 2 / 7
    assert found.classes[3].bytes_ratio == 25 / total
    table = found.size_table().splitlines()
    assert table[4].split() == ["16", "B", "2", "28.6", "%", "25", "B", "0.6", "%"]


def test_lifetimes_are_bytes_allocated_meanwhile(tmp_path: Path) -> None:
    calls = Calls()
    first = calls.allocate(10)
    second = calls.allocate(20)
    calls.free(second)  # nothing was allocated meanwhile
    calls.allocate(30)
    calls.free(first)  # 20 + 30
    trace = calls.trace(tmp_path / "lives.alloctrace")
    found = al.profile(trace)
    assert isinstance(found.lifetimes, Distribution)
    assert (found.lifetimes.quantile(0), found.lifetimes.quantile(1)) == (0, 50)
    assert found.lifetimes.median == trace.lifetimes().median_bytes == 50
    assert found.never_freed_ratio == pytest.approx(1 / 3)


def test_what_a_trace_does_not_tell_is_not_measured(tmp_path: Path) -> None:
    calls = Calls()
    calls.allocate(0)
    found = al.profile(calls.trace(tmp_path / "empty.alloctrace"))
    assert found.lifetimes == NotMeasured("no block was freed")
    assert found.sizes_by_bytes == NotMeasured("no block has any bytes")
    assert found.row.total_to_peak_ratio == NotMeasured("nothing was asked for")
    assert "100.0 % were never freed" in str(found)
    regions = Calls()
    regions.map(4096)
    with pytest.raises(NotMeasured, match="made: the trace has no block"):
        al.profile(regions.trace(tmp_path / "regions.alloctrace"))


def test_calls_are_counted_by_thread_and_frees_by_another_told_apart(tmp_path: Path) -> None:
    calls = Calls()
    one, two = calls.allocate(8), calls.allocate(8)
    calls.say("thread_start", thread=1)
    calls.free(one, thread=1)
    calls.free(two)
    calls.say("free_null", thread=1)
    calls.say("mark", thread=2)  # no call
    found = al.profile(calls.trace(tmp_path / "calls.alloctrace")).concurrency
    assert (found.calls, found.threads) == ((3, 2), 3)
    assert found.busiest_ratio == 3 / 5
    assert found.freed_elsewhere_ratio == 1 / 2


def test_a_thread_lives_from_its_first_event_to_its_exit_or_the_end(tmp_path: Path) -> None:
    calls = Calls()
    calls.allocate(8)
    exits = {512: 1}
    starts = {256: 1, 768: 2}
    for at in range(1, 1025):  # a clock reading stands at every 256th event, one a millisecond
        if at in starts:
            calls.say("thread_start", thread=starts[at])
        elif at in exits:
            calls.say("thread_exit", thread=exits[at])
        else:
            calls.say("mark")
    found = al.profile(calls.trace(tmp_path / "threads.alloctrace")).concurrency
    assert (found.threads, found.most_alive) == (3, 2)
    # Of 1,024 ms the first lives for all, the second for 256, the third for 256.
    assert found.mean_alive == pytest.approx((1024 + 256 + 256) / 1024)
    assert str(found).startswith("3 threads, at most 2 at once, 1.5 on average; 100.0 % of the")


def test_a_line_of_the_trace_table_has_totals_and_their_ratio(tmp_path: Path) -> None:
    calls = Calls()
    first = calls.allocate(100)
    calls.say("reallocate", number=first, size=300)
    calls.free(first)
    calls.allocate(200)
    (row,) = al.trace_table([calls.trace(tmp_path / "line.alloctrace")])
    assert (row.name, row.objects, row.max_live_objects) == ("made", 2, 1)
    assert row.requested_total_bytes == 100 + 300 + 200
    assert row.average_object_bytes == 600 / 3  # two allocations and a reallocation
    assert row.peak_requested_live_bytes == 300
    assert row.total_to_peak_ratio == 2


def test_the_trace_table_is_text_html_json_and_a_frame(tmp_path: Path) -> None:
    calls = Calls()
    calls.allocate(0)
    table = al.trace_table([calls.trace(tmp_path / "table.alloctrace", image="<a>")])
    heading, line = table.table().splitlines()
    assert heading.split("  ")[-1] == "total/max"
    assert line.split() == ["<a>", "1", "1", "0", "B", "0", "B", "0", "B", "n/m"]
    assert "&lt;a&gt;" in table._repr_html_()
    assert json.loads(json.dumps(table.to_json()))["rows"][0]["total_to_peak_ratio"] == {
        "not_measured": "nothing was asked for"
    }
    pytest.importorskip("pandas")
    frame = table.to_pandas()
    assert frame.loc["<a>", "objects"] == 1
    assert np.isnan(frame.loc["<a>", "total_to_peak_ratio"])
    assert list(al.trace_table([]).to_pandas().columns) == list(frame.columns)


def test_a_workload_goes_by_its_own_name(workloads: Path) -> None:
    tcc = al.workload("tcc", workloads)
    found = al.profile(tcc)
    assert (found.name, found.row.objects) == ("tcc", tcc.summary["allocations"])
    assert [row.name for row in al.trace_table([tcc, tcc.open()])] == ["tcc", "tcc"]
    assert sum(each.objects for each in found.classes) == found.row.objects
    assert sum(found.concurrency.calls) <= tcc.summary["events"]
    assert json.loads(json.dumps(found.to_json()))["row"]["objects"] == found.row.objects


def test_a_path_will_do_for_a_trace_and_nothing_else_will(workloads: Path) -> None:
    path = workloads / "tcc.alloctrace"
    trace = al.open_trace(path)
    assert al.profile(str(path)) == al.profile(path) == al.profile(trace)
    assert list(al.trace_table([str(path), path])) == list(al.trace_table([trace, trace]))
    with pytest.raises(UsageError, match="is one path; a table is of a list of them"):
        al.trace_table(str(path))
    for wrong in (al.profile, lambda wanted: al.trace_table([wanted])):
        with pytest.raises(UsageError, match=r"^7 is neither a trace, nor the path of one, nor a"):
            wrong(7)
        with pytest.raises(UsageError, match="absent: no such trace"):
            wrong("absent")
