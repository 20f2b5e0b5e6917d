# SPDX-License-Identifier: MIT
"""Recording programs that start, end and interrupt themselves in every way there is."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from alloclab.captures import Capture
from alloclab.record import record
from support.recorded_programs import (
    Programs,
    as_counted,
    environment,
    record_counted,
)
from test_record import chosen, programs  # noqa: F401  (a fixture)


def totals(capture: Capture, counted: dict[int, Counter[str]]) -> tuple[Counter[str], Counter[str]]:
    """Returns what all traces hold together, and what the counter saw of all processes."""
    seen: Counter[str] = Counter()
    for trace in capture:
        seen.update(chosen(as_counted(trace)))
    known: Counter[str] = Counter()
    for counts in counted.values():
        known.update(chosen(counts))
    return +seen, +known


# Under a malloc that handlers may call; the counter is not safe there.
def record_reentrant(programs: Programs, command: list[str], folder: Path) -> Capture:  # noqa: F811
    library = programs("reentrant_malloc.so", "-shared", "-fPIC", "-fno-builtin")
    return record(command, output=folder, env=environment(LD_PRELOAD=library))


@pytest.mark.parametrize("mode", ["fork", "raw", "syscall", "clone", "daemon", "double_fork"])
def test_a_child_never_writes_into_its_parents_capture(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
    mode: str,
) -> None:
    capture = record([programs("children"), mode], output=tmp_path, env=environment())
    assert capture.returncode == 0
    assert not capture.warnings
    sizes: dict[int, Counter[int]] = {}
    for trace in capture:
        of_process = sizes.setdefault(trace.metadata["pid"], Counter())
        for chunk in trace.chunks():
            of_process.update(chunk.size[chunk.is_kind("allocate")].tolist())
    parent = next(trace.metadata["pid"] for trace in capture if not trace.metadata["forked_from"])
    assert sizes[parent][2002] == 40000
    assert sizes[parent][1001] == 0
    children = [counts for pid, counts in sizes.items() if pid != parent]
    assert sum(counts[1001] for counts in children) == 20000
    assert sum(counts[2002] for counts in children) == 0
    assert sum(trace.summary()["unknown_frees"] for trace in capture) == 100  # inherited blocks
    assert sum(trace.summary()["lost_events"] for trace in capture) == 0


@pytest.mark.parametrize("mode", ["system", "popen"])
def test_what_the_c_library_starts_is_recorded(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
    mode: str,
) -> None:
    command = [programs("children"), mode, f"{programs('churn')} 1000 && echo done"]
    capture, counted = record_counted(programs, command, tmp_path)
    assert capture.returncode == 0
    assert capture["churn"].summary()["allocations"] > 500
    seen, known = totals(capture, counted)
    assert seen == known


@pytest.mark.parametrize(
    ("mode", "returncode", "is_complete"),
    [("short", 0, 1), ("pthread_exit", 0, 1), ("quick_exit", 4, 1), ("abort", -signal.SIGABRT, 0)],
)
def test_an_ending_with_threads_at_rest_loses_no_call(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
    mode: str,
    returncode: int,
    is_complete: int,
) -> None:
    capture, counted = record_counted(programs, [programs("endings"), mode], tmp_path)
    (trace,) = capture
    assert capture.returncode == returncode
    assert trace.summary()["is_complete"] == is_complete
    assert chosen(as_counted(trace)) == chosen(counted[trace.metadata["pid"]])
    assert trace.summary()["unknown_frees"] == 0


@pytest.mark.parametrize(("mode", "returncode"), [("_exit", 3), ("abort_thread", -signal.SIGABRT)])
def test_an_end_amid_running_threads_lacks_at_most_one_call_a_thread(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
    mode: str,
    returncode: int,
) -> None:
    capture, counted = record_counted(programs, [programs("endings"), mode], tmp_path)
    (trace,) = capture
    assert capture.returncode == returncode
    seen, known = totals(capture, counted)
    assert trace.summary()["lost_events"] == 0
    for name in ("allocations", "frees", "null_frees"):
        assert abs(known[name] - seen[name]) <= trace.summary()["threads"]


def test_a_storm_of_signals_whose_handler_allocates_loses_nothing(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
) -> None:
    capture = record_reentrant(programs, [programs("handlers"), "storm", "100000"], tmp_path)
    (trace,) = capture
    assert capture.returncode == 0
    summary = trace.summary()
    assert summary["lost_events"] == 0
    assert summary["unknown_frees"] == 0
    assert summary["allocations"] == summary["frees"] > 100_000


def test_a_handler_that_interrupted_the_recorder_may_fork(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
) -> None:
    # The child returns into what the handler interrupted, be it the midst of an event.
    capture = record_reentrant(programs, [programs("handlers"), "fork", "1000"], tmp_path)
    assert capture.returncode == 0  # no child died by a signal
    assert len(capture) > 10
    for trace in capture:
        assert trace.summary()["is_complete"] == 1
        assert trace.summary()["lost_events"] <= 1  # the one that was being written
    parent = next(trace for trace in capture if not trace.metadata["forked_from"])
    assert parent.summary()["allocations"] == parent.summary()["frees"]
    assert parent.summary()["lost_events"] == 0


def test_libraries_that_come_and_go_are_counted_with_their_constructors(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
) -> None:
    library = programs("constructed.so", "-shared", "-fPIC", "-fno-builtin")
    capture, counted = record_counted(programs, [programs("loads"), library], tmp_path)
    (trace,) = capture
    assert capture.returncode == 0
    assert chosen(as_counted(trace)) == chosen(counted[trace.metadata["pid"]])
    assert sum(int((chunk.size == 555).sum()) for chunk in trace.chunks()) == 20


def test_two_recordings_at_once_do_not_meet(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
) -> None:
    captures: dict[int, Capture] = {}
    program = programs("churn")

    def run(events: int) -> None:
        captures[events] = record(
            [program, str(events)], output=tmp_path / str(events), env=environment()
        )

    threads = [threading.Thread(target=run, args=(events,)) for events in (20000, 40000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for events, capture in captures.items():
        (trace,) = capture
        assert not capture.warnings
        assert events - 2 <= trace.summary()["allocations"] + trace.summary()["frees"]
        assert trace.metadata["arguments"][1] == str(events)


def test_a_recording_of_a_recording_gives_both_their_traces(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
) -> None:
    script = (
        "import sys; from alloclab.record import record\n"
        "c = record(sys.argv[2:], output=sys.argv[1])\n"
        "sys.exit(len(c.warnings) * 10 + len(c))\n"
    )
    inner = [sys.executable, "-c", script, str(tmp_path / "inner"), programs("churn"), "5000"]
    outer = record(inner, output=tmp_path / "outer", env=environment())
    assert outer.returncode == 1  # one trace, no warning
    assert not outer.warnings
    (seen_inside,) = Capture.open(tmp_path / "inner")
    seen_outside = outer["churn"]
    assert chosen(as_counted(seen_inside)) == chosen(as_counted(seen_outside))


@pytest.mark.slow
def test_a_make_of_twenty_files_is_recorded_to_the_last_call(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
) -> None:
    if shutil.which("make") is None or shutil.which("g++") is None:
        pytest.skip("needs make and g++")
    place = tmp_path / "made"
    place.mkdir()
    for number in range(20):
        text = f"#include <cstddef>\nint f{number}(int x) {{ return x * {number}; }}\n"
        (place / f"f{number}.cpp").write_text(text)
    objects = " ".join(f"f{number}.o" for number in range(20))
    (place / "Makefile").write_text(f"all: {objects}\n%.o: %.cpp\n\tg++ -c $< -o $@\n")
    command = ["make", "-s", "-j2", "-C", str(place)]
    capture, counted = record_counted(programs, command, tmp_path)
    assert capture.returncode == 0
    assert not capture.warnings
    names = Counter(trace.name for trace in capture)
    assert names["cc1plus"] == 20
    seen, known = totals(capture, counted)
    assert seen == known
    assert sum(trace.summary()["lost_events"] for trace in capture) == 0


@pytest.mark.parametrize("least", [20_000, 90_000, 300_000])
def test_a_kill_at_any_point_lacks_at_most_the_call_each_thread_was_in(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
    least: int,
) -> None:
    counts = tmp_path / "counts"
    is_over = threading.Event()

    def kill_when_counted() -> None:
        while not is_over.is_set():
            for path in counts.glob("*.counts"):
                data = path.read_bytes()
                if len(data) >= 8 and int.from_bytes(data[:8], sys.byteorder) >= least:
                    os.kill(int(path.name.split("-")[0]), signal.SIGKILL)
                    return

    program = programs("endings")
    programs.counter()
    killer = threading.Thread(target=kill_when_counted)
    killer.start()
    try:
        capture, counted = record_counted(programs, [program, "busy"], tmp_path)
    finally:
        is_over.set()
        killer.join()
    (trace,) = capture
    assert capture.returncode == -signal.SIGKILL
    assert trace.summary()["is_complete"] == 0
    known = counted[trace.metadata["pid"]]
    seen = as_counted(trace)
    assert known["allocations"] >= least
    threads = trace.summary()["threads"]
    assert threads == 5
    for name in ("allocations", "frees", "null_frees"):
        assert abs(known[name] - seen[name]) <= threads


def test_blocks_handed_over_at_full_speed_keep_their_order(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
) -> None:
    count = 300_000
    (trace,) = record([programs("handover"), str(count)], output=tmp_path, env=environment())
    summary = trace.summary()
    assert summary["unknown_frees"] == 0
    assert summary["missed_frees"] == 0
    # Of what the threads themselves free of each other's nothing is among them.
    assert summary["cross_thread_frees"] >= count
    assert summary["inversions"] < count / 100


def elf32_that_exits(code: int) -> bytes:
    """A whole 32-bit program: a header, one segment, and the system call exit."""
    start, headers = 0x08048000, 52 + 32
    text = b"\xb8\x01\0\0\0\xbb" + struct.pack("<I", code) + b"\xcd\x80"
    size = headers + len(text)
    head = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, start + headers, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    return head + struct.pack("<8I", 1, 0, start, start, size, size, 5, 0x1000) + text


def test_a_32_bit_program_is_told_of(tmp_path: Path) -> None:
    program = tmp_path / "narrow"
    program.write_bytes(elf32_that_exits(7))
    program.chmod(0o755)
    try:
        capture = record([str(program)], output=tmp_path / "out", env=environment())
    except OSError as error:
        pytest.skip(f"this kernel runs no 32-bit programs: {error.strerror}")
    if capture.returncode < 0:
        pytest.skip("this kernel has no 32-bit system calls")
    assert capture.returncode == 7
    (warning,) = capture.warnings
    assert "32-bit" in warning
    assert "0 events" in warning
