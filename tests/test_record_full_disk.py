# SPDX-License-Identifier: MIT
"""Recording on a disk that has no room: what was recorded is kept, and the program unharmed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alloclab.errors import Error
from alloclab.record import record
from support.hostile import CAME_THROUGH, ROUNDS, counts, needs_root, parent_of
from support.recorded_programs import Programs, environment
from test_record import programs  # noqa: F401  (a fixture)


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Has recordings take place on a disk of the size it is called with."""
    needs_root()
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(size: str) -> None:
        options = f"size={size},mode=755"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", disk], check=False, capture_output=True
        )
        if mounted.returncode != 0:
            pytest.skip("nothing can be mounted here")

    monkeypatch.setattr("alloclab.staging._open_folder", lambda: disk)
    yield mount
    subprocess.run(["umount", "-l", disk], check=False, capture_output=True)


@pytest.mark.parametrize("more", [{}, {"sites": "stack:64", "edges": 20_000}], ids=["plain", "all"])
def test_a_disk_that_fills_up_ends_the_recording_and_not_the_program(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
    small_disk: Callable[[str], None],
    capfd: pytest.CaptureFixture[str],
    more: dict[str, str | int],
) -> None:
    small_disk("1500k")
    capture = record(
        [programs("hostile"), "nothing"],
        output=tmp_path / "out",
        env=environment(),
        **more,  # type: ignore[arg-type]
    )
    assert capture.returncode == CAME_THROUGH
    trace = parent_of(capture)
    assert trace.metadata["stop_reason"] == "no_space"
    assert 0 < counts(trace)[0] <= ROUNDS
    assert sum("No space left on device" in line for line in capture.warnings) == 1
    (line,) = capfd.readouterr().err.splitlines()  # its child's
    assert "no space for a capture" in line


def test_marks_on_a_full_disk_are_given_up_and_output_is_forwarded(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
    small_disk: Callable[[str], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    small_disk("1500k")
    lines = 30_000
    script = f"{programs('hostile')} nothing; seq -f 'mark %.0f' {lines}; exit 5"
    capture = record(
        ["sh", "-c", script], output=tmp_path / "out", env=environment(), mark_output="^mark"
    )
    assert capture.returncode == CAME_THROUGH
    assert capfd.readouterr().out.splitlines()[-1] == f"mark {lines}"
    assert sum("left no marks" in line for line in capture.warnings) == 1


def test_a_disk_with_no_room_for_the_recorder_is_an_error_and_leaves_nothing(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
    small_disk: Callable[[str], None],
) -> None:
    small_disk("100k")
    with pytest.raises(Error, match="nothing can be recorded there: No space left"):
        record([programs("hostile"), "nothing"], output=tmp_path / "out", env=environment())
    assert not list((tmp_path / "disk").iterdir())


def test_a_limit_below_the_head_of_a_capture_is_one_line(
    programs: Programs,  # noqa: F811
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    # The kernel raises SIGXFSZ where a file is to reach beyond such a limit.
    shell = ["sh", "-c", f"ulimit -f 20; exec {programs('hostile')} nothing"]
    capture = record(shell, output=tmp_path / "out", env=environment())
    assert capture.returncode == CAME_THROUGH
    (line,) = capfd.readouterr().err.splitlines()  # its child does not try again
    assert "no space for a capture" in line
    assert any("hostile" in line and "left no capture" in line for line in capture.warnings)
