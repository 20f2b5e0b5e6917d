# SPDX-License-Identifier: MIT
"""Recording this interpreter: what a known workload allocates, counted exactly."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alloclab as al
from alloclab.live_bytes import live_bytes
from alloclab.traces import Trace


def count_of_size(trace: Trace, size: int) -> int:
    return int((trace.objects()["size"] == size).sum())


def run_python(source: str, *arguments: object, **options: Any) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def raw_allocator() -> ctypes.CDLL:
    """The raw domain, called without the interpreter's lock."""
    library = ctypes.CDLL(None)
    library.PyMem_RawMalloc.restype = ctypes.c_void_p
    library.PyMem_RawMalloc.argtypes = [ctypes.c_size_t]
    library.PyMem_RawFree.restype = None
    library.PyMem_RawFree.argtypes = [ctypes.c_void_p]
    return library


def test_every_bytearray_is_one_allocation_of_its_size(tmp_path: Path) -> None:
    with al.recording(output=tmp_path) as r:
        kept = [bytearray(7000) for _ in range(250)]
        del kept
    assert count_of_size(r.trace, 7001) == 250  # the bytes and the zero behind them
    rows = r.trace.objects()
    assert (rows["death"][rows["size"] == 7001] >= 0).all()
    assert r.trace.summary()["lost_events"] == 0
    assert r.warnings == ()
    assert [path.suffix for path in tmp_path.iterdir()] == [".alloctrace"]


def test_a_list_that_grows_is_one_block_reallocated(tmp_path: Path) -> None:
    grown: list[None] = []
    sizes = []
    for _ in range(2000):  # what CPython does: measured by a list of the same kind
        grown.append(None)
        sizes.append(sys.getsizeof(grown) - sys.getsizeof([]))
    steps = sorted(set(sizes))
    with al.recording(output=tmp_path) as r:
        other: list[None] = []
        for _ in range(2000):
            other.append(None)
    rows = r.trace.objects()
    is_list = (rows["size"] == steps[0]) & (rows["max_size"] == steps[-1])
    assert list(rows["reallocations"][is_list]) == [len(steps) - 1]


def test_arrays_are_seen_with_their_exact_bytes(tmp_path: Path) -> None:
    with al.recording(output=tmp_path) as r:
        kept = [np.zeros(12_345, np.uint8) for _ in range(20)]
        kept += [np.empty((100, 77), np.float64) for _ in range(3)]
        kept[0].resize(23_456, refcheck=False)
    assert r.trace.metadata["inside"]["domains"]["numpy"] == {
        "allocations": 24,
        "bytes": 20 * 12_345 + 3 * kept[-1].nbytes + 23_456,
    }
    assert count_of_size(r.trace, 12_345) == 20
    assert count_of_size(r.trace, kept[-1].nbytes) == 3


def test_an_array_outlives_its_recording_and_the_handler_is_put_back(tmp_path: Path) -> None:
    from numpy._core.multiarray import get_handler_name

    before = get_handler_name()
    with al.recording(output=tmp_path):
        kept = np.arange(5000)
    assert get_handler_name() == before
    assert int(kept.sum()) == 5000 * 4999 // 2
    kept.resize(9000, refcheck=False)
    del kept


def test_what_was_there_before_leaves_no_event_when_it_goes(tmp_path: Path) -> None:
    old = [bytearray(6000) for _ in range(500)]
    with al.recording(output=tmp_path) as r:
        del old
    assert r.trace.summary()["unknown_frees"] == 0
    assert r.trace.summary()["frees"] < 100


def test_a_tag_holds_for_its_block_and_one_within_wins(tmp_path: Path) -> None:
    with al.recording(output=tmp_path) as r:
        with r.tag("outer"):
            first = bytearray(3000)
            with r.tag("inner"):
                second = bytearray(4000)
            third = bytearray(5000)
        fourth = bytearray(6000)
    assert len(first) + len(second) + len(third) + len(fourth) == 18_000
    rows, names = r.trace.objects(), r.trace.names
    tags = {
        size: names[tag] if tag >= 0 else None
        for size, tag in zip(rows["size"].tolist(), rows["tag"].tolist(), strict=True)
    }
    assert [tags[n] for n in (3001, 4001, 5001, 6001)] == ["outer", "inner", "outer", None]


