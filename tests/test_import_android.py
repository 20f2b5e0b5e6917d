# SPDX-License-Identifier: MIT
"""Traces of Android's malloc debug."""

import gzip
import zipfile
from pathlib import Path

import pytest

import alloclab as al
from support.importing import check_every_truncation, counts, events_of

SMALL = "android/small.txt"
TIMES = "android/times.txt"


def test_the_small_trace_has_the_counts_worked_out_by_hand(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / SMALL, tmp_path / "t.alloctrace")

    # Allocations: malloc 20, calloc 32 * 4 = 128, memalign 104, realloc(NULL, 64), malloc 8.
    # The last is handed the address of the memalign, whose free nobody saw: written ahead.
    # Threads: 186, 187 until it is done, and another 187 afterwards.
    assert counts(trace) == {
        "allocations": 5,
        "frees": 3,  # 0xb6038060, realloc(0xb7000010, 0), and the one written ahead
        "null_frees": 1,
        "reallocations": 1,
        "failed_calls": 1,
        "aligned_allocations": 1,
        "unknown_frees": 1,
        "missed_frees": 1,
        "threads": 3,
        "requested_total_bytes": 20 + 128 + 104 + 12 + 64 + 8,
        "peak_requested_live_bytes": 252,  # 20 + 128 + 104, before the realloc to 12
        "live_objects_at_end": 2,  # the 12 and the 8
        "requested_live_bytes_at_end": 20,
    }
    assert trace.summary()["is_complete"] == 0
    assert trace.metadata["origin"] == {
        "format": "android",
        "file": "small.txt",
        "cannot_say": ["call stacks", "thread starts", "end", "time"],
        "left_out": {"missed_frees": 1, "unknown_frees": 1},
    }
    assert events_of(trace)[:4] == [
        ("allocate", 0, 0, 20, 0),
        ("allocate", 0, 1, 128, 0),
        ("allocate", 1, 2, 104, 16),
        ("reallocate", 1, 1, 12, 0),
    ]


def test_times_count_from_the_first_and_never_run_backwards(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / TIMES, tmp_path / "t.alloctrace")

    # Starts 1000, 1500, 2000, 1900 (counts as 2000), 3000, 3500.
    assert trace.summary()["duration_ns"] == 2500
    assert trace.metadata["origin"]["cannot_say"] == ["call stacks", "thread starts", "end"]
    assert trace.metadata["origin"]["left_out"] == {"present_bytes": 2}
    assert trace.summary()["cross_thread_frees"] == 1  # 0xabd1000, by 1234


def test_a_free_told_after_its_memory_was_handed_out_is_put_right(tmp_path: Path) -> None:
    path = tmp_path / "overtaken.txt"
    path.write_text("1: malloc 0x10 8\n2: malloc 0x10 9\n1: free 0x10\n2: free 0x10\n")
    trace = al.import_trace(path)
    summary = trace.summary()
    assert (summary["inversions"], summary["missed_frees"], summary["unknown_frees"]) == (1, 0, 0)
    assert (summary["allocations"], summary["frees"]) == (2, 2)


def test_a_zip_and_a_gzip_give_what_the_text_gives(foreign: Path, tmp_path: Path) -> None:
    text = (foreign / SMALL).read_bytes()
    with zipfile.ZipFile(tmp_path / "small.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("small.txt", text)
    (tmp_path / "packed.txt.gz").write_bytes(gzip.compress(text))
    plain = al.import_trace(foreign / SMALL, tmp_path / "t.alloctrace")
    for name in ("small.zip", "packed.txt.gz"):
        trace = al.import_trace(tmp_path / name)
        assert trace.summary() == plain.summary()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x: malloc 0x10 8", 'it does not begin with "THREAD: "'),
        ("1: malloc 0x10", "a number is missing"),
        ("1: malloc", "a pointer is missing"),
        ("1: malloc 0x10 -8", "a number is missing"),
        ("1: malloc 0x10 8 100", "its times are not two numbers"),
        ("1: malloc 0x10 8 1 2 3 4", "there is more than the call has"),
        ("1: sbrk 0x10", "there is no such call"),
        ("1: calloc 0x10 4294967296 4294967296", "its size is more than there can be"),
        ("1: malloc 0x10 18446744073709551616", "a number is missing"),
        ("1: malloc 0x10 9223372036854775807", "event 1: a size of 9223372036854775807 bytes"),
        ("", 'it does not begin with "THREAD: "'),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "wrong.txt"
    path.write_text(f"1: malloc 0x20 8\n{line}\n1: free 0x20\n")
    with pytest.raises(al.TraceError) as raised:
        al.import_trace(path)
    assert str(raised.value).startswith(f"{path}: line 2: {reason}")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", [SMALL, TIMES])
def test_a_file_cut_anywhere_is_refused_or_a_shorter_trace_that_says_so(
    foreign: Path, tmp_path: Path, name: str
) -> None:
    check_every_truncation(foreign / name, "android", tmp_path)


def test_what_was_exported_comes_back(workloads: Path, tmp_path: Path) -> None:
    original = al.open_trace(workloads / "lua.alloctrace")
    path = tmp_path / "lua.android.zip"
    al.export_trace(original, path)
    trace = al.import_trace(path, tmp_path / "t.alloctrace")

    before, after = original.summary(), trace.summary()
    for name in (
        "allocations",
        "frees",
        "reallocations",
        "null_frees",
        "zero_size_allocations",
        "requested_total_bytes",
        "peak_requested_live_bytes",
        "max_live_objects",
        "requested_live_bytes_at_end",
    ):
        assert after[name] == before[name], name
    assert trace.metadata["origin"]["left_out"] == {}
