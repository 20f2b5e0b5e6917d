# SPDX-License-Identifier: MIT
"""diff(): what one trace has more of, on tables small enough to count by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alloclab.errors import UsageError
from alloclab.trace_builder import TraceBuilder
from alloclab.traces import KINDS, Trace
from alloclab.traces_diff import TraceDiff, class_limit, diff, size_class


class Objects:
    """A trace of given blocks: (size, birth, death), death -1 for never, and regions' sizes."""

    def __init__(self, name: str, blocks: list[tuple[int, int, int]], regions: Any = ()) -> None:
        self.path = name
        rows = [(*block, False) for block in blocks] + [(size, 0, -1, True) for size in regions]
        columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
        self.table: dict[str, Any] = {
            "size": np.array(columns[0], dtype=np.uint64),
            "birth": np.array(columns[1], dtype=np.int64),
            "death": np.array(columns[2], dtype=np.int64),
            "is_region": np.array(columns[3], dtype=bool),
        }

    def objects(self) -> dict[str, Any]:
        return self.table


def by_label(found: TraceDiff, dimension: str) -> dict[str, tuple[int, int]]:
    groups = found.groups[dimension]
    return {group.label: (group.more_objects, group.more_bytes) for group in groups}


def test_sizes_are_grouped_into_classes() -> None:
    before = Objects("a", [(16, 0, 1), (100, 1, 2), (0, 2, 3)])
    after = Objects("b", [(16, 0, 1), (112, 1, 2), (100, 3, 4), (5000, 5, -1)])
    assert by_label(diff(before, after), "size") == {
        "0 B": (-1, 0),
        "up to 16 B": (0, 0),
        "up to 112 B": (1, 112),
        "up to 5 KiB": (1, 5000),
    }


def test_lifetimes_are_decades_of_events() -> None:
    before = Objects("a", [(8, 0, 9), (8, 0, 10)])
    after = Objects("b", [(8, 0, 1000), (8, 5, -1)])
    assert by_label(diff(before, after), "lifetime") == {
        "1 to 9 events": (-1, -8),
        "10 to 99 events": (-1, -8),
        "1,000 to 9,999 events": (1, 8),
        "never freed": (1, 8),
    }


def test_what_the_program_mapped_itself_is_apart() -> None:
    found = diff(Objects("a", [(8, 0, 1)], [1 << 20]), Objects("b", [(8, 0, 1)], [1 << 20] * 3))
    assert by_label(found, "region") == {"up to 1 MiB": (2, 2 << 20)}
    assert by_label(found, "size") == {"up to 16 B": (0, 0)}
    assert (found.total.first_objects, found.total.second_objects) == (1, 1)


def scoped(path: Path, unused: list[str], *scopes: tuple[str, str, list[int]]) -> Trace:
    """A trace of scopes (kind, name, sizes allocated within); `unused` names come before theirs."""
    rows: list[tuple[int, int, int, tuple[int, int, int]]] = []
    with TraceBuilder(path, image="made") as builder:
        for name in unused:
            builder.intern(name)
        objects = 0
        for instance, (kind, name, sizes) in enumerate(scopes):
            told = (instance, builder.intern(kind), builder.intern(name))
            rows.append((KINDS["scope_enter"], 0, 0, told))
            for size in sizes:
                rows.append((KINDS["allocate"], objects, size, (0, 0, 0)))
                objects += 1
            rows.append((KINDS["scope_exit"], 0, 0, (instance, 0, 0)))
        kind_, number, size_, value = zip(*rows, strict=True)
        builder.append(kind=kind_, object=number, size=size_, value=value)
        return builder.finish()


def test_scopes_are_matched_by_kind_and_name_for_numbers_are_each_traces_own(
    tmp_path: Path,
) -> None:
    parse, build = ("phase", "parse", [8, 8]), ("phase", "build", [100])
    first = scoped(tmp_path / "a.alloctrace", [], parse, build)
    parse = ("phase", "parse", [8, 8, 24])
    second = scoped(tmp_path / "b.alloctrace", ["of no use"], build, ("task", "parse", [1]), parse)
    found = diff(first, second)
    assert by_label(found, "scope") == {
        "phase build": (0, 0),
        "phase parse": (1, 24),
        "task parse": (1, 1),
    }
    assert "site" not in found.groups