def test_scopes_and_marks_are_in_the_trace(tmp_path: Path) -> None:
    with al.recording(output=tmp_path) as r, r.scope("epoch 1", kind="phase"):
        r.mark("half")
        kept = bytearray(9000)
    del kept
    trace = r.trace
    scopes = trace.scopes()
    assert [trace.names[n] for n in scopes["kind"]] == ["phase"]
    assert [trace.names[n] for n in scopes["name"]] == ["epoch 1"]
    assert [trace.names[n] for n in trace.marks()["name"]] == ["half"]
    rows = trace.objects()
    assert rows["scope"][rows["size"] == 9001].tolist() == [0]


def make_rows(count: int) -> list[bytearray]:
    return [bytearray(8500) for _ in range(count)]


def test_sites_name_the_python_frames(tmp_path: Path) -> None:
    with al.recording(output=tmp_path, sites="python") as r:
        kept = make_rows(10)
    del kept
    rows, stacks = r.trace.objects(), r.trace.stacks()
    sites = set(rows["site"][rows["size"] == 8501].tolist())
    assert len(sites) == 1
    frames = [
        f for f in stacks.frames(sites.pop()) if f.function != "make_rows.<locals>.<listcomp>"
    ]
    assert frames[0].function == "make_rows"
    assert frames[0].file == make_rows.__code__.co_filename
    assert frames[0].line == make_rows.__code__.co_firstlineno + 1
    assert frames[1].function == "test_sites_name_the_python_frames"


def test_a_site_has_no_more_frames_than_asked_for(tmp_path: Path) -> None:
    with al.recording(output=tmp_path, sites="python:2") as r:
        kept = make_rows(3)
    del kept
    stacks = r.trace.stacks()
    sites = {site for site in r.trace.objects()["site"].tolist() if site >= 0}
    assert sites
    assert max(len(stacks.frames(site)) for site in sites) == 2


def test_code_that_goes_while_it_is_recorded_keeps_its_name(tmp_path: Path) -> None:
    with al.recording(output=tmp_path, sites="python") as r:
        for number in range(50):
            scope: dict[str, Any] = {}
            exec(f"def grün{number}(): return bytearray({20_000 + number})", scope)
            scope[f"grün{number}"]()
            del scope
    rows, stacks = r.trace.objects(), r.trace.stacks()
    for number in range(50):
        (site,) = rows["site"][rows["size"] == 20_001 + number].tolist()
        assert stacks.frames(site)[0].function == f"grün{number}"


@pytest.mark.parametrize("sites", ["c", "python:", "python:0", "python:65", "python:x", "none:2"])
def test_other_sites_are_refused(sites: str) -> None:
    with pytest.raises(al.UsageError, match="known are none, python"):
        al.recording(sites=sites)


def test_an_exception_within_the_block_still_leaves_a_trace(tmp_path: Path) -> None:
    r = al.recording(output=tmp_path)
    with pytest.raises(ZeroDivisionError), r:
        kept = bytearray(7000)
        len(kept) / 0
    assert count_of_size(r.trace, 7001) == 1


def test_recordings_follow_one_another_each_with_its_own(tmp_path: Path) -> None:
    traces = []
    for number in range(5):
        with al.recording(output=tmp_path, sites="python") as r, r.tag(f"round {number}"):
            kept = [bytearray(11_000 + number) for _ in range(30)]
        traces.append(r.trace)
        del kept
    assert len({trace.path for trace in traces}) == 5
    for number, trace in enumerate(traces):
        assert [count_of_size(trace, 11_001 + n) for n in range(5)] == [
            30 if n == number else 0 for n in range(5)
        ]
        rows = trace.objects()
        tags = set(rows["tag"][rows["size"] == 11_001 + number].tolist())
        assert [trace.names[tag] for tag in tags] == [f"round {number}"]


