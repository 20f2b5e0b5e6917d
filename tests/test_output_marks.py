# SPDX-License-Identifier: MIT
"""Marks from a program's output, and what the recorder is asked for in its file of options."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from alloclab.errors import UsageError
from alloclab.output_marks import OutputMarks, checked_pattern
from alloclab.record import record
from alloclab.record_options import recorder_options


def marks_of(folder: Path, script: str, pattern: str) -> list[tuple[int, str, str]]:
    record([sys.executable, "-c", script], output=folder, mark_output=pattern, seal=False)
    lines = (folder / "marks").read_text(encoding="utf-8").splitlines()
    fields = [line.split(" ", 2) for line in lines]
    return [(int(time_ns), kind, name) for time_ns, kind, name in fields]


def test_lines_become_marks_as_their_groups_say(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    script = (
        "import sys\n"
        "print('phase: load'); print('nothing'); print('frame 7', flush=True)\n"
        "print('turn 3 \\x1b', file=sys.stderr, flush=True)\n"
        "print('loaded all', end='')\n"
    )
    pattern = r"phase: (?P<scope>\w+)|frame (?P<frame>\d+)|turn (?P<turn>.*)|loaded"
    found = marks_of(tmp_path, script, pattern)
    assert sorted(kind + " " + name for _, kind, name in found) == [
        "frame 7",
        "mark loaded all",
        "scope load",
        "turn 3 ?",
    ]
    times = [time_ns for time_ns, kind, _ in found if kind != "turn"]
    assert times == sorted(times)
    out, err = capfdbinary.readouterr()
    assert out == b"phase: load\nnothing\nframe 7\nloaded all"
    assert err == b"turn 3 \x1b\n"


def test_output_of_any_bytes_goes_on_unchanged(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    script = "import os\nfor n in range(3000): os.write(1, bytes(range(256)) * 8)"
    assert marks_of(tmp_path, script, "no such line") == []
    assert capfdbinary.readouterr().out == bytes(range(256)) * 8 * 3000


def test_a_program_that_had_a_terminal_keeps_one(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    script = (
        "import sys; from alloclab.record import record\n"
        "record([sys.executable, '-c', 'import os; print(os.isatty(1), os.isatty(2))'],\n"
        f"       output={str(tmp_path)!r}, mark_output='True', seal=False)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=theirs, stderr=subprocess.PIPE):
        os.close(theirs)
        text = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                text += os.read(ours, 1000)
            except OSError:
                break
    os.close(ours)
    assert text == b"True False\r\n"
    assert (tmp_path / "marks").read_text(encoding="utf-8").endswith(" mark True False\n")


def test_a_program_that_outlives_the_recording_can_still_print(tmp_path: Path) -> None:
    script = (
        "import sys; from alloclab.record import record\n"
        "child = 'import sys; print(1, flush=True); sys.stdin.read(); print(2, flush=True)'\n"
        f"record([sys.executable, '-c', child], output={str(tmp_path)!r}, duration=1.0,\n"
        "       mark_output='[12]', seal=False)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert run.wait(120) == 0
    assert run.stdout is not None
    assert run.stdin is not None
    run.stdin.close()
    assert run.stdout.read() == b"1\n2\n"
    run.stdout.close()
    assert (tmp_path / "marks").read_text(encoding="utf-8").endswith(" mark 1\n")


def test_a_program_that_never_started_leaves_no_marks(tmp_path: Path) -> None:
    marks = OutputMarks(checked_pattern("x"), tmp_path / "marks")
    marks.close(is_running=False)
    assert (tmp_path / "marks").read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("pattern", ["(", "(?P<phase>x)"])
def test_a_pattern_that_means_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="mark_output"):
        checked_pattern(pattern)


def test_options_are_written_as_the_recorder_reads_them() -> None:
    assert recorder_options() == {}
    assert recorder_options(
        frame_on=["usleep", "poll", "usleep"], scope_on="f.part.0", sites="stack:64", edges=100
    ) == {
        "frame-on": "usleep,poll",
        "scope-on": "f.part.0",
        "sites": "stack:64",
        "edges": "100",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"frame_on": ["a b"]},
        {"frame_on": [""]},
        {"scope_on": ["1st"]},
        {"scope_on": ["f\nsites=caller"]},
        {"sites": "stack:0"},
        {"sites": "stack:65"},
        {"sites": "callers"},
        {"edges": 0},
        {"edges": "turn"},
        {"scope_on": ["f" * 20000]},
    ],
    ids=str,
)
def test_options_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    name = next(iter(wrong))
    with pytest.raises(UsageError, match=f"{name}|{name.replace('_', '-')}"):
        recorder_options(**wrong)  # type: ignore[arg-type]


def test_the_python_and_the_command_line_names_are_the_same() -> None:
    from alloclab.cli import record as verb

    text = Path(verb.__file__).read_text(encoding="utf-8")
    for word in ("frame_on", "scope_on", "mark_output", "sites", "edges"):
        assert re.search(rf"{word}=arguments\.{word}\b", text)
