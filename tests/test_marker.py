# SPDX-License-Identifier: MIT
"""alloclab/marker.h and alloclab.marker: what they say when recorded, and that they say nothing
otherwise. Read from the captures' bytes, without the lab's own reader.

Rows R7, W3, L2 (scopes of every kind, entered and left), R39 (reset), R81, R82 (tags).
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from alloclab import _native, marker
from alloclab.errors import UsageError
from support.capture_events import RawCapture, read_capture

SOURCES = Path(__file__).parent / "programs"
COMPILERS = [("gcc", "g++"), ("clang-14", "clang++-14")]
MODES = {
    "pie": ["-fPIE", "-pie"],
    "fixed": ["-fno-pie", "-no-pie"],
    "static": ["-fno-pie", "-static"],
    "library": ["-fPIC", "-shared", "-DMARKS_LIBRARY"],
}
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def include() -> list[str]:
    return ["-I", str(_native.include_dir())]


def build(folder: Path, source: str, compiler: str, mode: str, *flags: str) -> Path:
    """Compiles one of the programs; of a library also the program that runs it."""
    standard = "-std=c++11" if source.endswith(".cpp") else "-std=c99"
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    made = folder / ("libmarks.so" if mode == "library" else "marks")
    words = [compiler, standard, *flags, *MODES[mode], *WARNINGS, *include()]
    subprocess.run([*words, "-o", made, SOURCES / source], check=True)
    if mode != "library":
        return made
    host = folder / "host"
    link = ["-L", folder, "-lmarks", f"-Wl,-rpath,{folder}"]
    subprocess.run(["cc", "-o", host, SOURCES / "marks_host.c", *link], check=True)
    return host


def recorded(folder: Path, *command: str | Path, **environment: str) -> list[RawCapture]:
    """Runs a command with the recorder preloaded, and reads what it left, in order of time."""
    captures = folder / "captures"
    captures.mkdir()
    given = {
        "PATH": os.environ["PATH"],
        "LD_PRELOAD": str(_native.record_library()),
        "ALLOCLAB_RECORD_DIR": str(captures),
        "MARKS_RECORDED": "1",
        **environment,
    }
    subprocess.run([str(word) for word in command], env=given, check=True, timeout=120)
    found = [read_capture(path) for path in captures.glob("*.capture")]
    return sorted(found, key=lambda capture: capture.header[32:40][::-1])  # wall clock at the start


def said_by_marks(capture: RawCapture) -> list[tuple[str | int, ...]]:
    """What marks.c says, with the block's address replaced by "block"."""
    blocks = {event.fields[0] for event in capture.said("transfer")}
    (block,) = blocks
    return [
        tuple("block" if field == block else field for field in line) for line in capture.told()
    ]


MARKS = [
    ("enter", 1, "phase", "load"),
    ("tag", "textures"),
    ("tag", "mipmaps"),
    ("tag", "textures"),
    ("tag", ""),
    ("exit", 1),
    ("enter", 2, "request", "/index"),
    ("enter", 3, "task", ""),
    ("transfer", "block", 2),
    ("reset", 3),
    ("reset", 3),
    ("exit", 3),
    ("exit", 2),
    ("enter", 4, "frame", "first"),
    ("exit", 4),
    ("enter", 5, "frame", "second"),
    ("exit", 5),
    ("enter", 6, "frame", ""),
    ("enter", 7, "turn", ""),
    ("enter", 8, "tick", "one"),
    ("enter", 9, "turn", "mine"),
    ("exit", 9),
    ("enter", 10, "tick", "mine"),
    ("exit", 10),
    ("mark", "loaded"),
    ("reference", "block", 3, 0),
    ("root", 0, "block"),
    ("root", 2, 0, 0),
    ("root", 1, 1),
]
BUILDS = list(itertools.product(range(2), COMPILERS, MODES, ["-O0", "-O2"]))


@pytest.mark.parametrize(("language", "compilers", "mode", "level"), BUILDS)
def test_marks_are_told_when_recorded_and_do_nothing_otherwise(
    tmp_path: Path, language: int, compilers: tuple[str, str], mode: str, level: str
) -> None:
    source = ["marks.c", "marks_twin.cpp"][language]
    program = build(tmp_path, source, compilers[language], mode, level)
    bare = subprocess.run([program], capture_output=True, check=False, env={})
    assert (bare.returncode, bare.stdout, bare.stderr) == (0, b"", b"")
    if mode != "static":
        (capture,) = recorded(tmp_path, program)
        assert said_by_marks(capture) == MARKS


def test_a_forked_child_goes_on_in_the_scopes_of_its_parent(tmp_path: Path) -> None:
    program = build(tmp_path, "marks_forked.c", "cc", "pie")
    captures = recorded(tmp_path, program)
    parents = [capture for capture in captures if capture.told()[2] == ("tag", "outer")]
    children = [capture for capture in captures if capture not in parents]
    assert len(parents) == 1
    assert len(children) == 2  # the child, and its own, forked before it had said anything
    for child in children:
        assert child.told() == [
            ("enter", 1, "frame", "parent's"),
            ("enter", 2, "phase", "load"),
            ("tag", "inner"),
            ("tag", "outer"),
            ("exit", 2),
            ("exit", 1),
            ("enter", 3, "frame", "child's"),
        ]
        words = [event.word for event in child.events]
        assert words.index("scope_enter") < words.index("allocate")


