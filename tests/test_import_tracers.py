# SPDX-License-Identifier: MIT
"""Traces of ltrace and of the bpftrace script in docs/formats.md."""

from pathlib import Path

import pytest

import alloclab as al
from support.importing import check_every_truncation, counts, events_of

LTRACE = "ltrace/small.txt"
LTRACE_OPTIONS = "ltrace/options.txt"
BPFTRACE = "bpftrace/small.txt"

# Both files tell of the same calls; threads are 100 and 101, or 11 and 12:
#   malloc 24, calloc 3 * 5, malloc 24 at the first one's address while a realloc takes it to 48,
#   memalign 100, a free, a failed malloc, free(NULL), free of an unknown block, realloc to 0.
# Live bytes: 24, 39, 63, 87, 63, 163, 148.
CALLS = {
    "allocations": 4,
    "null_frees": 1,
    "reallocations": 1,
    "failed_calls": 1,
    "aligned_allocations": 1,
    "unknown_frees": 1,
    "threads": 2,
    "requested_total_bytes": 24 + 15 + 24 + 48 + 100,
    "peak_requested_live_bytes": 163,
}


def test_ltrace_joins_unfinished_and_resumed_calls(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / LTRACE, tmp_path / "t.alloctrace")

    assert counts(trace) == CALLS | {
        "frees": 3,  # the second 24, the 15 by realloc, the 48 by operator delete
        "live_objects_at_end": 1,
        "requested_live_bytes_at_end": 100,
    }
    assert trace.summary()["is_complete"] == 1
    assert trace.metadata["origin"]["left_out"] == {
        "cut_sizes": 1,
        "inner_calls": 1,  # the malloc within realloc
        "other_calls": 1,
        "posix_memaligns": 1,
        "signals": 1,
        "unknown_frees": 1,
    }
    assert "time" in trace.metadata["origin"]["cannot_say"]
    assert events_of(trace)[:5] == [
        ("allocate", 0, 0, 24, 0),
        ("allocate", 1, 1, 15, 0),
        ("allocate", 1, 2, 24, 0),
        ("reallocate", 0, 0, 48, 0),
        ("free", 1, 2, 0, 0),
    ]


def test_ltrace_reads_what_its_options_put_in_front(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / LTRACE_OPTIONS, tmp_path / "t.alloctrace")

    assert [event[:1] + event[3:4] for event in events_of(trace)] == [
        ("allocate", 24),
        ("allocate", 32),
        ("free", 0),
        ("thread_exit", 0),
    ]
    assert trace.summary()["duration_ns"] == 1_499_750_000  # 05.000250 to 06.5
    assert trace.metadata["origin"]["cannot_say"] == [
        "call stacks",
        "calls within libraries",
        "thread starts",
    ]


@pytest.mark.parametrize("process", ["", "7 ", "[pid 7] "])
def test_ltrace_adds_up_the_times_since_the_line_before(tmp_path: Path, process: str) -> None:
    path = tmp_path / "relative.txt"
    calls = ("0.000000 malloc(8) = 0x10", "0.100000 malloc(9) = 0x20", "0.250000 malloc(7) = 0x30")
    path.write_text("".join(f"{process}{call}\n" for call in calls))

    trace = al.import_trace(path, tmp_path / "t.alloctrace")

    assert trace.summary()["duration_ns"] == 350_000_000


def test_ltrace_counts_what_it_does_not_understand(tmp_path: Path) -> None:
    path = tmp_path / "mixed.txt"
    path.write_text(
        "malloc(8)                = 0x10\nhello, world\n"
        "<... calloc resumed> )   = 0x20\nfree(0x10 <no return ...>\n"
    )
    trace = al.import_trace(path)
    assert trace.metadata["origin"]["left_out"] == {
        "other_lines": 1,
        "resumed_without_start": 1,
        "unfinished": 1,
    }
    assert trace.summary()["frees"] == 1
    assert {"threads", "time", "end"} < set(trace.metadata["origin"]["cannot_say"])


