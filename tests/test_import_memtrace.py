# SPDX-License-Identifier: MIT
"""Traces of OCaml's memtrace files."""

from pathlib import Path

import pytest

import alloclab as al
from support.importing import check_every_truncation, counts, events_of
from support.memtrace_file import (
    collect,
    event,
    hit,
    info,
    location,
    long,
    miss,
    packet,
    place,
    promote,
    short,
)
from support.pieces import check_every_piece_size

MAIN, F, GH = 200, 100, 300


def small_file() -> bytes:
    """Returns two packets of allocations and their places, behind what begins a file."""
    locations = packet(
        [
            location(F, place(10, "a.ml", "f")),
            location(MAIN, place(1, 0, "main")),
            location(GH, place(5, "b.ml", "g"), place(6, 0, "h")),
            location(400, place(11, 1, 1)),  # a.ml is the second now, and f in it
        ],
        end=0,
    )
    events = [
        short(5, 3, 0, miss(5, MAIN), miss(9, F)),
        long(6, 20, 2, 1, 1, miss(11, GH)),
        short(7, 1, 0, hit(5, 1)),  # after bucket 5 came 9
        promote(8, 2),
        collect(9, 1),
    ]
    later = [long(40, 100, 1, 2, 0, miss(12, 400), miss(13, 999)), collect(50, 3)]
    return b"".join(
        [
            info(),
            locations,
            packet(events, ids=(0, 3)),
            packet([b"\0"], pid=8),  # of a child: not looked at
            packet(later, begin=20, ids=(3, 4), cache=(5, 9, MAIN)),
        ]
    )


def write(folder: Path, content: bytes) -> Path:
    path = folder / "small.ctf"
    path.write_bytes(content)
    return path


def test_a_file_has_the_counts_worked_out_by_hand(tmp_path: Path) -> None:
    trace = al.import_trace(write(tmp_path, small_file()))

    # 3, 20, 1 and 100 words of 8 bytes; the second and the first are collected.
    assert counts(trace) == {
        "allocations": 4,
        "frees": 2,
        "threads": 1,
        "requested_total_bytes": 24 + 160 + 8 + 800,
        "peak_requested_live_bytes": 24 + 8 + 800,
        "live_objects_at_end": 2,
        "requested_live_bytes_at_end": 808,
    }
    assert events_of(trace)[3:] == [
        ("free", 0, 1, 0, 0),
        ("allocate", 0, 3, 800, 0),
        ("free", 0, 0, 0, 0),
    ]
    assert trace.summary()["duration_ns"] == 50_000
    origin = trace.metadata["origin"]
    assert origin["told"] == {
        "program": "/bin/main.exe",
        "context": "nightly",
        "sample_rate": "0.01",
        "samples": "5",
    }
    assert origin["left_out"] == {"packets_of_other_processes": 1, "promotions": 1}
    assert "what was not sampled" in origin["cannot_say"]


def test_call_stacks_are_those_that_were_encoded(tmp_path: Path) -> None:
    trace = al.import_trace(write(tmp_path, small_file()))
    stacks = [[str(frame) for frame in stack] for stack in trace.stacks()]
    assert stacks == [
        ["f (a.ml:10)", "main (a.ml:1)"],
        ["h (b.ml:6)", "g (b.ml:5)", "main (a.ml:1)"],
        ["?+0x0", "f (a.ml:11)"],
    ]
    assert [frame.is_inlined for frame in trace.stacks()[1]] == [True, False, False]
    (chunk,) = trace.chunks()
    assert chunk.site[[0, 1, 2, 4]].tolist() == [1, 2, 1, 3]
    tags = [trace.names[int(tag) - 1] for tag in chunk.tag[[0, 1, 2, 4]]]
    assert tags == ["minor", "major", "minor", "external"]


