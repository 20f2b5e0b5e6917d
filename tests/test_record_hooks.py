# SPDX-License-Identifier: MIT
"""Frames and scopes of programs nobody changed: frame-on and scope-on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from alloclab.record import record
from support.capture_events import read_capture

SOURCE = Path(__file__).parent / "programs" / "hooked.cpp"
FUNCTIONS = [
    *("many", "returns_wide", "recurse", "throws", "catches", "jumps", "extended", "in_thread"),
    *("step", "never_called", "nonesuch"),
]


def build(folder: Path, compiler: str, *flags: str) -> Path:
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    program = folder / "hooked"
    subprocess.run([compiler, "-pthread", *flags, "-o", program, SOURCE], check=True)
    return program


@pytest.mark.parametrize("compiler", ["g++", "clang++-14"])
@pytest.mark.parametrize("flags", ["-O0", "-O1", "-O2", "-O3", "-O2 -fno-pie -no-pie"])
def test_functions_become_scopes_however_they_are_left(
    tmp_path: Path, compiler: str, flags: str
) -> None:
    program = build(tmp_path, compiler, *flags.split())
    capture = record(
        [program], output=tmp_path / "out", scope_on=FUNCTIONS, frame_on=["usleep"], seal=False
    )
    assert capture.returncode == 0  # the program checks its own arguments and results
    assert list(capture.warnings) == [
        "scope-on: never_called was never called",
        "scope-on: nonesuch was not found",
    ]
    (path,) = (tmp_path / "out").glob("*.capture")
    told = read_capture(path).told()
    entered = [line[3] for line in told if line[0] == "enter"]
    assert entered.count("throws") == 1 + 2 + 3
    assert entered.count("catches") == 3
    assert entered.count("jumps") == 4
    assert entered.count("usleep") == entered.count("step") == 3
    numbers = {line[1]: line[3] for line in told if line[0] == "enter"}
    ended = [line[1] for line in told if line[0] == "exit"]
    assert len(ended) == len(set(ended))
    # A thread that ended itself, and the last frame, which no later one has ended.
    assert sorted(numbers[number] for number in set(numbers) - set(ended)) == [
        "in_thread",
        "usleep",
    ]


def test_scopes_nest_as_calls_do_and_end_where_an_exception_is_caught(tmp_path: Path) -> None:
    program = build(tmp_path, "g++", "-O2")
    names = ["catches", "throws", "step"]
    record([program], output=tmp_path / "out", scope_on=names, seal=False)
    (path,) = (tmp_path / "out").glob("*.capture")
    told = read_capture(path).told()
    outline = [(line[0], line[3] if line[0] == "enter" else line[1]) for line in told[:8]]
    assert outline == [
        ("enter", "catches"),
        ("enter", "throws"),
        ("exit", 2),
        ("exit", 1),
        ("enter", "catches"),
        ("enter", "throws"),
        ("enter", "throws"),
        ("exit", 5),
    ]


def test_waits_that_never_come_are_told_of(tmp_path: Path) -> None:
    program = build(tmp_path, "g++", "-O1")
    capture = record([program], output=tmp_path / "out", frame_on=["poll", "step"], seal=False)
    assert list(capture.warnings) == ["frame-on: poll was never called"]
    (path,) = (tmp_path / "out").glob("*.capture")
    entered = [line for line in read_capture(path).told() if line[0] == "enter"]
    assert [line[2:] for line in entered] == [("frame", "step")] * 3


def test_a_function_of_a_library_that_is_loaded_later_is_found(tmp_path: Path) -> None:
    library = tmp_path / "libdelays.so"
    source = SOURCE.with_name("delays_library.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    program = tmp_path / "delays"
    subprocess.run(["cc", "-o", program, SOURCE.with_name("delays.c"), "-ldl"], check=True)
    capture = record(
        [program, library], output=tmp_path / "out", frame_on=["SDL_Delay"], seal=False
    )
    assert capture.returncode == 0
    assert list(capture.warnings) == []
    (path,) = (tmp_path / "out").glob("*.capture")
    entered = [line for line in read_capture(path).told() if line[0] == "enter"]
    assert [line[2:] for line in entered] == [("frame", "SDL_Delay")] * 3
