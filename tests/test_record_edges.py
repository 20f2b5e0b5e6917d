# SPDX-License-Identifier: MIT
"""`edges=`: the recorder finds the object graph of a program that builds a known one."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

from alloclab import _native
from support.capture_events import RawCapture, read_capture

SOURCES = Path(__file__).parent / "programs"
Graph = dict[tuple[int, int], int]


def run(folder: Path, source: str, edges: str, *flags: str) -> tuple[str, list[RawCapture]]:
    program = folder / "program"
    include = ["-I", str(_native.include_dir())]
    subprocess.run(["cc", *flags, *include, "-o", program, SOURCES / source], check=True)
    captures = folder / "captures"
    captures.mkdir()
    (captures / "options").write_text(f"edges={edges}\n")
    given = {
        "PATH": os.environ["PATH"],
        "LD_PRELOAD": str(_native.record_library()),
        "ALLOCLAB_RECORD_DIR": str(captures),
    }
    done = subprocess.run(
        [program], env=given, check=True, timeout=120, stdout=subprocess.PIPE, text=True
    )
    return done.stdout, [read_capture(path) for path in sorted(captures.glob("*.capture"))]


def epochs(capture: RawCapture) -> list[tuple[Graph, set[int]]]:
    """The references and the targets of roots, as they stand at each frame's beginning."""
    graph: Graph = {}
    roots: dict[int, int] = {}
    found = []
    for event in capture.events:
        if event.word == "reference":
            holder, slot, target = event.fields
            graph[holder, slot] = target
        elif event.word == "root" and event.fields[0] == 2:
            roots[event.fields[1]] = event.fields[2]
        elif event.word == "scope_enter":
            found.append(({key: to for key, to in graph.items() if to}, set(roots.values())))
    return found


def test_references_are_those_of_the_program_at_each_frame(tmp_path: Path) -> None:
    printed, (capture,) = run(tmp_path, "graph.c", "frame")
    *nodes, moved = [int(word, 16) for word in printed.split()]
    first, second, third, tree, left, right, table = nodes
    built = {
        (first, 0): second,
        (second, 0): third,
        (tree, 0): left,
        (tree, 1): right,
        (table, 0): first,
        (table, 1): tree,
    }
    empty, as_built, one_more, one_less, after_move = epochs(capture)
    inside = set(nodes)
    assert not {key for key in empty[0] if key[0] in inside}

    def of_nodes(graph: Graph) -> Graph:
        return {key: to for key, to in graph.items() if key[0] in inside}

    assert of_nodes(as_built[0]) == built
    assert {first, tree, table} <= as_built[1]
    assert of_nodes(one_more[0]) == {**built, (left, 0): second}
    del built[second, 0]
    assert of_nodes(one_less[0]) == {**built, (left, 0): second}
    assert third not in one_less[0].values()
    # What moved keeps its references, so nothing is told of them again.
    assert of_nodes(after_move[0]) == {**built, (left, 0): second}
    assert moved in after_move[1]


def test_the_stacks_and_locals_of_all_threads_are_roots(tmp_path: Path) -> None:
    printed, (capture,) = run(tmp_path, "rooted.c", "frame", "-pthread")
    blocks = dict(line.rsplit(" ", 1) for line in printed.splitlines())
    assert len(blocks) == 6
    (_, targets), (_, afterwards) = epochs(capture)
    unseen = {whose for whose, at in blocks.items() if int(at, 16) not in targets}
    assert not unseen
    assert not {whose for whose, at in blocks.items() if int(at, 16) in afterwards}


def test_the_head_tells_how_references_were_looked_for(tmp_path: Path) -> None:
    _, (capture,) = run(tmp_path, "graph.c", "frame")
    epoch_count, words, hits, chance, references, roots, unseen = struct.unpack(
        "<7Q", capture.header[176:232]
    )
    told = [event.word for event in capture.events]
    assert epoch_count == 5
    assert words > hits > 0
    assert chance == unseen == 0
    assert references == told.count("reference")
    assert roots == told.count("root")


def test_eight_threads_allocate_while_references_are_looked_for(tmp_path: Path) -> None:
    counts = []
    for edges in ("none", "100"):
        folder = tmp_path / edges
        folder.mkdir()
        _, (capture,) = run(folder, "threads.c", edges, "-pthread")
        assert struct.unpack("<Q", capture.header[80:88]) == (0,)
        others = ("reference", "root", "footprint")
        counts.append(sum(event.word not in others for event in capture.events))
    assert counts[0] == counts[1]
    assert struct.unpack("<Q", capture.header[176:184])[0] > 0


def test_a_forked_child_looks_at_its_own_blocks(tmp_path: Path) -> None:
    _, captures = run(tmp_path, "marks_forked.c", "1")
    assert len(captures) > 1
    assert all(struct.unpack("<Q", capture.header[80:88]) == (0,) for capture in captures)
