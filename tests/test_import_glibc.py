# SPDX-License-Identifier: MIT
"""Traces of what glibc itself writes: mtrace(3)'s log and the trace buffer."""

import struct
from pathlib import Path

import pytest

import alloclab as al
from support.importing import check_every_truncation, counts, events_of
from support.pieces import check_every_piece_size

LOG = "mtrace/small.mtrace"
BUFFER = "glibc-trace/small.mtrace"


def test_a_log_has_the_counts_worked_out_by_hand(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / LOG, tmp_path / "t.alloctrace")

    # Allocations: 10, 21, 0, 64, 8 (a realloc of what nobody saw), 3 (where the 0 bytes live,
    # whose free is missing). The 10 become 2000.
    assert counts(trace) == {
        "allocations": 6,
        "frees": 3,  # 0x5600, 0x5900, and 0x5800, written ahead
        "reallocations": 1,
        "failed_calls": 2,  # "!", and "+ (nil)"
        "zero_size_allocations": 1,
        "unknown_frees": 2,  # 0x6200, and the realloc of 0x6000
        "missed_frees": 1,
        "threads": 1,
        "requested_total_bytes": 10 + 21 + 2000 + 64 + 8 + 3,
        "peak_requested_live_bytes": 21 + 2000 + 64,
        "live_objects_at_end": 3,
        "requested_live_bytes_at_end": 2000 + 8 + 3,
    }
    assert trace.summary()["is_complete"] == 1
    assert trace.metadata["origin"]["left_out"] == {
        "missed_frees": 1,
        "unknown_frees": 1,
        "unknown_reallocations": 1,
    }


def test_the_callers_of_a_log_are_sites_of_one_frame(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / LOG, tmp_path / "t.alloctrace")
    frames = [[(frame.module, frame.function, frame.offset) for frame in s] for s in trace.stacks()]
    assert frames[:3] == [
        [("./prog", "main", 0x1190)],
        [("./my prog - b", "", 0x11E3)],
        [("", "", 0x7F10)],
    ]
    (chunk,) = trace.chunks()
    assert chunk.site[:5].tolist() == [1, 2, 1, 3, 0]


def test_a_real_log_has_what_its_program_did(foreign: Path, tmp_path: Path) -> None:
    # glibc 2.36 of: malloc(10), calloc(3, 7), realloc to 2000, realloc(NULL, 5), realloc(p, 0),
    # realloc to 22, aligned_alloc of 128, posix_memalign of 40, free of the 2000, a realloc and a
    # malloc of 2^62 bytes, and printf's buffer of 4096.
    trace = al.import_trace(foreign / "mtrace" / "real.mtrace", tmp_path / "t.alloctrace")
    assert counts(trace) == {
        "allocations": 6,
        "frees": 2,
        "reallocations": 2,
        "failed_calls": 2,
        "threads": 1,
        "requested_total_bytes": 10 + 21 + 2000 + 5 + 22 + 128 + 40 + 4096,
        "peak_requested_live_bytes": 22 + 128 + 40 + 4096,
        "live_objects_at_end": 4,
        "requested_live_bytes_at_end": 22 + 128 + 40 + 4096,
    }
    assert [*trace.stacks()][10][0].function == "_IO_file_doallocate"


def test_a_log_without_its_end_is_not_complete(tmp_path: Path) -> None:
    path = tmp_path / "open.mtrace"
    path.write_text("= Start\n@ a:[0x1] + 0x10 0x8\n")
    trace = al.import_trace(path)
    assert trace.summary()["is_complete"] == 0
    assert "end" in trace.metadata["origin"]["cannot_say"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("= Stop", 'it is neither "= Start" nor "= End"'),
        ("@ a:[0x1] * 0x10 0x8", "there is no +, -, <, > or ! before a pointer"),
        ("@ a:[0x1] + 0x10 8x", "there is no size"),
        ("@ a:[0x1] - pointer", "there is no pointer"),
        ("@ a:0x1 - 0x10", "there is no [address] of the caller"),
        ("a:[0x1] - 0x10", 'there is no "@" before the caller'),
        ("@ a:[0x1] > 0x10 0x8", 'a ">" does not follow its "<"'),
        ("@ a:[0x1] + 0x10 0x7fffffffffffffff", "event 1: a size of 9223372036854775807 bytes"),
        ("", "there is no +, -, <, > or ! before a pointer"),
    ],
)
def test_a_line_of_a_log_that_is_wrong_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "wrong.mtrace"
    path.write_text(f"= Start\n+ 0x20 0x8\n{line}\n= End\n")
    with pytest.raises(al.TraceError) as raised:
        al.import_trace(path)
    assert str(raised.value).startswith(f"{path}: line 3: {reason}")
    assert list(tmp_path.iterdir()) == [path]