def test_texts_of_any_length_are_told_in_parts_and_cut_at_a_character(tmp_path: Path) -> None:
    script = """
import alloclab.marker as marker
marker.mark("")
marker.mark("x" * 128)
marker.mark("y" * 129)
marker.mark("\\u00e4" * 5000)
marker.mark("z" * 4095 + "\\u20ac")
marker.mark("cut\\0here")
"""
    captures = recorded(tmp_path, sys.executable, "-c", script)
    marks = [line[1] for capture in captures for line in capture.told() if line[0] == "mark"]
    expected = ["", "x" * 128, "y" * 129, "ä" * 2048, "z" * 4095, "cut"]
    assert marks == expected


def test_more_names_than_the_table_holds_share_one_and_are_counted(tmp_path: Path) -> None:
    script = """
import alloclab.marker as marker
for number in range(50_000):
    marker.mark(f"n{number}")
marker.mark("n3")
"""
    captures = recorded(tmp_path, sys.executable, "-c", script)
    capture = max(captures, key=lambda each: len(each.names))
    marks = [line[1] for line in capture.told() if line[0] == "mark"]
    kept = 48 * 1024 - 1  # the last place is for those beyond
    assert marks[:kept] == [f"n{number}" for number in range(kept)]
    assert set(marks[kept:-1]) == {"(a name beyond the recorder's table)"}
    assert marks[-1] == "n3"
    assert int.from_bytes(capture.header[152:160], "little") == 50_000 - kept


def test_python_says_the_same_words(tmp_path: Path) -> None:
    script = """
import alloclab.marker as marker
with marker.phase("load") as load, marker.tag("textures"):
    marker.transfer(4096, load)
    marker.reset(load)
    marker.reset()
marker.transfer(4096, None)
@marker.request("/index")
@marker.tag("answer")
def serve(depth):
    return depth and serve(depth - 1)
assert serve(1) == 0
marker.frame_end("first"); marker.frame_end(); marker.turn_end(); marker.tick_end()
marker.boundary("lap", "one")
for each in (marker.frame, marker.turn, marker.tick, marker.task):
    with each("mine"): pass
with marker.scope("session", "me"): pass
with marker.tag(None): pass
marker.reference(4096, 1, 0)
marker.root_push(4096); marker.root_set(0, 0); marker.root_pop()
assert marker.is_recorded()
"""
    captures = recorded(tmp_path, sys.executable, "-c", script)
    (capture,) = (each for each in captures if each.told())
    assert capture.told()[:8] == [
        ("enter", 1, "phase", "load"),
        ("tag", "textures"),
        ("transfer", 4096, 1),
        ("reset", 1),
        ("reset", 1),
        ("tag", ""),
        ("exit", 1),
        ("transfer", 4096, 0),
    ]
    assert capture.told()[8:14] == [
        ("enter", 2, "request", "/index"),
        ("tag", "answer"),
        ("enter", 3, "request", "/index"),
        ("exit", 3),
        ("tag", ""),
        ("exit", 2),
    ]
    kinds = [line[2] for line in capture.told()[14:] if line[0] == "enter"]
    assert kinds == [
        *("frame", "frame", "turn", "tick", "lap"),
        *("frame", "turn", "tick", "task", "session"),
    ]
    assert capture.told()[-4:] == [
        ("reference", 4096, 1, 0),
        ("root", 0, 4096),
        ("root", 2, 0, 0),
        ("root", 1, 1),
    ]


def test_python_does_nothing_when_not_recorded() -> None:
    def function() -> int:
        return 3

    assert not marker.is_recorded()
    assert marker.phase("load")(function) is function
    with marker.request("/index") as scope, marker.tag("answer"):
        assert scope.number == 0
    marker.frame_end()
    marker.mark("here")
    marker.transfer(1, scope)


def test_a_function_that_returns_before_it_has_run_cannot_be_a_scope() -> None:
    async def later() -> None: ...

    with pytest.raises(UsageError, match="later: returns before it has run"):
        marker.phase("load")(later)


def test_objects_of_a_library_in_nobodys_sight_are_recorded(tmp_path: Path) -> None:
    library = tmp_path / "objects.so"
    words = ["c++", "-shared", "-fPIC", "-o", library, SOURCES / "objects_loaded.cpp"]
    subprocess.run(words, check=True)
    program = tmp_path / "loads"
    subprocess.run(["cc", "-o", program, SOURCES / "loads.c", "-ldl"], check=True)
    (capture,) = recorded(tmp_path, program, library)
    assert len(capture.said("allocate", "allocate_any")) > 40
