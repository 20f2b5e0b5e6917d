# SPDX-License-Identifier: MIT
"""Traces of wee_alloc's tests, of the CS:APP malloc lab and of RAPIDS RMM."""

from pathlib import Path

import pytest

import alloclab as al
from support.importing import check_every_truncation, counts, events_of

WEE_ALLOC = "wee_alloc/small.trace"
MALLOCLAB = "malloclab/small.rep"
RMM = "rmm/small.csv"


def test_wee_alloc_names_blocks_by_the_order_of_their_allocs(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / WEE_ALLOC, tmp_path / "t.alloctrace")

    assert events_of(trace) == [
        ("allocate", 0, 0, 552, 0),
        ("allocate", 0, 1, 120, 0),
        ("free", 0, 1, 0, 0),
        ("allocate", 0, 2, 0, 0),
        ("free", 0, 0, 0, 0),
        ("allocate", 0, 3, 64, 0),
    ]
    assert counts(trace) == {
        "allocations": 4,
        "frees": 2,
        "zero_size_allocations": 1,
        "unknown_frees": 2,  # the second Free(1), and Free(9) of four
        "threads": 1,
        "requested_total_bytes": 552 + 120 + 64,
        "peak_requested_live_bytes": 672,
        "live_objects_at_end": 2,
        "requested_live_bytes_at_end": 64,
    }
    assert trace.metadata["origin"]["cannot_say"] == [
        "threads",
        "time",
        "call stacks",
        "alignment",
        "reallocations",
        "end",
    ]


def test_malloclab_keeps_an_id_over_its_reallocations(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / MALLOCLAB, tmp_path / "t.alloctrace")

    # Live bytes: 512, 640, 768, 896, 768, 896, 128, 0.
    assert counts(trace) == {
        "allocations": 3,
        "frees": 3,
        "null_frees": 1,
        "reallocations": 2,
        "threads": 1,
        "requested_total_bytes": 512 + 128 + 640 + 128 + 768,
        "peak_requested_live_bytes": 896,
    }
    assert trace.summary()["is_complete"] == 1  # as many operations as the header says
    assert trace.metadata["origin"]["left_out"] == {}


def test_malloclab_reallocates_an_id_that_holds_nothing_from_null(tmp_path: Path) -> None:
    path = tmp_path / "null.rep"
    path.write_text("1 1 2 1\nr 0 8\r\n\nf 0\n")
    assert [event[0] for event in events_of(al.import_trace(path))] == ["allocate", "free"]


def test_malloclab_counts_what_follows_the_last_operation(tmp_path: Path) -> None:
    path = tmp_path / "longer.rep"
    path.write_text("1\n1\n2\n1\na 0 8\nf 0\nf 0\nanything\n")
    trace = al.import_trace(path)
    assert trace.summary()["events"] == 2
    assert trace.metadata["origin"]["left_out"] == {"lines_beyond_the_header": 2}


@pytest.mark.parametrize(
    ("operations", "reason"),
    [
        ("a 2 8\nf 0", "line 5: its id is not below 2, as the header says: a 2 8"),
        ("a 0 8\na 0 8", "line 6: its id is in use: a 0 8"),
        ("a 0 8\nw 0", "line 6: it is no operation: a, r or f: w 0"),
        ("a 0 8\na 1", "line 6: a size is missing: a 1"),
        ("a 0 8\na 1 8 8", "line 6: there is something after the operation: a 1 8 8"),
        ("a 0 8", "line 6: the input ends after 1 of 2 operations"),
    ],
)
def test_malloclab_refuses_what_its_header_does_not_allow(
    tmp_path: Path, operations: str, reason: str
) -> None:
    path = tmp_path / "wrong.rep"
    path.write_text(f"0\n2\n2\n1\n{operations}\n")
    with pytest.raises(al.TraceError) as raised:
        al.import_trace(path)
    assert str(raised.value) == f"{path}: {reason}"
    assert list(tmp_path.iterdir()) == [path]


def test_rmm_keeps_threads_and_times_over_midnight(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / RMM, tmp_path / "t.alloctrace")

    assert counts(trace) == {
        "allocations": 2,
        "frees": 2,
        "null_frees": 1,
        "failed_calls": 1,
        "unknown_frees": 1,  # the last
        "threads": 2,
        "requested_total_bytes": 768,
        "peak_requested_live_bytes": 512,
    }
    summary = trace.summary()
    # From 23:59:59.998533 to the last free that had a block, at 00:00:02.
    assert summary["duration_ns"] == 2_001_467_000
    assert summary["cross_thread_frees"] == 2
    assert trace.metadata["origin"]["left_out"] == {
        "empty_allocations": 1,
        "frees_with_another_size": 1,
        "unknown_frees": 1,
    }


def test_rmm_reads_a_log_without_header_and_seconds_since_1970(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("5,1634567890.5,allocate,7f8a,8,1\n5,1634567890.75,deallocate,7f8a,8,1\n")
    trace = al.import_trace(path)
    assert trace.metadata["origin"]["format"] == "rmm"
    assert (trace.summary()["frees"], trace.summary()["duration_ns"]) == (1, 250_000_000)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x,1:2:3,free,0x0,0,0", "it does not begin with a thread"),
        ("1,noon,free,0x0,0,0", "there is no time after the thread"),
        ("1,25:00:00,free,0x0,0,0", "there is no time after the thread"),
        ("1,1:2:3,resize,0x1,0,0", "there is no such action"),
        ("1,1:2:3,free", "there is no pointer after the action"),
        ("1,1:2:3,free,0x1,8", "there is no size and stream after the pointer"),
    ],
)
def test_rmm_names_a_line_that_is_wrong(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(f"Thread,Time,Action,Pointer,Size,Stream\n{line}\n")
    with pytest.raises(al.TraceError, match="line 2: ") as raised:
        al.import_trace(path)
    assert str(raised.value) == f"{path}: line 2: {reason}: {line}"


@pytest.mark.parametrize(
    ("name", "format"), [(WEE_ALLOC, "wee_alloc"), (MALLOCLAB, "malloclab"), (RMM, "rmm")]
)
def test_a_file_cut_anywhere_is_refused_or_a_shorter_trace_that_says_so(
    foreign: Path, tmp_path: Path, name: str, format: str
) -> None:
    check_every_truncation(foreign / name, format, tmp_path)