def test_calls_that_asked_for_more_than_there_is_are_failed_calls(tmp_path: Path) -> None:
    path = tmp_path / "huge.mtrace"
    path.write_text("= Start\n+ 0x20 0x8\n+ (nil) 0xffffffffffffffff\n! 0x20 0xfffffffffffffff0\n")
    trace = al.import_trace(path)
    assert trace.summary()["failed_calls"] == 2
    kind, _, _, size, _ = events_of(trace)[1]
    assert kind == "allocate_failed" and size >= 2**62 - 1
    assert al.replay(trace, al.Glibc()).metrics["peak_footprint_bytes"] >= 0


@pytest.mark.parametrize("after", ["+ 0x30 0x8", "- 0x20", "= End"])
def test_half_a_realloc_is_refused(tmp_path: Path, after: str) -> None:
    path = tmp_path / "half.mtrace"
    path.write_text(f"= Start\n+ 0x20 0x8\n< 0x20\n{after}\n")
    with pytest.raises(al.TraceError, match='line 4: a "<" is not followed by its ">"'):
        al.import_trace(path)


def test_a_buffer_has_the_counts_worked_out_by_hand(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / BUFFER, tmp_path / "t.alloctrace")

    # 24, 64, 100, 40, 10 and 10 bytes; the 24 become 48; realloc(NULL, 16), which realloc(p, 0)
    # frees; 32 at the address of the 64, whose free, by the other thread, is told after it.
    assert counts(trace) == {
        "allocations": 8,
        "frees": 3,  # the 16, the 64 and the 32
        "null_frees": 1,
        "reallocations": 1,
        "failed_calls": 3,  # of posix_memalign, realloc and malloc
        "aligned_allocations": 2,
        "unknown_frees": 1,
        "inversions": 1,
        "threads": 2,
        "requested_total_bytes": 24 + 64 + 100 + 40 + 10 + 10 + 48 + 16 + 32,
        "peak_requested_live_bytes": 64 + 100 + 40 + 10 + 10 + 48 + 16,
        "live_objects_at_end": 5,
        "requested_live_bytes_at_end": 48 + 100 + 40 + 10 + 10,
    }
    assert events_of(trace)[2:4] == [("allocate", 0, 2, 100, 64), ("allocate", 1, 3, 40, 32)]
    assert trace.summary()["is_complete"] == 0


def record(thread: int, call: int, *words: int) -> bytes:
    """Returns a record: ptr1, ptr2, size, size2, ... as far as they are given."""
    return struct.pack("<iI7Q", thread, call, *words, *(7 - len(words)) * [0])


MAGIC = record(1, 255, 0x1234, 0, 8)


@pytest.mark.parametrize(
    ("content", "offset", "reason"),
    [
        (record(1, 1, 0, 16, 8), 0, "it does not begin with the record that begins such a trace"),
        (record(1, 255, 0x1234, 0, 4), 0, "it is of a program whose pointers have 4 bytes"),
        (MAGIC + record(1, 9), 64, "no call has the number 9"),
        (MAGIC + MAGIC, 64, "no call has the number 255"),
        (MAGIC + record(1, 1, 0, 16, 1 << 62), 64, "event 0: a size of"),
        (MAGIC + bytes(7), 64, "the input ends within a record"),
        (b"", 0, "there is nothing in it"),
    ],
)
def test_a_record_that_is_wrong_is_named(
    tmp_path: Path, content: bytes, offset: int, reason: str
) -> None:
    path = tmp_path / "wrong.mtrace"
    path.write_bytes(content)
    with pytest.raises(al.TraceError) as raised:
        al.import_trace(path, format="glibc-trace")
    assert str(raised.value).startswith(f"{path}: offset {offset}: {reason}")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "format"), [(LOG, "mtrace"), (BUFFER, "glibc-trace")])
def test_a_file_cut_anywhere_is_refused_or_a_shorter_trace_that_says_so(
    foreign: Path, tmp_path: Path, name: str, format: str
) -> None:
    check_every_truncation(foreign / name, format, tmp_path)


@pytest.mark.parametrize(("name", "format"), [(LOG, "mtrace"), (BUFFER, "glibc-trace")])
def test_the_pieces_in_which_a_file_comes_do_not_matter(
    foreign: Path, tmp_path: Path, name: str, format: str
) -> None:
    check_every_piece_size(foreign / name, format, tmp_path)
