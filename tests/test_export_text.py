# SPDX-License-Identifier: MIT
"""Exports as lines of text: Android's memory_replay and heaptrack, read back line by line."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alloclab as al
from alloclab.traces import KINDS, Trace
from support.exported import (
    CALLS,
    CALLS_ALLOCATED_BYTES,
    CALLS_ALLOCATIONS,
    Recordings,
    recordings,
)

__all__ = ["recordings"]

ANDROID_LINE = re.compile(
    r"(\d+): (malloc|calloc|realloc|memalign|free|thread_done) 0x([0-9a-f]+)((?: \w+)*)"
)
Call = tuple[str, int, int, int]  # kind, size, object, thread


def exported(trace: Trace, path: Path, **options: str) -> tuple[list[str], al.ExportReport]:
    report = al.export_trace(trace, path, **options)
    return path.read_text(encoding="utf-8").splitlines(), report


def read_android(lines: list[str]) -> list[Call]:
    """Reads lines as memory_replay does; objects are numbered as addresses come to life."""
    live: dict[int, int] = {}
    calls, born = [], 0
    for line in lines:
        match = ANDROID_LINE.fullmatch(line)
        assert match, line
        thread, word, address = int(match[1]) - 1, match[2], int(match[3], 16)
        rest = match[4].split()
        old = int(rest.pop(0), 16) if word == "realloc" else 0
        count = {"calloc": 2, "memalign": 2, "malloc": 1, "realloc": 1}.get(word, 0)
        size = int(rest[count - 1]) if count else 0
        if word == "calloc":
            size *= int(rest[0])
        if word == "thread_done":
            continue
        if word == "free":
            kind = "free" if address else "free_null"
            calls.append((kind, 0, live.pop(address) if address else 0, thread))
        elif old and not address:
            calls.append(("reallocate_zero", 0, live.pop(old), thread))
        elif old:
            live[address] = live.pop(old)
            calls.append(("reallocate", size, live[address], thread))
        else:
            assert address not in live
            live[address] = born
            calls.append(("allocate", size, born, thread))
            born += 1
    return calls


def recorded_calls(trace: Trace) -> list[Call]:
    """What a trace without regions has of the same."""
    names = {
        KINDS[name]: name
        for name in ("allocate", "free", "free_null", "reallocate", "reallocate_zero")
    }
    calls = []
    for chunk in trace.chunks():
        at = np.flatnonzero(np.isin(chunk.kind, list(names)))
        columns = (chunk.kind[at], chunk.size[at], chunk.object[at], chunk.thread[at])
        calls += [
            (names[kind], *rest) for kind, *rest in zip(*(c.tolist() for c in columns), strict=True)
        ]
    return calls


def words_of(lines: list[str]) -> Counter[str]:
    return Counter(line.split(" ", 2)[1] for line in lines)


def test_android_lines_tell_each_call_by_its_word(recordings: Recordings, tmp_path: Path) -> None:
    lines, report = exported(recordings("calls"), tmp_path / "x.android.txt", times="none")
    assert words_of(lines) == {
        "malloc": CALLS["malloc"],
        "calloc": CALLS["calloc"],
        "realloc": 2 + CALLS["realloc"] + CALLS["reallocarray"] + CALLS["realloc to zero"],
        "memalign": 5,
        "free": CALLS["free"] + CALLS["free of null"],
    }
    assert lines[:3] == ["1: malloc 0x10 0", "1: free 0x10", "1: malloc 0x20 24"]
    assert "1: calloc 0x80 1 10000" in lines
    assert [line for line in lines if " 0x90 " in f"{line} "] == [
        "1: realloc 0x90 0x0 40",
        "1: realloc 0x90 0x90 4000",
        "1: realloc 0x90 0x90 400000",
        "1: realloc 0x0 0x90 0",
    ]
    aligned = [line.partition("memalign ")[2] for line in lines if "memalign" in line]
    assert aligned == [
        "0xb0 64 100",
        "0xc0 256 512",
        "0xd0 4096 10",
        "0xe0 4096 10",  # valloc
        "0xf0 4096 10",  # pvalloc
    ]
    left_out = dict(report.left_out)
    assert left_out["allocate_failed"] == 3
    assert left_out["reallocate_failed"] == 1
    assert left_out["call"] == 5  # reallocarray, posix_memalign, aligned_alloc, valloc, pvalloc
    assert left_out["time"] == len(lines) == report.events


def test_android_lines_end_with_the_time_twice(recordings: Recordings, tmp_path: Path) -> None:
    plain, _ = exported(recordings("calls"), tmp_path / "x.android.txt", times="none")
    timed, report = exported(recordings("calls"), tmp_path / "y.android.txt")
    assert "time" not in report.left_out
    last = 0
    for line, full in zip(plain, timed, strict=True):
        match = re.fullmatch(re.escape(line) + r" (\d+) (\d+)", full)
        assert match
        assert match[1] == match[2]
        assert int(match[1]) >= last
        last = int(match[1])


@pytest.mark.parametrize("program", [("calls",), ("threads", "4", "50")])
def test_an_android_file_read_back_is_the_recorded_sequence(
    recordings: Recordings, tmp_path: Path, program: tuple[str, ...]
) -> None:
    trace = recordings(*program)
    lines, _ = exported(trace, tmp_path / "x.android.txt")
    assert trace.summary()["maps"] == 0
    assert read_android(lines) == recorded_calls(trace)


def test_android_threads_end_by_a_line_of_their_own(recordings: Recordings, tmp_path: Path) -> None:
    lines, _ = exported(recordings("threads", "4", "50"), tmp_path / "x.android.txt")
    ended = [line for line in lines if "thread_done" in line]
    assert len(ended) == 4
    assert all(re.fullmatch(r"\d+: thread_done 0x0 \d+", line) for line in ended)


def test_an_android_zip_holds_the_text_as_its_only_entry(
    recordings: Recordings, tmp_path: Path
) -> None:
    lines, _ = exported(recordings("calls"), tmp_path / "x.android.txt")
    al.export_trace(recordings("calls"), tmp_path / "x.android.zip")
    with zipfile.ZipFile(tmp_path / "x.android.zip") as archive:
        (name,) = archive.namelist()
        assert archive.read(name).decode("ascii").splitlines() == lines
        assert name == "x.android.txt"


def test_android_and_heaptrack_tell_all_that_the_summary_counts(
    workloads: Path, tmp_path: Path
) -> None:
    trace = al.open_trace(workloads / "freeciv.alloctrace")
    summary = trace.summary()
    lines, report = exported(trace, tmp_path / "x.android.txt", times="none")
    words = words_of(lines)
    asked = words["malloc"] + words["calloc"] + words["memalign"] + words["realloc"]
    assert asked == summary["allocations"] + summary["reallocations"]
    assert words["free"] == summary["frees"] + summary["null_frees"]
    kinds = ("footprint", "thread_start", "scope_enter", "scope_exit")
    assert report.events + sum(report.left_out[kind] for kind in kinds) == summary["events"]
    file = Heaptrack((tmp_path / "x.heaptrack"), trace)
    assert file.modes["+"] == summary["allocations"] + summary["reallocations"]
    assert file.modes["-"] == summary["frees"] + summary["reallocations"]
    assert file.peak_bytes == summary["peak_requested_live_bytes"]
    assert file.live_bytes == summary["requested_live_bytes_at_end"]
    assert file.live_objects == summary["live_objects_at_end"]
    assert file.last_ms == summary["duration_ns"] // 1_000_000
    rows = trace.footprint()
    assert file.resident == ((rows["anonymous_bytes"] + rows["file_bytes"]) // 4096).tolist()


class Heaptrack:
    """A heaptrack file, read as accumulatedtracedata.cpp describes; checks what that refuses."""

    def __init__(self, path: Path, trace: Trace) -> None:
        self.report = al.export_trace(trace, path)
        self.strings, self.ips, self.nodes = [""], [[0]], [(0, 0)]
        self.infos: list[tuple[int, int]] = []
        self.resident: list[int] = []
        self.last_ms = 0
        self.heading: list[str] = []
        *lines, strings, ips, _ = path.read_text(encoding="utf-8").split("\n")
        self.modes = Counter(line[:1] for line in lines)
        steps = []
        for line in lines:
            if line[0] in "+-":
                steps.append((1 if line[0] == "+" else -1, int(line[2:], 16)))
                assert steps[-1][1] < len(self.infos), line
            else:
                self._take(line[0], line[2:])
        assert strings == f"# strings: {len(self.strings) - 1}"
        assert ips == f"# ips: {len(self.ips) - 1}"
        self._count(np.array(steps, np.int64))

    def _take(self, mode: str, rest: str) -> None:
        if mode in "vXI":
            self.heading.append(f"{mode} {rest}")
            return
        if mode == "s":
            self.strings.append(rest)
            return
        assert re.fullmatch(r"[0-9a-f]+( [0-9a-f]+)*", rest)
        numbers = [int(word, 16) for word in rest.split()]
        if mode == "i":
            assert len(numbers) % 3 == 2
            assert numbers[1] < len(self.strings)
            self.ips.append(numbers)
        elif mode == "t":
            ip, parent = numbers
            assert 0 < ip < len(self.ips)
            assert parent < len(self.nodes)
            self.nodes.append((ip, parent))
        elif mode == "a":
            assert numbers[1] < len(self.nodes)
            self.infos.append((numbers[0], numbers[1]))
        elif mode == "c":
            assert numbers[0] >= self.last_ms
            self.last_ms = numbers[0]
        else:
            assert mode == "R"
            self.resident += numbers

    def _count(self, steps: Any) -> None:
        sign, info = steps[:, 0], steps[:, 1]
        size = np.array([size for size, _ in self.infos], np.int64)[info]
        live_bytes = np.cumsum(sign * size)
        self.live_bytes, self.peak_bytes = int(live_bytes[-1]), int(live_bytes.max())
        self.allocated_bytes = int(size[sign > 0].sum())
        self.live_objects = int(sign.sum())
        order = np.argsort(info, kind="stable")
        live = np.cumsum(sign[order])
        is_last = np.append(info[order][1:] != info[order][:-1], True)
        before = np.concatenate([[0], live[is_last][:-1]])
        of_info = np.repeat(before, np.diff(np.flatnonzero(is_last), prepend=-1))
        assert np.all(live >= of_info)  # nothing is freed that was not allocated before

    def stack(self, node: int) -> list[str]:
        """The functions of a stack, innermost first, inlined ones too."""
        functions = []
        while node:
            ip, node = self.nodes[node]
            functions += [self.strings[at] for at in self.ips[ip][2::3]]
        return functions


def test_heaptrack_counts_what_the_program_does(recordings: Recordings, tmp_path: Path) -> None:
    trace = recordings("calls")
    file = Heaptrack(tmp_path / "x.heaptrack", trace)
    moved = CALLS["realloc"] + CALLS["reallocarray"]
    assert file.modes["+"] == CALLS_ALLOCATIONS + moved
    assert file.modes["-"] == CALLS["free"] + CALLS["realloc to zero"] + moved
    assert file.allocated_bytes == CALLS_ALLOCATED_BYTES
    assert file.live_bytes == 0
    assert file.peak_bytes == 400_000 == trace.summary()["peak_requested_live_bytes"]
    assert file.heading[0] == "v 10400 2"
    assert file.heading[1].endswith("calls")
    assert file.heading[2] == "I 1000 0"
    assert file.report.events == sum(CALLS.values()) - CALLS["free of null"] + file.modes["R"]


def test_heaptrack_stacks_have_inlined_functions(recordings: Recordings, tmp_path: Path) -> None:
    file = Heaptrack(tmp_path / "x.heaptrack", recordings("inlining"))
    # caller(1) is inlined twice over: malloc(1 * 2 + 1)
    (of_three,) = [node for size, node in file.infos if size == 3 and "plain_c" in file.stack(node)]
    stack = file.stack(of_three)
    names = ["plain_c", "outer::innermost", "outer::middle", "outer::caller", "main"]
    assert [name.partition("(")[0] for name in stack[:5]] == names
    ip, parent = file.nodes[of_three]
    assert file.strings[file.ips[ip][3]].endswith("inlining.cpp")
    assert file.ips[ip][4] == 10
    inlined, _ = file.nodes[parent]
    assert file.ips[inlined][4::3] == [17, 21, 25]


def test_heaptrack_leaves_no_line_break_in_a_name() -> None:
    from alloclab.formats.export.heaptrack_tables import one_line

    assert one_line("a\nb\r\nc") == b"a b c"
    assert one_line("\udc80") == b"\\udc80"
