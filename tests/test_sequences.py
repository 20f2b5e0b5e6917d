# SPDX-License-Identifier: MIT
"""Sequences that once failed run again, and one that fails today is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from support import sequences

CALLS = st.lists(st.tuples(st.just("array"), st.integers(1, 300), st.just(0)), max_size=10)
QUIETLY = settings(database=None, derandomize=True, phases=[Phase.generate, Phase.shrink])


@pytest.mark.parametrize("file", sorted(sequences.SEQUENCES.glob("*.json")), ids=lambda f: f.stem)
def test_a_sequence_that_once_failed_does_not_fail_any_more(file: Path) -> None:
    sequences.check_again(file)


def test_there_are_sequences_to_check_again() -> None:
    assert len(list(sequences.SEQUENCES.glob("*.json"))) >= 5


class Overlapping:
    """Gives the same memory to everyone."""

    def __init__(self) -> None:
        self.memory = np.zeros(300, "u1")

    def array(self, size: int) -> np.ndarray[Any, Any]:
        return self.memory[:size]


@QUIETLY
@given(calls=CALLS)
@sequences.kept
def writes_stay(calls: list[tuple[str, int, int]]) -> None:
    allocator = Overlapping()
    made = [allocator.array(size) for _, size, _ in calls]
    for number, each in enumerate(made):
        each[:] = number
    for number, each in enumerate(made):
        assert (each == number).all(), f"block {number} does not hold what was written"


@given(calls=CALLS)
@sequences.kept
def never_fails(calls: list[tuple[str, int, int]]) -> None:
    assert len(calls) <= 10


def test_a_failing_sequence_is_kept_at_its_smallest_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequences, "folder", lambda: tmp_path)
    with pytest.raises(AssertionError, match="block 0 does not hold") as told:
        writes_stay()
    (file,) = tmp_path.iterdir()
    assert any(f"kept as {file}" in note for note in told.value.__notes__)
    assert json.loads(file.read_text(encoding="utf-8")) == {
        "module": __name__,
        "test": "writes_stay",
        "arguments": {"calls": [["array", 1, 0], ["array", 1, 0]]},
    }
    with pytest.raises(AssertionError, match="block 0 does not hold"):
        sequences.check_again(file)


def test_what_does_not_fail_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequences, "folder", lambda: tmp_path)
    never_fails()
    assert list(tmp_path.iterdir()) == []


def test_a_sequence_that_ends_the_process_is_left_behind(tmp_path: Path) -> None:
    program = """
import os, pathlib, sys
from support import sequences

sequences.folder = lambda: pathlib.Path(sys.argv[1])
sequences.kept(lambda calls: os._exit(9))(calls=[["allocate", 8, 0]])
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=Path(__file__).parent
    )
    assert ended.returncode == 9
    kept = json.loads((tmp_path / "running.json").read_text(encoding="utf-8"))
    assert kept["arguments"] == {"calls": [["allocate", 8, 0]]}
