# SPDX-License-Identifier: MIT
"""Call sites of recorded programs, down to the bytes of the captures."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.recorded_programs import Programs
from support.recorded_sites import Sites, run_with_sites, sites_of

DEPTH = 16


@dataclass
class Recorded:
    program: str
    plugin: str
    other: str
    sites: Sites
    of_child: Sites


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    if shutil.which(os.environ.get("CC", "cc")) is None or shutil.which("nm") is None:
        pytest.skip("no C compiler")
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def recorded(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return record_at(programs, tmp_path_factory.mktemp("stack"), f"stack:{DEPTH}")


def record_at(programs: Programs, folder: Path, sites: str) -> Recorded:
    program = programs("sites", "-fomit-frame-pointer", "-fno-optimize-sibling-calls")
    plugins = []
    for function, size in (("in_plugin", 1021), ("in_other", 1025)):
        path = programs.folder / f"{function}.so"
        flags = [f"-DPLUGIN_FUNCTION={function}", f"-DPLUGIN_BYTES={size}", "-fPIC", "-shared"]
        source = Path(__file__).parent / "programs" / "sites.cpp"
        subprocess.run(["c++", "-O1", *flags, "-o", path, source], check=True)
        plugins.append(str(path))
    parent, child = run_with_sites([program, *plugins], folder / "captures", sites)
    return Recorded(program, *plugins, sites_of(parent), sites_of(child))


@pytest.mark.parametrize(
    ("size", "innermost"),
    [
        (1001, ["by_malloc", "by_malloc_twice", "main"]),
        (1003, ["by_new", "main"]),
        (1027, ["by_new_array", "main"]),
        (1005, ["by_realloc", "main"]),
        (1007, ["by_realloc", "main"]),
        (1009, ["by_calloc", "main"]),
        (1011, ["by_memalign", "main"]),
        (1000001, ["by_large_malloc", "main"]),
        (1013, ["by_malloc", "on_signal"]),
        (1015, ["by_malloc", "in_thread"]),
        (1017, ["by_malloc"] + ["by_recursion"] * (DEPTH - 1)),
        (1021, ["in_plugin", "by_plugin", "main"]),
        (1025, ["in_other", "by_plugin", "main"]),
    ],
)
def test_each_allocation_has_the_stack_it_came_from(
    recorded: Recorded, size: int, innermost: list[str]
) -> None:
    stacks = recorded.sites.functions(size)
    assert stacks
    for stack in stacks:
        assert stack[: len(innermost)] == innermost


def test_the_stack_of_a_handler_goes_on_to_what_it_interrupted(recorded: Recorded) -> None:
    (stack,) = recorded.sites.functions(1013)
    assert [name for name in stack if name.startswith("by_")] == ["by_malloc", "by_signal"]
    assert "main" in stack


def test_a_stack_reaches_the_start_of_the_program(recorded: Recorded) -> None:
    (stack,) = recorded.sites.functions(1003)
    assert stack[-1] == "_start"
    assert len(stack) < DEPTH


def test_the_same_stack_is_told_once(recorded: Recorded) -> None:
    first, second = recorded.sites.frames[1001]
    assert first == second != 0


def test_constructors_of_opened_objects_have_stacks_too(recorded: Recorded) -> None:
    for stack in recorded.sites.functions(1022):
        assert stack[0] == "allocate_on_load"
        assert "by_plugin" in stack


def test_objects_are_told_when_they_come_and_go(recorded: Recorded) -> None:
    sites = recorded.sites
    paths = [module.path for module in sites.modules]
    assert paths.count(recorded.program) == 1
    assert paths.count(recorded.plugin) == 2
    assert paths.count(recorded.other) == 2
    assert "[vdso]" in paths
    assert [module.path for module in sites.gone] == [recorded.plugin, recorded.other] * 2
    libc = next(module for module in sites.modules if "libc.so" in module.path)
    assert len(libc.build_id) == 40
    # The loader puts the one where the other was: only the order tells them apart.
    assert len({module.begin for module in sites.gone}) < 4


def test_a_forked_child_tells_frames_and_objects_anew(recorded: Recorded) -> None:
    (stack,) = recorded.of_child.functions(1019)
    assert stack[:3] == ["by_malloc", "in_child", "main"]
    assert recorded.program in [module.path for module in recorded.of_child.modules]


def test_caller_is_the_one_address(programs: Programs, tmp_path: Path) -> None:
    recorded = record_at(programs, tmp_path, "caller")
    for size, function in ((1001, "by_malloc"), (1003, "by_new"), (1007, "by_realloc")):
        assert set(map(tuple, recorded.sites.functions(size))) == {(function,)}
    assert recorded.sites.functions(1025) == [["in_other"]] * 2


def test_the_depth_asked_for_is_kept(programs: Programs, tmp_path: Path) -> None:
    recorded = record_at(programs, tmp_path, "stack:2")
    assert recorded.sites.functions(1001) == [["by_malloc", "by_malloc_twice"]] * 2


@pytest.mark.parametrize(
    "command",
    [["churn", "20000"], ["threads", "8", "2000"], ["signals", "100000"], ["processes", "fork"]],
    ids=lambda command: command[0],
)
def test_sites_are_well_formed_whatever_the_program_does(
    programs: Programs, tmp_path: Path, command: list[str]
) -> None:
    captures = run_with_sites(
        [programs(command[0]), *command[1:]], tmp_path / "captures", "stack:32"
    )
    for capture in captures:
        assert sites_of(capture).site_count > 0
        assert int.from_bytes(capture.header[80:88], "little") == 0


def test_without_sites_a_capture_holds_none(programs: Programs, tmp_path: Path) -> None:
    (capture,) = run_with_sites([programs("churn"), "1000"], tmp_path / "captures", "none")
    assert not capture.said("site", "frame", "module")
