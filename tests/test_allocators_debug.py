# SPDX-License-Identifier: MIT
"""The debugging blocks as specs, and the debugging malloc under real programs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import alloclab as al
from alloclab import _native

CC1PLUS = Path(__file__).resolve().parents[1] / "workloads" / "cc1plus.alloctrace"
STACK = al.Traced(al.Guard(al.Quarantine(al.Pool(), blocks=64)))


def test_a_debugging_stack_is_a_value() -> None:
    assert al.allocators.parse(str(STACK)) == STACK
    assert al.allocators.from_json(STACK.to_json()) == STACK
    assert hash(al.Debug(quarantine="64 KiB")) == hash(al.Debug(quarantine=65536))


def test_the_debugging_malloc_is_chosen_by_the_environment() -> None:
    launch = al.Debug(quarantine_blocks=8, leaks=True).launch()
    assert launch.environment == {
        "ALLOCLAB_MALLOC": "debug",
        "ALLOCLAB_MALLOC_OPTIONS": "quarantine_blocks=8 leaks=true",
    }
    assert launch.library == _native.malloc_library()
    assert al.Debug().kernel() is None


@pytest.mark.parametrize("allocator", [STACK, al.Debug()], ids=str)
def test_a_recording_replays_under_the_debugging_stack(allocator: al.Allocator) -> None:
    run = al.replay(CC1PLUS, allocator, stop_after=50_000)
    assert run["failed_allocations"] == 0


def preloaded(choice: str) -> dict[str, str]:
    return {**os.environ, "LD_PRELOAD": str(_native.malloc_library()), "ALLOCLAB_MALLOC": choice}


# Each runs in an empty folder: git compares it with a folder full of tests.
PROGRAMS = {
    "python": [sys.executable, "-c", "import json; print(json.dumps(list(range(9999))))"],
    "git": ["git", "diff", "--no-index", "--stat", "--patch", ".", str(Path(__file__).parent)],
    "g++": ["g++", "-x", "c++", "-S", "-O1", "-o", "-", "-"],
}
EXIT_CODES = {"python": 0, "git": 1, "g++": 0}  # 1: they differ


@pytest.mark.parametrize("choice", ["pool", "debug"])
@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_a_real_program_runs_to_the_same_output(program: str, choice: str, tmp_path: Path) -> None:
    source = b"#include <map>\n#include <string>\nstd::map<int, std::string> all;\n"

    def output(environment: dict[str, str]) -> bytes:
        done = subprocess.run(
            PROGRAMS[program], input=source, env=environment, cwd=tmp_path, capture_output=True
        )
        assert done.returncode == EXIT_CODES[program], done.stderr
        return done.stdout

    expected = output(dict(os.environ))
    assert expected
    assert output(preloaded(choice)) == expected
