# SPDX-License-Identifier: MIT
"""Python frames of recorded programs that are CPython themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import alloclab as al
from alloclab import _recording
from alloclab.captures import Capture
from alloclab.stacks import Frame
from alloclab.traces import Trace
from support.recorded_programs import Programs, kind_counts

SCRIPT = Path(__file__).parent / "programs" / "python_chains.py"
SYSTEM_PYTHON = "/usr/bin/python3"
LIST_FRAME = ["comprehend.<locals>.<listcomp>"] if sys.version_info < (3, 12) else []
THREAD = ["Thread.run", "Thread._bootstrap_inner", "Thread._bootstrap"]

pytestmark = pytest.mark.skipif(
    _recording.frame_layout() is None, reason="this version's frames cannot be read"
)


def is_same_version(python: str) -> bool:
    if not Path(python).exists():
        return False
    code = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    return subprocess.run([python, "-S", "-c", code], check=False).returncode == 0


def record_script(python: str, folder: Path, sites: str) -> Capture:
    environment = {**os.environ, "PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}
    command = [python, "-I" if python == SYSTEM_PYTHON else "-S", str(SCRIPT)]
    capture = al.record(command, output=folder, env=environment, sites=sites)
    assert capture.returncode == 0
    return capture


@pytest.fixture(scope="module", params=[sys.executable, SYSTEM_PYTHON])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    if not is_same_version(request.param):
        pytest.skip("not there, or of another version")
    return record_script(request.param, tmp_path_factory.mktemp("python"), "stack:64").largest()


def stack_of(trace: Trace, size: int) -> list[Frame]:
    """The frames of the only block of a size, the innermost first."""
    objects = trace.objects()
    (row,) = (objects["size"] == size).nonzero()[0].tolist()
    return [*trace.stacks()[int(objects["site"][row])]]


def python_frames(stack: list[Frame]) -> list[Frame]:
    return [frame for frame in stack if frame.function and not frame.module]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (50003, ["take", "Shelf.put", "<module>"]),
        (50005, ["take", *["recurse"] * 4, "<module>"]),
        (50007, ["take", "generate", "<module>"]),
        (50009, ["take", *LIST_FRAME, "comprehend", "<module>"]),
        (50011, ["take", "call_back", "<module>"]),
        (50013, ["take", "größe", "<module>"]),
        (50015, ["take", "μέγεθος", "<module>"]),
        (50017, ["take", "𐐨𐐩", "<module>"]),
        (50019, ["take", *THREAD]),
    ],
)
def test_a_block_has_the_python_frames_it_came_from(
    recorded: Trace, size: int, expected: list[str]
) -> None:
    frames = python_frames(stack_of(recorded, size))
    assert [frame.function for frame in frames] == expected


def test_frames_have_the_file_and_the_line_that_runs(recorded: Trace) -> None:
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    frames = python_frames(stack_of(recorded, 50005))
    assert {frame.file for frame in frames} == {str(SCRIPT)}
    expected = ["bytearray(size - 1)", *["recurse(depth - 1, size)"] * 4, "recurse(4, 50005)"]
    assert [text in lines[frame.line - 1] for text, frame in zip(expected, frames, strict=True)]
    (outermost,) = {frame.file for frame in python_frames(stack_of(recorded, 50019))[1:]}
    assert Path(outermost).name == "threading.py"


def test_native_frames_below_the_innermost_python_frame_stay(recorded: Trace) -> None:
    for size in (50003, 50011, 50019):
        stack = stack_of(recorded, size)
        inner = stack[: len(stack) - len(python_frames(stack))]
        assert inner
        assert all("python" in frame.module for frame in inner)
        assert not [frame for frame in inner if frame.function == "_PyEval_EvalFrameDefault"]


def test_code_objects_at_the_same_address_keep_their_names(recorded: Trace) -> None:
    for number in range(200):
        innermost, *_, outermost = python_frames(stack_of(recorded, 60000 + number))
        assert innermost.function == f"made_{number:03}"
        assert innermost.file == f"<made {number:03}>"
        assert innermost.line == 2
        assert outermost.function == "<module>"


def test_a_recording_without_sites_has_the_same_events(tmp_path: Path) -> None:
    counts = [
        kind_counts(record_script(sys.executable, tmp_path / sites, sites).largest())
        for sites in ("none", "stack:64")
    ]
    for kind in ("allocate", "reallocate", "free", "free_null"):
        assert counts[0][kind] == counts[1][kind]


def test_redacted_frames_hold_no_path(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONMALLOC": "malloc"}
    command = [sys.executable, "-S", str(SCRIPT)]
    capture = al.record(command, output=tmp_path, env=environment, sites="stack", redact=True)
    (trace,) = capture
    (innermost, *_) = python_frames(stack_of(trace, 50003))
    assert innermost.function == "take"
    assert innermost.file.startswith("sha256:")
    assert not [name for name in trace.names if "/" in name]


def test_the_depth_asked_for_is_that_of_python_frames(tmp_path: Path) -> None:
    trace = record_script(sys.executable, tmp_path, "stack:3").largest()
    frames = python_frames(stack_of(trace, 50005))
    assert [frame.function for frame in frames] == ["take", "recurse", "recurse"]


def test_an_interpreter_opened_as_a_library_is_found(tmp_path: Path) -> None:
    told = sysconfig.get_config_vars("LIBDIR", "INSTSONAME")
    library = Path(*(str(part) for part in told))
    if ".so" not in library.name or not library.exists() or shutil.which("cc") is None:
        pytest.skip("no libpython to open, or no C compiler")
    script = "def f():\n  return bytearray(50002)\nf()"
    environment = {**os.environ, "PYTHONMALLOC": "malloc", "PYTHONHOME": sys.base_prefix}
    command = [Programs(tmp_path)("python_host"), str(library), script]
    capture = al.record(command, output=tmp_path / "out", env=environment, sites="stack:64")
    assert capture.returncode == 0
    trace = capture["python_host"]
    sites = trace.objects()["site"][trace.objects()["size"] == 50003]
    assert len(sites) == 2  # the interpreter lives twice
    for site in sites.tolist():
        frames = python_frames([*trace.stacks()[site]])
        assert [(frame.function, frame.line) for frame in frames] == [("f", 2), ("<module>", 3)]


@pytest.mark.parametrize(
    ("place", "number", "warning"),
    [
        (0, 0x30B + (sys.version_info[1] == 11), "sites without Python frames"),
        (-1, 8, "sites without Python frames"),  # a text's size: as of another build
        (1, 1, "options: not understood"),
    ],
)
def test_a_layout_that_does_not_fit_leaves_native_frames(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    place: int,
    number: int,
    warning: str,
) -> None:
    layout = list(_recording.frame_layout() or ())
    layout[place] = number
    monkeypatch.setattr(_recording, "frame_layout", lambda: tuple(layout))
    trace = record_script(sys.executable, tmp_path, "stack:32").largest()
    assert [line for line in capfd.readouterr().err.splitlines() if warning in line]
    stack = stack_of(trace, 50003)
    assert not python_frames(stack)
    assert len(stack) > 5
