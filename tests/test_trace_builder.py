# SPDX-License-Identifier: MIT
"""Traces from columns of events: what is written, and what is refused before it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alloclab as al
from alloclab.errors import Error, TraceError, UsageError
from alloclab.traces import KINDS

ALLOCATE, FREE = KINDS["allocate"], KINDS["free"]
STACKS = {
    "stack": np.array([0]),
    "parent": np.array([-1]),
    "frame": np.array([0]),
    "function": np.array([-1]),
    "file": np.array([-1]),
    "module": np.array([-1]),
    "line": np.array([7]),
    "offset": np.array([0]),
    "is_inlined": np.array([False]),
}
TOUCHED = {
    "event": np.array([0]),
    "pages": np.array([4]),
    "resident_at_birth": np.array([1]),
    "resident_at_death": np.array([-1]),
    "is_prefix": np.array([True]),
}


def test_columns_come_back_as_they_were_given(tmp_path: Path) -> None:
    with al.TraceBuilder(tmp_path / "t.alloctrace", image="two") as builder:
        # 2^63 beside small numbers is what NumPy makes a float of.
        builder.append(kind=[ALLOCATE, FREE], size=[64, 0], time_ns=[np.uint64(1 << 63), 1 << 63])
        builder.set_stacks(STACKS)
        builder.set_touched(TOUCHED)
        trace = builder.finish()
    (chunk,) = trace.chunks()
    assert chunk.kind.tolist() == [ALLOCATE, FREE]
    assert chunk.size.tolist() == [64, 0]
    assert chunk.time_ns.tolist() == [1 << 63, 1 << 63]
    assert [frame.line for frame in trace.stacks()[0]] == [7]
    assert {name: column.tolist() for name, column in trace.touched().items()} == {
        name: column.tolist() for name, column in TOUCHED.items()
    }


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("thread", np.array([1 << 32])),
        ("kind", np.array([256 + ALLOCATE])),
        ("kind", [300]),
        ("site", np.array([-1])),
        ("object", np.array([-1])),
        ("time_ns", [1 << 64]),
        ("size", np.array([8.5])),
        ("size", [8.5]),
        ("size", ["8"]),
        ("size", [[8], [8, 9]]),
    ],
)
def test_a_number_that_its_column_cannot_hold_is_refused(
    tmp_path: Path, column: str, values: Any
) -> None:
    columns = {"kind": [ALLOCATE], "size": [8], column: values}
    with (
        al.TraceBuilder(tmp_path / "t.alloctrace", image="wrong") as builder,
        pytest.raises(UsageError, match=f"column {column}"),
    ):
        builder.append(**columns)
    assert list(tmp_path.iterdir()) == []


def test_what_stands_before_a_refused_row_is_kept(tmp_path: Path) -> None:
    with al.TraceBuilder(tmp_path / "t.alloctrace", image="half") as builder:
        with pytest.raises(TraceError, match="event 1: object 5 does not exist"):
            builder.append(kind=[ALLOCATE, FREE], object=[0, 5], size=[8, 0])
        trace = builder.finish()
    assert trace.summary()["requested_live_bytes_at_end"] == 8


@pytest.mark.parametrize(
    ("columns", "error", "reason"),
    [
        ({"parent": None}, UsageError, "the column parent is missing"),
        ({"parent": np.array([(1 << 32) - 1])}, Error, "there is no 4294967295"),
        ({"function": np.array([1 << 32])}, Error, "there is no 4294967296"),
        ({"function": np.array([0])}, Error, "a name does not exist"),
        ({"frame": np.array([1 << 32])}, UsageError, "column frame has no room"),
    ],
)
def test_call_stacks_that_cannot_be_are_refused(
    tmp_path: Path, columns: dict[str, Any], error: type[Error], reason: str
) -> None:
    wrong = {name: column for name, column in (STACKS | columns).items() if column is not None}
    with (
        al.TraceBuilder(tmp_path / "t.alloctrace", image="wrong") as builder,
        pytest.raises(error, match=reason),
    ):
        builder.set_stacks(wrong)


def test_a_touched_row_of_no_event_leaves_no_trace(tmp_path: Path) -> None:
    with al.TraceBuilder(tmp_path / "t.alloctrace", image="wrong") as builder:
        builder.append(kind=[ALLOCATE], size=[1 << 20])
        builder.set_touched(TOUCHED | {"event": np.array([1])})
        with pytest.raises(TraceError, match="a touched row names event 1 of 1"):
            builder.finish()
    assert list(tmp_path.iterdir()) == []


def test_leaving_a_builder_by_an_error_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError),
        al.TraceBuilder(tmp_path / "t.alloctrace", image="wrong") as builder,
    ):
        builder.append(kind=[ALLOCATE], size=[8])
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