def test_a_recording_within_another_is_refused(tmp_path: Path) -> None:
    with al.recording(output=tmp_path) as r:
        with pytest.raises(al.UsageError, match="a recording is open"), al.recording():
            pass
        kept = bytearray(7000)
    assert len(kept) == 7000
    assert count_of_size(r.trace, 7001) == 1


def test_a_recording_is_used_once(tmp_path: Path) -> None:
    r = al.recording(output=tmp_path)
    with pytest.raises(al.NotMeasured, match="not ended"):
        _ = r.trace
    with r:
        pass
    with pytest.raises(al.UsageError, match="is over"):
        r.start()
    with pytest.raises(al.UsageError, match="not open"):
        r.stop()


def test_threads_without_the_lock_lose_nothing(tmp_path: Path) -> None:
    raw, count = raw_allocator(), 5000

    def work(size: int) -> None:
        for _ in range(count):
            raw.PyMem_RawFree(raw.PyMem_RawMalloc(size))

    with al.recording(output=tmp_path) as r:
        threads = [threading.Thread(target=work, args=(3000 + 8 * n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    summary, rows = r.trace.summary(), r.trace.objects()
    assert summary["lost_events"] == 0
    assert summary["unknown_frees"] == summary["missed_frees"] == 0
    assert summary["threads"] == 9
    for n in range(8):
        is_work = rows["size"] == 3000 + 8 * n
        assert int(is_work.sum()) == count
        assert (rows["death"][is_work] > rows["birth"][is_work]).all()
        assert (rows["death_thread"][is_work] == rows["birth_thread"][is_work]).all()


def test_recordings_begin_and_end_under_threads_that_never_stop(tmp_path: Path) -> None:
    raw, is_over = raw_allocator(), threading.Event()

    def work() -> None:
        while not is_over.is_set():
            raw.PyMem_RawFree(raw.PyMem_RawMalloc(2000))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(15):
            with al.recording(output=tmp_path) as r:
                kept = [bytearray(7000) for _ in range(300)]
            del kept
            summary = r.trace.summary()
            assert count_of_size(r.trace, 7001) == 300
            assert summary["lost_events"] == summary["unknown_frees"] == 0
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def test_the_trace_can_be_replayed_and_drawn(tmp_path: Path) -> None:
    with al.recording(output=tmp_path) as r:
        kept = [bytearray(1000) for _ in range(2000)]
        del kept
    run = al.replay(r.trace, al.Glibc())
    assert run.allocator == al.Glibc()
    events = len(r.trace)
    live = live_bytes(r.trace, events, np.array([0, events]))
    assert int(live.peak_live_bytes.max()) == r.trace.summary()["peak_requested_live_bytes"]
    objects = r.trace.objects()
    is_alive = (objects["death"] < 0) & (objects["reallocations"] == 0)
    assert int(live.live_bytes[-1]) >= int(objects["size"][is_alive].sum())


def test_a_forked_child_records_nothing_and_its_parent_goes_on(tmp_path: Path) -> None:
    source = """
import os, sys
import alloclab as al
with al.recording(output=sys.argv[1]) as r:
    child = os.fork()
    kept = [bytearray(12_000 + (child == 0)) for _ in range(100)]
    if child:
        status = os.waitpid(child, 0)[1]
if child == 0:
    with al.recording(output=sys.argv[2]) as own:
        kept = [bytearray(13_000) for _ in range(10)]
    os._exit(int((own.trace.objects()["size"] == 13_001).sum()))
rows = r.trace.objects()
print(os.waitstatus_to_exitcode(status), *((rows["size"] == 12_001 + n).sum() for n in (0, 1)))
"""
    assert run_python(source, tmp_path / "parent", tmp_path / "child").split() == ["10", "100", "0"]


def test_a_recording_left_open_is_sealed_when_python_ends(tmp_path: Path) -> None:
    source = """
import sys
import alloclab as al
al.recording(output=sys.argv[1]).start()
kept = bytearray(15_000)
"""
    run_python(source, tmp_path)
    (path,) = tmp_path.glob("*.alloctrace")
    assert count_of_size(al.open_trace(path), 15_001) == 1


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(al.Error, match="nothing can be recorded there: Not a directory") as failed:
        al.recording(output=tmp_path / "file" / "folder").start()
    assert "\n" not in str(failed.value)
    with al.recording(output=tmp_path) as r:
        pass
    assert len(r.trace) > 0


def test_a_limit_of_file_size_is_an_error_before_anything_is_recorded(tmp_path: Path) -> None:
    source = """
import resource, sys
import alloclab as al
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    al.recording(output=sys.argv[1]).start()
except al.Error as error:
    print(error)
"""
    assert "nothing can be recorded there: File too large" in run_python(source, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_the_recording_and_the_losses_are_counted(tmp_path: Path) -> None:
    source = """
import resource, sys, warnings
import alloclab as al
warnings.simplefilter("always")
with al.recording(output=sys.argv[1]) as r:
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    for _ in range(300_000):
        bytearray(700)
summary = r.trace.summary()
print(summary["lost_events"] + summary["events"] >= 1_200_000, summary["lost_events"] > 0)
print(r.warnings[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", source, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True True\nthe recording stopped (File too large); ")
    assert "RuntimeWarning: the recording stopped (File too large)" in done.stderr


def test_a_recording_ends_at_its_limit_and_the_program_goes_on(tmp_path: Path) -> None:
    with al.recording(output=tmp_path, max_bytes=300_000) as r:
        for _ in range(100_000):
            bytearray(700)
    assert r.warnings == ("the recording stopped at max_bytes; the program went on",)
    assert r.trace.summary()["is_complete"]
    assert 10_000 < len(r.trace) < 390_000


def test_it_works_in_a_program_that_is_itself_recorded(tmp_path: Path) -> None:
    source = """
import sys
import alloclab as al
with al.recording(output=sys.argv[1]) as r:
    kept = [bytearray(17_000) for _ in range(40)]
"""
    outer = al.record([sys.executable, "-c", source, tmp_path / "in"], output=tmp_path / "out")
    assert outer.returncode == 0
    (inner,) = (tmp_path / "in").glob("*.alloctrace")
    assert count_of_size(al.open_trace(inner), 17_001) == 40
    assert count_of_size(outer.largest(), 17_001) == 40


def test_the_wrappers_are_found_again_when_another_tool_took_them_away(tmp_path: Path) -> None:
    source = """
import sys, tracemalloc
import alloclab as al
def count(r): return int((r.trace.objects()["size"] == 9_001).sum())
def once():
    with al.recording(output=sys.argv[1]) as r:
        kept = [bytearray(9_000) for _ in range(25)]
    return count(r)
tracemalloc.start()
counts = [once()]  # in front of tracemalloc
tracemalloc.stop()  # which puts back what was there before it
counts.append(once())
tracemalloc.start()  # now in front of the recorder
counts.append(once())
tracemalloc.stop()
counts.append(once())
print(*counts)
"""
    assert run_python(source, tmp_path).split() == ["25"] * 4


def test_the_metadata_says_what_is_unseen(tmp_path: Path) -> None:
    with al.recording(output=tmp_path) as r:
        pass
    inside = r.trace.metadata["inside"]
    assert inside["python"] == sys.version.split()[0]
    assert any("free list" in line for line in inside["unseen"])
    assert Counter(inside["domains"].keys()) == Counter(["raw", "mem", "object", "numpy"])
    assert r.trace.metadata["pid"] == os.getpid()
