# SPDX-License-Identifier: MIT
"""diff(): what one trace has more of, on tables small enough to count by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alloclab.errors import UsageError
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


def test_scopes_are_matched_by_name_for_ids_are_each_traces_own() -> None:
    first, second = Objects("a", [(8, 0, 1), (8, 0, 1)]), Objects("b", [(8, 0, 1), (24, 0, 1)])
    first.table["scope"], second.table["scope"] = np.array([0, -1]), np.array([4, 4])
    first.scope_names = lambda: {0: "parse"}  # type: ignore[attr-defined]
    second.scope_names = lambda: {4: "parse"}  # type: ignore[attr-defined]
    assert by_label(diff(first, second), "scope") == {"none": (-1, -8), "parse": (1, 24)}
    assert "site" not in diff(first, second).groups


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