def test_the_packets_of_two_domains_are_put_in_the_order_of_their_times(tmp_path: Path) -> None:
    one = packet(
        [short(10, 1, 0), collect(20, -10_000), collect(30, -10_001), collect(40, 0)],
        ids=(0, 1),
        version=3,
        domain=0,
    )
    other = packet([short(20, 2, 0), short(25, 3, 0)], ids=(10_000, 10_002), version=3, domain=5)
    trace = al.import_trace(write(tmp_path, info(version=3) + one + other))
    assert events_of(trace) == [
        ("allocate", 0, 0, 8, 0),
        ("allocate", 1, 1, 16, 0),
        ("free", 0, 1, 0, 0),  # of the same microsecond, and told before
        ("allocate", 1, 2, 24, 0),
        ("free", 0, 2, 0, 0),
        ("free", 0, 0, 0, 0),
    ]
    assert trace.metadata["origin"]["left_out"] == {"ends_moved_behind_their_beginning": 1}
    assert trace.summary()["cross_thread_frees"] == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xc1\x1f\xfc\xc1" + b"\x01\0\0\0", "offset 0: no packet has 1 bits"),
        (info(word_bits=16), "offset 0: what the first packet tells of the program makes no sense"),
        (info(rate=2.0), "offset 0: what the first packet tells of the program makes no sense"),
        (info(version=4), "offset 0: its version, 4, is newer than 3"),
        (packet([short(1, 1, 0)], ids=(0, 1)), "offset 0: the first packet does not tell"),
        (info() + packet([short(1, 1, 0)]), "a packet has not as many allocations as it says"),
        (info() + packet([event(5, 1, b"")]), "no event has the number 5"),
        (info() + packet([event(117, 1, b"")]), "no event has the number 117"),
        (info() + packet([short(2000, 1, 0)], ids=(0, 1)), "an event is not within the time"),
        (
            info() + packet([short(1 << 62, 1, 0)], begin=1 << 62, end=1 << 63, ids=(0, 1)),
            "earlier than the beginning or later than can be",
        ),
        (
            info() + packet([collect(5, 0), collect(4, 0)]),
            "an event is earlier than the one before",
        ),
        (info() + packet([event(4, 1, b"\xff")]), "an event goes beyond its packet"),
        (info() + packet([], cache=(1, 2, 3)), "the call stacks before this packet were not read"),
        (info() + packet([location(1, place(1, 3, "f"))]), "a place is named by a number"),
        (info() + packet([long(1, 1, 1, 3, 0)], ids=(0, 1)), "an allocation is larger than can be"),
        (info() + packet([long(1, 1 << 60, 1, 0, 0)], ids=(0, 1)), "an allocation is larger than"),
        (info() + 2 * packet([short(1, 1, 0)], ids=(0, 1)), "the block 0 is allocated twice"),
    ],
)
def test_a_packet_that_is_wrong_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(al.TraceError) as raised:
        al.import_trace(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert reason in str(raised.value)
    assert list(tmp_path.iterdir()) == [path]


def test_a_stack_of_predictions_cannot_fill_the_memory(tmp_path: Path) -> None:
    words = [miss(1, 7), *(hit(1, 255) for _ in range(300))]
    path = write(tmp_path, info() + packet([long(1, 1, 1, 0, 0, *words)], ids=(0, 1)))
    with pytest.raises(al.TraceError, match="a call stack is longer than 65536 frames"):
        al.import_trace(path)


def test_an_end_of_what_was_never_allocated_is_counted(tmp_path: Path) -> None:
    path = write(
        tmp_path, info() + packet([short(1, 1, 0), collect(2, 5), collect(3, 0)], ids=(0, 1))
    )
    summary = al.import_trace(path).summary()
    assert (summary["unknown_frees"], summary["frees"]) == (1, 1)


def test_a_file_cut_anywhere_is_refused_or_a_shorter_trace_that_says_so(tmp_path: Path) -> None:
    check_every_truncation(write(tmp_path, small_file()), "memtrace", tmp_path)


def test_the_pieces_in_which_a_file_comes_do_not_matter(tmp_path: Path) -> None:
    check_every_piece_size(write(tmp_path, small_file()), "memtrace", tmp_path)