def sited(path: Path, unused: list[str], line: int, *stacks: tuple[int, list[str]]) -> Trace:
    """A trace of blocks (size, functions innermost first), each of a call stack of its own."""
    with TraceBuilder(path, image="made") as builder:
        for name in unused:
            builder.intern(name)
        count = len(stacks)
        builder.append(
            kind=[KINDS["allocate"]] * count,
            object=range(count),
            size=[size for size, _ in stacks],
            site=range(1, count + 1),
        )
        parents: list[int] = []
        functions: list[int] = []
        innermost = []
        for _, names in stacks:
            for depth, name in enumerate(reversed(names)):
                parents.append(len(functions) - 1 if depth else -1)
                functions.append(builder.intern(name))
            innermost.append(len(functions) - 1)
        frames = len(functions)
        builder.set_stacks(
            {
                "stack": np.array(innermost),
                "parent": np.array(parents),
                "frame": np.arange(frames),
                "function": np.array(functions),
                "file": np.full(frames, builder.intern("a.c")),
                "module": np.full(frames, -1),
                "line": np.full(frames, line),
                "offset": np.zeros(frames, np.int64),
                "is_inlined": np.zeros(frames, np.int64),
            }
        )
        return builder.finish()


def test_sites_are_matched_by_their_functions_wherever_those_moved_to(tmp_path: Path) -> None:
    parse, build = ["grow", "parse", "main"], ["grow", "build", "main"]
    first = sited(tmp_path / "a.alloctrace", [], 10, (8, parse), (100, build))
    second = sited(
        tmp_path / "b.alloctrace",
        ["new"],
        12,
        (100, build),
        (40, ["main"]),
        (8, parse),
        (16, parse),
    )
    found = diff(first, second)
    assert by_label(found, "site") == {
        "grow < build < main": (0, 0),
        "grow < parse < main": (1, 16),
        "main": (1, 40),
    }
    assert "scope" not in found.groups
    assert diff(first, first).is_empty


def test_long_call_stacks_are_cut_in_the_table_only(tmp_path: Path) -> None:
    deep = [f"function_{depth}" for depth in range(40)]
    first = sited(tmp_path / "a.alloctrace", [], 1, (8, ["main"]))
    second = sited(tmp_path / "b.alloctrace", [], 1, (8, ["main"]), (64, deep))
    found = diff(first, second, by=["site"])
    assert " < ".join(deep) in by_label(found, "site")
    assert all(len(line) < 200 for line in found.table().splitlines()[3:])


def test_a_trace_does_not_differ_from_itself() -> None:
    trace = Objects("a", [(8, 0, 1), (300, 1, -1)], [4096])
    found = diff(trace, trace)
    assert found.is_empty
    assert "by size: no difference" in found.table()


def test_empty_traces_can_be_compared() -> None:
    found = diff(Objects("a", []), Objects("b", [(64, 0, 1)]))
    assert by_label(found, "size") == {"up to 64 B": (1, 64)}
    assert diff(Objects("a", []), Objects("b", [])).is_empty


def test_the_table_has_the_largest_differences_first_and_says_how_many_are_left() -> None:
    after = Objects("b", [(16, 0, 1), (1000, 0, 1), (64, 0, 1)])
    lines = diff(Objects("a", []), after, by=["size"]).table(limit=2).splitlines()
    assert lines[2] == "blocks in all  +1.08 kB in +3 objects  (0 B in 0 -> 1.08 kB in 3)"
    assert lines[5].startswith("  up to 1 KiB  +1.00 kB in +1 objects")
    assert lines[6].startswith("  up to 64 B   +64 B in +1 objects")
    assert lines[7] == "  and 1 smaller differences"


def test_only_the_dimensions_asked_for_are_given() -> None:
    found = diff(Objects("a", [(8, 0, 1)]), Objects("b", []), by=["lifetime"])
    assert list(found.groups) == ["lifetime"]
    document = json.loads(json.dumps(found.to_json()))
    assert document["groups"]["lifetime"][0]["first_bytes"] == 8
    with pytest.raises(UsageError, match="unknown dimension 'age': known are size, lifetime"):
        diff(Objects("a", []), Objects("b", []), by=["age"])


@given(st.integers(1, 1 << 40))
def test_a_size_is_within_its_class(size: int) -> None:
    number = int(size_class(np.array([size], dtype=np.uint64))[0])
    assert size <= class_limit(number)
    assert number == 1 or size > class_limit(number - 1)


def test_classes_are_four_a_doubling() -> None:
    limits = [class_limit(number) for number in range(1, 14)]
    assert limits == [16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
