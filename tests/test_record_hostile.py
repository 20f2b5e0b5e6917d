# SPDX-License-Identifier: MIT
"""Recording where the folder of captures, or what the program does to itself, is against it."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from alloclab import _native
from alloclab.captures import Capture, seal
from alloclab.record import _left_running, record
from support.hostile import CAME_THROUGH, ROUNDS, counts, needs_root, parent_of
from support.recorded_programs import Programs, environment
from test_record import programs  # noqa: F401  (a fixture)

CONTROL = struct.pack("<IIQ", 0x54434C41, 0, 0)


def run(
    program: str, folder: Path, *arguments: str
) -> tuple[subprocess.CompletedProcess[str], Capture | None]:
    """Runs a program with the recorder in front of it and no driver behind."""
    folder.chmod(0o1777)
    given = environment(LD_PRELOAD=str(_native.record_library()), ALLOCLAB_RECORD_DIR=str(folder))
    ended = subprocess.run(
        [program, *arguments], env=given, capture_output=True, text=True, check=False, timeout=60
    )
    return ended, seal(folder) if any(folder.glob("*.capture")) else None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "captures"
    place.mkdir()
    return place


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(CONTROL[:10]),
        lambda path: path.write_bytes(bytes(range(256)) * 16),
        lambda path: path.mkdir(),
        os.mkfifo,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to("/nowhere"),
    ],
    ids=["empty", "cut", "garbage", "folder", "fifo", "device", "dangling"],
)
def test_whatever_lies_in_place_of_the_control_file_the_program_is_recorded(
    programs: Programs,  # noqa: F811
    folder: Path,
    make: Callable[[Path], object],
) -> None:
    make(folder / "control")
    ended, capture = run(programs("hostile"), folder, "nothing")
    assert (ended.returncode, ended.stderr) == (CAME_THROUGH, "")
    assert counts(parent_of(capture)) == (ROUNDS, ROUNDS, 0)


@pytest.mark.parametrize("size", [0, 4])
def test_a_control_file_that_is_truncated_meanwhile_harms_nobody(
    programs: Programs,  # noqa: F811
    folder: Path,
    size: int,
) -> None:
    control = folder / "control"
    control.write_bytes(CONTROL)
    ended, capture = run(programs("hostile"), folder, "truncate", str(control), str(size))
    assert (ended.returncode, ended.stderr) == (CAME_THROUGH, "")
    assert counts(parent_of(capture)) == (ROUNDS, ROUNDS, 0)


def test_a_word_to_stop_is_heard_from_a_file_that_cannot_be_written(
    programs: Programs,  # noqa: F811
    folder: Path,
) -> None:
    control = folder / "control"
    control.write_bytes(struct.pack("<IIQ", 0x54434C41, 3, 0))
    control.chmod(0o444)
    ended, capture = run(programs("hostile"), folder, "nothing")
    assert (ended.returncode, ended.stderr) == (CAME_THROUGH, "")
    assert capture is None  # said before it began


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"x" * (1 << 20), "longer than 16 KiB"),
        (b"sites=sta", "not understood, and passed over: sites=sta"),
        (b"sites=caller\0\nedges=frame\n", "not understood, and passed over: sites=caller?"),
        (b"\0" * 100, "not understood"),
        (bytes(range(256)), "not understood"),
    ],
    ids=["huge", "cut", "null_in_a_line", "nulls", "garbage"],
)
def test_options_that_mean_nothing_are_one_line(
    programs: Programs,  # noqa: F811
    folder: Path,
    text: bytes,
    said: str,
) -> None:
    (folder / "options").write_bytes(text)
    ended, capture = run(programs("churn"), folder, "1000")
    assert ended.returncode == 0
    assert ended.stderr.count("\n") == 1
    assert said in ended.stderr
    assert parent_of(capture).summary()["allocations"] > 400


def test_a_folder_removed_meanwhile_costs_the_recording_and_not_the_program(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    shell = ["sh", "-c", f'exec {programs("hostile")} remove "$ALLOCLAB_RECORD_DIR"']
    capture = record(shell, output=tmp_path, env=environment())
    assert capture.returncode == CAME_THROUGH
    (warning,) = capture.warnings
    assert "was removed meanwhile" in warning
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 3  # a child, another, and the image that it made of itself
    assert all("alloclab: not recording: " in line for line in lines)


@pytest.mark.parametrize("act", ["close", "memory", "user 65534"])
def test_what_a_program_denies_itself_is_not_needed(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
    act: str,
) -> None:
    if act.startswith("user"):
        needs_root()
    capture = record([programs("hostile"), *act.split()], output=tmp_path, env=environment())
    if capture.returncode == 77:
        pytest.skip("no such system call")
    assert capture.returncode == CAME_THROUGH
    assert not capture.warnings
    assert counts(parent_of(capture)) == (ROUNDS, ROUNDS, 0)
    (child,) = [trace for trace in capture if trace.metadata["forked_from"]]
    assert counts(child) == (ROUNDS, 0, 0)


@pytest.mark.parametrize("act", ["chroot /proc", "descriptors 3"])
def test_a_child_that_cannot_open_its_capture_says_so_in_one_line(
    programs: Programs,  # noqa: F811
    folder: Path,
    act: str,
) -> None:
    if act.startswith("chroot"):
        needs_root()
    ended, capture = run(programs("hostile"), folder, *act.split())
    assert ended.returncode == CAME_THROUGH
    assert ended.stderr.count("\n") == 1
    assert "cannot create a capture" in ended.stderr
    assert counts(parent_of(capture)) == (ROUNDS, ROUNDS, 0)


def test_a_filter_that_kills_leaves_what_was_recorded_until_then(
    programs: Programs,  # noqa: F811
    folder: Path,
) -> None:
    # The limit that docs/recording.md names: the recorder opens files, and the program may not.
    ended, capture = run(programs("hostile"), folder, "filter")
    if ended.returncode == 1:
        pytest.skip("no filters of system calls here")
    assert ended.returncode == -signal.SIGSYS
    trace = parent_of(capture)
    assert (counts(trace)[0], trace.summary()["is_complete"]) == (ROUNDS, 0)


def test_a_stopped_program_is_recorded_until_then_and_ends_by_itself(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
) -> None:
    capture = record([programs("hostile"), "stop"], output=tmp_path, env=environment(), duration=1)
    process = _left_running.pop()
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)  # long since, unless the machine is very busy
    assert capture.returncode is None
    assert f"process {process.pid} goes on; it is no longer recorded" in capture.warnings
    before, after, lost = counts(parent_of(capture))
    assert 0 < before <= ROUNDS
    assert (after, lost) == (0, 0)
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == CAME_THROUGH


def test_an_interposer_in_front_changes_nothing(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
) -> None:
    shell = f'LD_PRELOAD="{programs.counter()}:$LD_PRELOAD" exec {programs("hostile")} nothing'
    given = environment(COUNTER_DIR=str(tmp_path))
    capture = record(["sh", "-c", shell], output=tmp_path / "out", env=given)
    assert capture.returncode == CAME_THROUGH
    assert not capture.warnings
    assert counts(parent_of(capture, "hostile")) == (ROUNDS, ROUNDS, 0)


def test_a_malloc_in_front_that_keeps_its_calls_is_told_of(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
) -> None:
    jemalloc = Path("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2")
    if not jemalloc.exists():
        pytest.skip("libjemalloc.so.2 is not installed")
    shell = f'LD_PRELOAD="{jemalloc}:$LD_PRELOAD" exec {programs("hostile")} nothing'
    capture = record(["sh", "-c", shell], output=tmp_path, env=environment())
    assert capture.returncode == CAME_THROUGH
    assert any("hostile" in line and "0 events" in line for line in capture.warnings)


@pytest.mark.parametrize("sites", [None, "caller", "stack:64"])
def test_stacks_of_sixteen_kibibytes_are_enough(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
    sites: str | None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (trace,) = record(
        [programs("tiny_stacks"), "60"], output=tmp_path, env=environment(), sites=sites
    )
    assert capfd.readouterr().out.count("\n") == 1  # it came to its end
    assert trace.summary()["is_complete"] == 1
    assert trace.summary()["lost_events"] == 0
