# SPDX-License-Identifier: MIT
"""Traces of memray's files, recorded here by memray itself."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import alloclab as al
from alloclab.formats.memray_child import messages
from alloclab.formats.memray_events import EventWriter
from alloclab.formats.memray_records import RECORD
from support.importing import counts, events_of

MALLOC, CALLOC, REALLOC, FREE, MMAP, MUNMAP, PYMALLOC = 6, 8, 7, 5, 14, 15, 2

PROGRAM = """
import threading

def keep(count):
    blocks = []
    for each in range(count):
        blocks.append(bytes(100_000 + each))
    return blocks

kept = keep(20)
thread = threading.Thread(target=keep, args=(5,))
thread.start()
thread.join()
"""


def write_records(path: Path, rows: list[tuple[int, int, int, int, int]]) -> al.Trace:
    with al.TraceBuilder(path, image="records") as builder:
        writer = EventWriter(builder)
        writer.stacks.add([("f", "a.py", 3), ("main", "a.py", 9)])
        writer.stacks.add([("main", "a.py", 9)])
        writer.write(np.array(rows, RECORD))
        builder.set_stacks(writer.stacks.columns())
        return builder.finish(
            unknown_frees=writer.counts["unknown_frees"],
            missed_frees=writer.counts["missed_frees"],
            metadata={"counts": writer.left_out()},
        )


def test_records_become_events_with_the_counts_worked_out_by_hand(tmp_path: Path) -> None:
    trace = write_records(
        tmp_path / "t.alloctrace",
        [
            (0x10, 8, 1, 1, MALLOC),
            (0x20, 16, 2, 2, CALLOC),
            (0x10, 0, 2, 0, FREE),
            (0x30, 32, 1, 1, REALLOC),
            (0x99, 0, 1, 0, FREE),
            (0x20, 64, 1, 0, PYMALLOC),  # where the 16 bytes still live
        ],
    )
    assert counts(trace) == {
        "allocations": 4,
        "frees": 2,
        "unknown_frees": 1,
        "missed_frees": 1,
        "threads": 2,
        "requested_total_bytes": 8 + 16 + 32 + 64,
        "peak_requested_live_bytes": 96,
        "live_objects_at_end": 2,
        "requested_live_bytes_at_end": 96,
    }
    (chunk,) = trace.chunks()
    allocations = chunk.is_kind("allocate")
    assert chunk.call[allocations].tolist() == [0, 1, 2, 0]
    assert chunk.site[allocations].tolist() == [1, 2, 1, 0]
    assert [trace.names[tag - 1] for tag in chunk.tag[allocations] if tag] == ["pymalloc"]
    assert [str(frame) for frame in trace.stacks()[0]] == ["f (a.py:3)", "main (a.py:9)"]


def test_regions_are_split_where_parts_of_them_are_unmapped(tmp_path: Path) -> None:
    trace = write_records(
        tmp_path / "t.alloctrace",
        [
            (0x10000, 0x8000, 1, 0, MMAP),
            (0x12000, 0x2000, 1, 0, MUNMAP),  # leaves 0x2000 before and 0x4000 behind
            (0x13000, 0x3000, 1, 0, MUNMAP),  # of which 0x1000 is not mapped
            (0x40000, 0x1000, 1, 0, MUNMAP),  # of nothing
            (0x10000, 0x1000, 1, 0, MMAP),  # over the first half of what was before
        ],
    )
    assert events_of(trace) == [
        ("map", 0, 0, 0x8000, 0),
        ("split", 0, 0, 0x2000, 0),  # object 1 is what lies behind
        ("split", 0, 1, 0x2000, 0),  # object 2
        ("unmap", 0, 1, 0, 0),
        ("split", 0, 2, 0x2000, 0),  # object 3
        ("unmap", 0, 2, 0, 0),
        ("split", 0, 0, 0x1000, 0),  # object 4
        ("unmap", 0, 0, 0, 0),
        ("map", 0, 5, 0x1000, 0),
    ]
    assert trace.metadata["counts"] == {"replaced_mappings": 1, "unknown_unmaps": 1}
    # Left: 0x2000 from 0x16000, 0x1000 from 0x11000, 0x1000 from 0x10000.
    assert trace.summary()["peak_mapped_live_bytes"] == 0x8000


@pytest.mark.parametrize("record", [(0x10, 8, 1, 9, MALLOC), (0x10, 8, 1, 0, 99)])
def test_a_record_that_cannot_be_is_refused(
    tmp_path: Path, record: tuple[int, int, int, int, int]
) -> None:
    with pytest.raises(ValueError, match="there is no"):
        write_records(tmp_path / "t.alloctrace", [record])
    assert list(tmp_path.iterdir()) == []


def test_a_munmap_of_nothing_changes_no_region(tmp_path: Path) -> None:
    trace = write_records(
        tmp_path / "t.alloctrace",
        [(0x10000, 0x2000, 1, 0, MMAP), (0x11000, 0, 1, 0, MUNMAP)],
    )
    assert events_of(trace) == [("map", 0, 0, 0x2000, 0)]
    assert trace.metadata["counts"] == {"unknown_unmaps": 1}


def test_a_mapping_without_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no bytes"):
        write_records(tmp_path / "t.alloctrace", [(0x10000, 0, 1, 0, MMAP)])


def recorded(folder: Path, *options: str, program: str = PROGRAM) -> Path:
    pytest.importorskip("memray")
    script = folder / "program.py"
    script.write_text(program)
    path = folder / "program.bin"
    command = [sys.executable, "-m", "memray", "run", "-q", *options, "-o", str(path), str(script)]
    subprocess.run(command, check=False, capture_output=True, cwd=folder)
    return path


@pytest.mark.parametrize("options", [(), ("--no-compress",), ("--native",)])
def test_a_recorded_program_is_imported(tmp_path: Path, options: tuple[str, ...]) -> None:
    trace = al.import_trace(recorded(tmp_path, *options))
    summary = trace.summary()
    assert summary["is_complete"] == 1
    assert summary["threads"] == 2
    objects = trace.objects()
    large = [int(size) for size in objects["size"] if 100_000 <= size < 100_100]
    assert len(large) == 25
    functions = {frame.function for stack in trace.stacks() for frame in stack}
    assert "keep" in functions
    assert "program.py" in trace.metadata["origin"]["told"]["command"]


def test_every_record_of_the_file_is_told(tmp_path: Path) -> None:
    memray = pytest.importorskip("memray")
    path = recorded(tmp_path)
    with memray.FileReader(path) as reader:
        expected = [(r.address, r.size, r.allocator) for r in reader.get_allocation_records()]
    told = [
        (int(each["address"]), int(each["size"]), int(each["allocator"]))
        for message in messages(path)
        if message.records is not None
        for each in message.records
    ]
    assert told == expected


def test_the_file_of_a_killed_program_is_not_complete(tmp_path: Path) -> None:
    killed = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    trace = al.import_trace(recorded(tmp_path, program=PROGRAM + killed))
    assert trace.summary()["is_complete"] == 0
    assert "end" in trace.metadata["origin"]["cannot_say"]


def test_an_aggregated_file_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path, "--aggregate")
    with pytest.raises(al.TraceError, match=r"memray refuses it: .*aggregated"):
        al.import_trace(path)


def test_a_file_that_breaks_off_is_refused_or_marked(tmp_path: Path) -> None:
    path = recorded(tmp_path, "--no-compress")
    whole = path.read_bytes().rstrip(b"\0")
    full = al.import_trace(path, tmp_path / "full.alloctrace").summary()
    cut = tmp_path / "cut.bin"
    trace = tmp_path / "cut.alloctrace"
    for length in (7, 40, len(whole) // 2, len(whole) - 40):
        cut.write_bytes(whole[:length])
        with pytest.raises(al.TraceError, match=r"cut\.bin: "):
            al.import_trace(cut, format="memray")
        assert not trace.exists()
    made = al.import_trace(cut, allow_truncated=True)
    assert made.summary()["is_complete"] == 0
    assert made.summary()["events"] < full["events"]
    assert " of " in made.metadata["origin"]["truncated_at"]


def test_a_compressed_file_that_breaks_off_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path)
    whole = path.read_bytes()
    cut = tmp_path / "cut.bin"
    for length in (10, len(whole) // 2, len(whole) - 1):
        cut.write_bytes(whole[:length])
        with pytest.raises(al.TraceError, match=r"cut\.bin: "):
            al.import_trace(cut, format="memray")
    assert not (tmp_path / "cut.alloctrace").exists()


def test_a_reader_that_crashes_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memray.py").write_text("import os\nos.abort()\n")
    path = tmp_path / "any.bin"
    path.write_bytes(b"memray\0" + bytes(100))
    monkeypatch.setenv("PYTHONPATH", os.fspath(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(al.TraceError, match="memray's reader crashed: SIGABRT"):
        al.import_trace(path)
    assert not (tmp_path / "any.alloctrace").exists()


def test_without_memray_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "any.bin"
    path.write_bytes(b"memray\0" + bytes(100))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(al.UsageError, match=r"pip install 'alloclab\[memray\]'"):
        al.import_trace(path)
