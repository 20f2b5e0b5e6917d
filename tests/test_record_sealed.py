# SPDX-License-Identifier: MIT
"""What programs say and where they allocate, from a real recording to the tables of its trace.

Rows R7, L8: scopes, transfers, resets, roots and references of a program in its trace.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import alloclab as al
from alloclab._native import include_dir
from alloclab.stacks import Frame
from alloclab.traces import NO_SCOPE, Trace

PROGRAMS = Path(__file__).parent / "programs"

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


def build_chains(folder: Path, *flags: str) -> Path:
    library, program = folder / "libchains.so", folder / "chains"
    for source, out, more in (
        ("chains_library.cpp", library, ["-shared", "-fPIC"]),
        ("chains.cpp", program, [str(library), f"-Wl,-rpath,{folder}"]),
    ):
        subprocess.run(["g++", *flags, str(PROGRAMS / source), "-o", str(out), *more], check=True)
    return program


def stack_of(trace: Trace, size: int) -> list[Frame]:
    """The frames of the only block of a size, from `take` to `main`."""
    objects = trace.objects()
    (row,) = (objects["size"] == size).nonzero()[0].tolist()
    frames = [*trace.stacks()[int(objects["site"][row])]]
    return frames[: functions(frames).index("main") + 1]


def functions(frames: list[Frame]) -> list[str]:
    """The names without what is around them: scopes, parameters."""
    names = [frame.function.replace("(anonymous namespace)", "") for frame in frames]
    names = [name.partition("(")[0].rpartition("::")[2] for name in names]
    return [name for name in names if name not in ("malloc", "__libc_malloc")]


@pytest.fixture(scope="module", params=["-O0", "-O2"])
def chains(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    folder = tmp_path_factory.mktemp("chains")
    program = build_chains(folder, request.param, "-g")
    capture = al.record([program], output=folder / "out", sites="stack:32")
    assert capture.returncode == 0
    return capture["chains"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (2001, ["take", "middle", "outer", "main"]),
        (2003, ["take", "inlined_inner", "inlined_outer", "has_inlined", "main"]),
        (2005, ["take", *["recurse"] * 4, "main"]),
        (2007, ["take", "middle", "outer", "call_back", "main"]),
        (2009, ["take", "jumped", "main"]),
    ],
)
def test_each_frame_of_a_known_chain_is_right(
    chains: Trace, size: int, expected: list[str]
) -> None:
    assert functions(stack_of(chains, size)) == expected


def test_inlined_frames_are_marked_and_lines_are_those_of_the_calls(chains: Trace) -> None:
    stack = stack_of(chains, 2003)
    frames = dict(zip(functions(stack), stack, strict=True))
    assert frames["inlined_inner"].is_inlined
    assert frames["inlined_outer"].is_inlined
    assert not frames["has_inlined"].is_inlined
    source = (PROGRAMS / "chains.cpp").read_text().splitlines()
    assert "inlined_outer(size);" in source[frames["has_inlined"].line - 1]
    assert "inlined_inner(size);" in source[frames["inlined_outer"].line - 1]
    assert "has_inlined(2003);" in source[frames["main"].line - 1]


def test_frames_of_a_shared_object_name_it(chains: Trace) -> None:
    frames = stack_of(chains, 2007)
    assert [Path(frame.module).name for frame in frames] == [
        *["chains"] * 3,
        "libchains.so",
        "chains",
    ]


def test_without_debug_information_one_warning_says_so(tmp_path: Path) -> None:
    program = build_chains(tmp_path, "-O2", "-s")
    capture = al.record([program], output=tmp_path / "out", sites="stack")
    assert capture.returncode == 0
    (warning,) = [line for line in capture.warnings if "debug information" in line]
    assert "chains" in warning
    trace = capture["chains"]
    site = int(trace.objects()["site"][trace.objects()["size"] == 2001][0])
    assert trace.stacks()[site][0].module.endswith("chains")


def test_redacted_stacks_hold_no_path(tmp_path: Path) -> None:
    program = build_chains(tmp_path, "-O0", "-g")
    trace = al.record([program], output=tmp_path / "out", sites="stack", redact=True).traces[0]
    assert "take" in functions([frame for stack in trace.stacks() for frame in stack])
    assert not [name for name in trace.names if "/" in name]


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    folder = tmp_path_factory.mktemp("marks")
    program = folder / "marks"
    command = ["gcc", f"-I{include_dir()}", str(PROGRAMS / "marks.c"), "-o", str(program)]
    subprocess.run(command, check=True)
    environment = {**os.environ, "MARKS_RECORDED": "1"}  # it checks that it is
    capture = al.record([program], output=folder / "out", env=environment)
    assert capture.returncode == 0
    return capture["marks"]


def scope_rows(trace: Trace) -> list[tuple[str, str, int]]:
    scopes = trace.scopes()
    return [
        (trace.names[int(kind)], trace.names[int(name)], int(parent))
        for kind, name, parent in zip(scopes["kind"], scopes["name"], scopes["parent"], strict=True)
    ]


def test_scopes_of_a_program_are_rows_with_their_parents(marked: Trace) -> None:
    rows = scope_rows(marked)
    assert rows[0] == ("phase", "load", -1)
    assert rows[1] == ("request", "/index", -1)
    assert rows[2][0] == "task"
    assert rows[2][2] == 1
    kinds = [kind for kind, _, _ in rows]
    assert kinds.count("frame") == 3
    assert marked.summary()["unmatched_scope_exits"] == 0


def test_an_allocation_has_its_scope_and_its_tag(marked: Trace) -> None:
    objects = marked.objects()
    (row,) = (objects["size"] == 100).nonzero()[0].tolist()
    assert objects["scope"][row] == 0
    assert marked.names[int(objects["tag"][row])] == "mipmaps"
    assert next(row.name for row in marked.top("tag", weight="allocated")) == "mipmaps"


def test_marks_transfers_resets_references_and_roots_are_events(marked: Trace) -> None:
    assert [marked.names[int(name)] for name in marked.marks()["name"]] == ["loaded"]
    counts = dict.fromkeys(("transfer", "reset", "reference", "root_push", "root_pop"), 0)
    for chunk in marked.chunks():
        for name in counts:
            counts[name] += int(chunk.is_kind(name).sum())
    # One reset names its scope, one the innermost.
    assert counts == {"transfer": 1, "reset": 2, "reference": 1, "root_push": 1, "root_pop": 1}


def test_a_transfer_to_no_scope_says_so(tmp_path: Path) -> None:
    source, program = tmp_path / "given_up.c", tmp_path / "given_up"
    source.write_text(
        "#include <alloclab/marker.h>\n#include <stdlib.h>\nint main(void) {\n"
        'uint64_t scope = alloclab_phase_enter("load");\nvoid* block = malloc(4321);\n'
        "alloclab_transfer(block, 0);\nalloclab_transfer(block, scope);\n"
        "alloclab_scope_exit(scope);\nfree(block);\n}\n"
    )
    subprocess.run(["gcc", f"-I{include_dir()}", source, "-o", program], check=True)
    trace = al.record([program], output=tmp_path / "out")["given_up"]
    (block,) = (trace.objects()["size"] == 4321).nonzero()[0].tolist()
    moves = [
        (int(chunk.object[at]), int(chunk.value[at][0]))
        for chunk in trace.chunks()
        for at in chunk.is_kind("transfer").nonzero()[0]
    ]
    assert moves == [(block, NO_SCOPE), (block, 0)]
    assert trace.summary()["unresolved_references"] == 0


def test_lines_of_output_become_phases_and_marks(tmp_path: Path) -> None:
    script = "echo begin load; : $(true); echo note one; echo begin run; : $(true)"
    capture = al.record(
        ["bash", "-c", script],
        output=tmp_path,
        mark_output=r"^begin (?P<scope>\w+)|^note",
    )
    trace = max(capture, key=len)
    rows = scope_rows(trace)
    assert [(kind, name) for kind, name, _ in rows] == [("phase", "load"), ("phase", "run")]
    assert [trace.names[int(name)] for name in trace.marks()["name"]] == ["note one"]
    assert not (tmp_path / "marks").exists()


def test_references_of_a_sealed_trace_are_the_graph_at_each_frame(tmp_path: Path) -> None:
    program = tmp_path / "graph"
    command = ["gcc", f"-I{include_dir()}", str(PROGRAMS / "graph.c"), "-o", str(program)]
    subprocess.run(command, check=True)
    trace = al.record([program], output=tmp_path / "out", edges="frame")["graph"]
    objects = trace.objects()
    first_frame = int(trace.scopes()["enter"][0])
    # Six nodes and the table, each of two words; stdio's buffer is larger.
    nodes = {
        int(row)
        for row in ((objects["size"] == 16) & (objects["birth"] > first_frame)).nonzero()[0]
    }
    assert len(nodes) == 7
    graph: dict[tuple[int, int], int] = {}
    frames = []
    for chunk in trace.chunks():
        for at in range(len(chunk)):
            if chunk.is_kind("reference")[at] and int(chunk.object[at]) in nodes:
                slot, target = chunk.value[at][:2].tolist()
                graph[int(chunk.object[at]), slot] = target - 1
            elif chunk.is_kind("scope_enter")[at]:
                frames.append({key: to for key, to in graph.items() if to >= 0})
    empty, built, one_more, one_less, moved = frames
    assert not empty
    assert len(built) == 6
    assert set(built.values()) | {holder for holder, _ in built} == nodes
    (added,) = set(one_more.items()) - set(built.items())
    assert set(built.items()) < set(one_more.items())
    assert added[1] in built.values()
    (freed,) = (int(row) for row in nodes if objects["death"][row] >= 0)
    assert freed not in one_less.values()
    assert len(one_less) == 6
    assert moved == one_less
    assert trace.summary()["unresolved_references"] == 0
    assert trace.metadata["edges"]["epochs"] == 5