@pytest.mark.parametrize(
    ("format", "text", "reason"),
    [
        ("ltrace", 'strlen("a") = 1\n+++ exited (status 0) +++\n', "line 2: it ends, and no line"),
        ("bpftrace", "Attaching 12 probes...\n\n", "line 2: it ends without a line"),
    ],
)
def test_a_file_that_tells_of_no_call_is_refused(
    tmp_path: Path, format: str, text: str, reason: str
) -> None:
    path = tmp_path / "nothing.txt"
    path.write_text(text)
    for allow_truncated in (False, True):
        with pytest.raises(al.TraceError, match=reason):
            al.import_trace(path, format=format, allow_truncated=allow_truncated)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("malloc(x) = 0x10", "an argument of malloc is no number"),
        ("malloc(8 hello", "the arguments of malloc do not end"),
        ("malloc(8) hello", "there is no result of malloc"),
        ("malloc(8, 9 = 0x10", "the bracket of malloc is not closed"),
        ("malloc(8) = x", "the result of malloc is no number"),
        ("malloc(8) = 0x10 hello", "there is something after the result"),
        ("[pid x] malloc(8) = 0x10", 'there is no number after "[pid "'),
        ("<... free resumed> ) = <void>", "what resumes is not what the thread was in"),
    ],
)
def test_ltrace_names_a_line_that_is_wrong(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "wrong.txt"
    path.write_text(f"calloc(1, 8 <unfinished ...>\n{line}\n")
    with pytest.raises(al.TraceError) as raised:
        al.import_trace(path, format="ltrace")
    assert str(raised.value) == f"{path}: line 2: {reason}: {line}"


def test_bpftrace_has_the_counts_worked_out_by_hand(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / BPFTRACE, tmp_path / "t.alloctrace")

    assert counts(trace) == CALLS | {
        "frees": 2,
        "live_objects_at_end": 2,
        "requested_live_bytes_at_end": 148,
    }
    summary = trace.summary()
    assert (summary["is_complete"], summary["lost_events"]) == (1, 3)
    assert summary["duration_ns"] == 81  # 1000 to the realloc's return at 1081
    assert trace.metadata["lost_events"] == 3
    assert trace.metadata["origin"]["left_out"] == {"cut_sizes": 1, "unknown_frees": 1}


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("5 1 m 8 10", 'line 1: there is no line "alloclab-bpftrace 1" before: 5 1 m 8 10'),
        ("alloclab-bpftrace 2", "line 1: this version is not known: alloclab-bpftrace 2"),
        (
            "alloclab-bpftrace 1\n5 1 f 0\n4 1 f 0",
            "line 3: it is earlier than the line before: sort the file by time first, with "
            "sort -s -n: 4 1 f 0",
        ),
        ("alloclab-bpftrace 1\n5 1 R 10", "line 2: no realloc of this thread has begun: 5 1 R 10"),
        ("alloclab-bpftrace 1\n5 0 end\n6 1 f 0", "line 3: it comes after the end: 6 1 f 0"),
        ("alloclab-bpftrace 1\n5 1 q 0", "line 2: there is no such call: 5 1 q 0"),
        ("alloclab-bpftrace 1\n5 1 f", "line 2: an address is missing: 5 1 f"),
    ],
)
def test_bpftrace_names_a_line_that_is_wrong(tmp_path: Path, lines: str, reason: str) -> None:
    path = tmp_path / "wrong.txt"
    path.write_text(f"{lines}\n")
    with pytest.raises(al.TraceError) as raised:
        al.import_trace(path, format="bpftrace")
    assert str(raised.value) == f"{path}: {reason}"


# What tests/foreign/calls.c does in each of its two threads, rounds 0 to 19: malloc(100 + round), a
# realloc to 300 + round, a free; in the end malloc(7), which main frees. Main itself: calloc(3, 5),
# memalign(64, 100), aligned_alloc(16, 160), realloc(NULL, 10), which a realloc to 0 frees; all of
# them freed, and NULL; a malloc(SIZE_MAX).
REAL_TOTAL = 2 * (20 * 400 + 2 * 190 + 7) + 15 + 100 + 160 + 10


def test_a_real_ltrace_log_has_what_its_program_did(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / "ltrace/real.txt", tmp_path / "t.alloctrace")

    summary = trace.summary()
    known = counts(trace)
    del known["peak_requested_live_bytes"]  # it depends on how the threads came along
    assert known == {
        "allocations": 2 * 21 + 4,
        "frees": 2 * 21 + 4,
        "null_frees": 1,
        "reallocations": 2 * 20,
        "failed_calls": 1,
        "aligned_allocations": 2,
        "unknown_frees": 2,  # of posix_memalign's block, whose address is not told, and strdup's
        "threads": 3,
        "requested_total_bytes": REAL_TOTAL,
    }
    assert summary["is_complete"] == 1
    assert summary["cross_thread_frees"] == 2
    assert trace.metadata["origin"]["left_out"] == {
        "cut_sizes": 1,
        "other_calls": 6,  # two pthread_creates, two joins on three lines, strdup
        "posix_memaligns": 1,
        "unknown_frees": 2,
    }


def test_a_real_bpftrace_log_has_what_its_program_did(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / "bpftrace/real.txt", tmp_path / "t.alloctrace")

    # More than ltrace sees: posix_memalign's 50 bytes, strdup's 6, and two blocks of 17 * 16 that
    # glibc has for each thread, which live on.
    summary = trace.summary()
    known = counts(trace)
    del known["peak_requested_live_bytes"]  # it depends on how the threads came along
    assert known == {
        "allocations": 2 * 21 + 4 + 2 + 2,
        "frees": 2 * 21 + 4 + 2,
        "null_frees": 1 + 2 * 2,  # and two at each thread's end
        "reallocations": 2 * 20,
        "failed_calls": 1,
        "aligned_allocations": 3,
        "unknown_frees": 31,  # of what glibc kept for the threads, at their ends
        "threads": 3,
        "requested_total_bytes": REAL_TOTAL + 50 + 6 + 2 * 17 * 16,
        "live_objects_at_end": 2,
        "requested_live_bytes_at_end": 2 * 17 * 16,
    }
    assert summary["is_complete"] == 1


@pytest.mark.parametrize(
    ("name", "format"),
    [(LTRACE, "ltrace"), (LTRACE_OPTIONS, "ltrace"), (BPFTRACE, "bpftrace")],
)
def test_a_file_cut_anywhere_is_refused_or_a_shorter_trace_that_says_so(
    foreign: Path, tmp_path: Path, name: str, format: str
) -> None:
    check_every_truncation(foreign / name, format, tmp_path)
