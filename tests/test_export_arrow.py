# SPDX-License-Identifier: MIT
"""Parquet and Arrow files, read back and held against the trace's own columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alloclab as al
from alloclab.traces import KINDS, Trace
from support.exported import CALLS_ALLOCATIONS, Recordings, recordings

__all__ = ["recordings"]

pyarrow = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")
parquet = pytest.importorskip("pyarrow.parquet")

RAW = ("thread", "object", "size", "alignment", "time_ns")


def read(path: Path) -> Any:
    if path.suffix == ".parquet":
        return parquet.read_table(path)
    return feather.read_table(path, memory_map=False)


def exported(trace: Trace, path: Path, **options: str) -> tuple[Any, al.ExportReport]:
    report = al.export_trace(trace, path, **options)
    table = read(path)
    assert len(table) == report.events
    return table, report


def numbers(table: Any, name: str) -> np.ndarray[Any, Any]:
    """A column with 0 where it is null."""
    column: np.ndarray[Any, Any] = table[name].combine_chunks().fill_null(0).to_numpy()
    return column


def check_events(trace: Trace, table: Any) -> None:
    chunks = list(trace.chunks())
    for name in RAW:
        expected = np.concatenate([getattr(chunk, name) for chunk in chunks])
        assert np.array_equal(numbers(table, name), expected), name
    for at in range(3):
        expected = np.concatenate([chunk.value[:, at] for chunk in chunks])
        assert np.array_equal(numbers(table, f"value_{at}"), expected)
    kinds = np.concatenate([chunk.kind for chunk in chunks])
    # The codes of every batch must mean the same, whichever file they were in.
    indexed = table["kind"].combine_chunks()
    by_code = np.array([KINDS[name] for name in indexed.dictionary.to_pylist()])
    assert np.array_equal(by_code[indexed.indices.to_numpy()], kinds)
    site = np.concatenate([chunk.site for chunk in chunks])
    is_known = table["site"].is_valid().to_numpy()
    assert np.array_equal(is_known, site > 0)
    assert np.array_equal(numbers(table, "site")[is_known] + 1, site[is_known])
    assert np.array_equal(numbers(table, "event"), np.arange(len(kinds)))


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("program", [("calls",), ("threads", "4", "50"), ("marks",), ("maps",)])
def test_events_read_back_are_the_chunks(
    recordings: Recordings, tmp_path: Path, suffix: str, program: tuple[str, ...]
) -> None:
    trace = recordings(*program)
    table, report = exported(trace, tmp_path / f"x.{suffix}")
    check_events(trace, table)
    assert set(report.left_out) <= {"touched"}


def test_a_long_trace_read_back_is_its_chunks(workloads: Path, tmp_path: Path) -> None:
    trace = al.open_trace(workloads / "freeciv.alloctrace")
    table, report = exported(trace, tmp_path / "x.parquet")
    check_events(trace, table)
    assert report.left_out == {"touched": len(trace.touched()["event"])}
    groups = parquet.ParquetFile(tmp_path / "x.parquet").num_row_groups
    assert groups == sum(1 for _ in trace.chunks()) > 1


def test_what_an_event_does_not_have_is_null(recordings: Recordings, tmp_path: Path) -> None:
    table, _ = exported(recordings("calls"), tmp_path / "x.parquet")
    rows = table.to_pylist()
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_kind.setdefault(row["kind"], []).append(row)
    assert len(by_kind["allocate"]) == CALLS_ALLOCATIONS
    zero = by_kind["allocate"][0]
    assert (zero["object"], zero["size"], zero["call"]) == (0, 0, "malloc")
    assert zero["alignment"] is zero["tag"] is zero["name"] is zero["value_0"] is None
    assert [row["call"] for row in by_kind["allocate_failed"]] == [
        "malloc",
        "calloc",
        "posix_memalign",
    ]
    assert all(row["object"] is None for row in by_kind["allocate_failed"])
    (of_null,) = by_kind["free_null"]
    assert of_null["object"] is of_null["size"] is of_null["site"] is of_null["call"] is None
    aligned = [row["alignment"] for row in by_kind["allocate"] if row["alignment"]]
    assert aligned == [64, 256, 4096]


def test_scopes_marks_and_tags_have_their_names(recordings: Recordings, tmp_path: Path) -> None:
    table, _ = exported(recordings("marks"), tmp_path / "x.arrow")
    rows = table.to_pylist()
    entered = [(row["scope_kind"], row["name"]) for row in rows if row["kind"] == "scope_enter"]
    assert entered[:2] == [("phase", "load"), ("request", "/index")]
    assert [row["name"] for row in rows if row["kind"] == "mark"] == ["loaded"]
    (block,) = [row for row in rows if row["kind"] == "allocate"]
    assert (block["size"], block["tag"]) == (100, "mipmaps")
    assert all(row["scope_kind"] is None for row in rows if row["kind"] != "scope_enter")


def test_objects_are_chosen_by_the_name_or_the_option(
    recordings: Recordings, tmp_path: Path
) -> None:
    trace = recordings("calls")
    by_name, _ = exported(trace, tmp_path / "x.objects.parquet")
    by_option, _ = exported(trace, tmp_path / "y.arrow", table="objects")
    assert by_name.equals(by_option)
    events, _ = exported(trace, tmp_path / "z.objects.parquet", table="events")
    assert "kind" in events.column_names


def test_objects_read_back_are_those_of_the_trace(recordings: Recordings, tmp_path: Path) -> None:
    trace = recordings("threads", "4", "50")
    table, _ = exported(trace, tmp_path / "x.objects.parquet")
    objects = trace.objects()
    assert np.array_equal(numbers(table, "object"), np.arange(len(objects["size"])))
    for name in ("size", "max_size", "birth", "birth_thread", "reallocations"):
        assert np.array_equal(numbers(table, name), objects[name]), name
    for name in ("death", "scope", "site"):
        is_known = table[name].is_valid().to_numpy()
        assert np.array_equal(is_known, objects[name] >= 0), name
        assert np.array_equal(numbers(table, name)[is_known], objects[name][is_known]), name
    assert table["tag"].null_count == len(table)


def test_objects_have_the_names_of_their_scope_and_tag(
    recordings: Recordings, tmp_path: Path
) -> None:
    table, _ = exported(recordings("marks"), tmp_path / "x.objects.parquet")
    (row,) = table.to_pylist()
    assert (row["size"], row["tag"]) == (100, "mipmaps")
    assert (row["scope"], row["scope_kind"], row["scope_name"]) == (0, "phase", "load")
    assert not row["is_region"]


def test_sites_have_their_frames_innermost_first(recordings: Recordings, tmp_path: Path) -> None:
    trace = recordings("inlining")
    table, report = exported(trace, tmp_path / "x.sites.parquet")
    rows = table.to_pylist()
    assert [row["site"] for row in rows] == list(range(len(trace.stacks())))
    assert report.left_out == {}
    for row, stack in zip(rows, trace.stacks(), strict=True):
        assert [frame["function"] for frame in row["frames"]] == [
            frame.function or None for frame in stack
        ]
        assert [frame["is_inlined"] for frame in row["frames"]] == [
            frame.is_inlined for frame in stack
        ]
    (plain,) = [row["frames"] for row in rows if row["frames"][0]["function"] == "plain_c"]
    assert plain[0]["file"].endswith("inlining.cpp")
    assert plain[0]["line"] == 10
    assert [frame["is_inlined"] for frame in plain[1:4]] == [True, True, False]


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_the_schema_has_the_metadata_and_the_summary(
    recordings: Recordings, tmp_path: Path, suffix: str
) -> None:
    trace = recordings("calls")
    table, _ = exported(trace, tmp_path / f"x.{suffix}")
    about = table.schema.metadata
    assert json.loads(about[b"alloclab.metadata"]) == trace.metadata
    assert json.loads(about[b"alloclab.summary"]) == trace.summary()
    assert about[b"alloclab.table"] == b"events"
