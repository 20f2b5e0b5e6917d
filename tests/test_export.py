# SPDX-License-Identifier: MIT
"""Exports as a whole: names of formats, options, files whole or absent, the command line."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import alloclab as al
from alloclab import cli
from alloclab.errors import NotInstalled, TraceError, UsageError
from alloclab.formats.export import EXPORTS, format_of
from alloclab.formats.export.format import checked_chunks
from alloclab.formats.export.output import written_whole
from alloclab.traces import KINDS
from support.exported import CALLS, CALLS_ALLOCATIONS, Recordings, recordings
from support.scoped_trace import ScopedTrace

__all__ = ["recordings"]

FREECIV = "freeciv.alloctrace"


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("x.parquet", "parquet"),
        ("x.objects.parquet", "parquet"),
        ("x.arrow", "arrow"),
        ("x.android.txt", "android"),
        ("x.android.zip", "android"),
        ("x.heaptrack", "heaptrack"),
        ("x.heaptrack.gz", "heaptrack"),
        ("x.json", "perfetto"),
        ("x.json.gz", "perfetto"),
        ("x.pb.gz", "pprof"),
    ],
)
def test_the_name_of_a_file_says_its_format(name: str, format: str) -> None:
    found = format_of(Path(name))
    assert found is not None
    assert found.name == format


@pytest.mark.parametrize("name", ["x", "x.txt", "x.gz", "x.zip", "parquet", "x.alloctrace"])
def test_a_name_that_may_mean_several_formats_says_none(
    recordings: Recordings, tmp_path: Path, name: str
) -> None:
    assert format_of(Path(name)) is None
    with pytest.raises(UsageError, match="says no format; there are arrow, parquet, android"):
        al.export_trace(recordings("calls"), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_or_option_is_refused(recordings: Recordings, tmp_path: Path) -> None:
    trace, path = recordings("calls"), tmp_path / "x.json"
    with pytest.raises(UsageError, match="no format 'massif'; there are"):
        al.export_trace(trace, path, "massif")
    with pytest.raises(UsageError, match="perfetto has no option 'at'; there are samples"):
        al.export_trace(trace, path, at="peak")
    with pytest.raises(UsageError, match="heaptrack has no option 'at'; it has none"):
        al.export_trace(trace, path, "heaptrack", at="peak")
    with pytest.raises(UsageError, match="samples 0 is not a positive number"):
        al.export_trace(trace, path, samples=0)
    with pytest.raises(UsageError, match="samples: a number of 16610 bits is out of range"):
        al.export_trace(trace, path, samples=10**5000)
    with pytest.raises(UsageError, match="at 'middle': known are peak, end"):
        al.export_trace(trace, path, "pprof", at="middle")
    assert list(tmp_path.iterdir()) == []


def test_a_trace_may_be_named_by_its_path(recordings: Recordings, tmp_path: Path) -> None:
    by_path = al.export_trace(recordings("calls").path, tmp_path / "a.android.txt")
    by_trace = al.export_trace(recordings("calls"), tmp_path / "b.txt", "android")
    assert (tmp_path / "a.android.txt").read_bytes() == (tmp_path / "b.txt").read_bytes()
    assert by_path.events == by_trace.events == sum(CALLS.values())
    assert by_path.left_out == by_trace.left_out


@pytest.mark.parametrize("name", EXPORTS)
def test_a_file_is_the_same_each_time_and_replaces_the_one_before(
    recordings: Recordings, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "out"
    path.write_text("something else", encoding="ascii")
    al.export_trace(recordings("calls"), path, name)
    first = path.read_bytes()
    al.export_trace(recordings("calls"), path, name)
    assert path.read_bytes() == first
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_a_trace_is_not_overwritten(recordings: Recordings, tmp_path: Path) -> None:
    path = tmp_path / "copy.alloctrace"
    content = recordings("calls").path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"will not overwrite .*: it is a trace"):
        al.export_trace(path, path, "android")
    assert path.read_bytes() == content


def test_what_is_no_place_for_a_file_is_refused(recordings: Recordings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it is no file"):
        al.export_trace(recordings("calls"), tmp_path, "android")
    with pytest.raises(UsageError, match="there is no such folder"):
        al.export_trace(recordings("calls"), tmp_path / "none" / "x.json")


@pytest.mark.parametrize("name", EXPORTS)
def test_of_a_damaged_trace_nothing_is_left(workloads: Path, tmp_path: Path, name: str) -> None:
    content = bytearray((workloads / FREECIV).read_bytes())
    content[len(content) // 2] ^= 0xFF  # in the middle of a chunk: the footer is whole
    damaged = tmp_path / "damaged.alloctrace"
    damaged.write_bytes(content)
    out = tmp_path / "out"
    out.mkdir()
    (out / "kept").write_text("the one before", encoding="ascii")
    with pytest.raises(TraceError):
        al.export_trace(damaged, out / "kept", name)
    assert [each.name for each in out.iterdir()] == ["kept"]
    assert (out / "kept").read_text(encoding="ascii") == "the one before"


def test_an_object_that_nothing_created_is_refused_by_its_event() -> None:
    events = ScopedTrace(chunk_events=2)
    events.path = Path("x.alloctrace")  # type: ignore[attr-defined]
    events.end(events.allocate(10))
    events.events.append((KINDS["free"], 0, 2**40, 0))
    chunks = checked_chunks(events)  # type: ignore[arg-type]
    assert len(next(chunks)) == 2
    with pytest.raises(TraceError, match=r"x.alloctrace: event 2 names an object that nothing"):
        next(chunks)


def test_compressed_output_holds_the_plain_one(recordings: Recordings, tmp_path: Path) -> None:
    for suffix in ("json", "heaptrack"):
        plain, packed = tmp_path / f"x.{suffix}", tmp_path / f"x.{suffix}.gz"
        al.export_trace(recordings("calls"), plain)
        al.export_trace(recordings("calls"), packed)
        assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()


def test_a_missing_package_is_named_with_its_extra(
    recordings: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NotInstalled, match=r"pyarrow is not installed: .*alloclab\[arrow\]"):
        al.export_trace(recordings("calls"), tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_writing_leaves_the_file_that_was(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError), written_whole(path) as output, output.opened() as file:
        file.write(b"half")
        raise RuntimeError
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("x", b"before")]


def test_the_report_prints_what_was_left_out(recordings: Recordings, tmp_path: Path) -> None:
    report = al.export_trace(recordings("calls"), tmp_path / "x.heaptrack")
    lines = str(report).splitlines()
    assert lines[0].endswith(f"x.heaptrack: heaptrack, {report.events} told")
    assert lines[1].startswith("left out: alignment 3, allocate_failed 3, call ")
    assert "free_null 1" in lines[1]
    with pytest.raises(TypeError):
        report.left_out["free_null"] = 0  # type: ignore[index]


def run(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, str, str]:
    code = cli.main(["export", *map(str, words)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_command_writes_the_file_and_prints_the_report(
    recordings: Recordings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.pb.gz"
    code, out, err = run(capsys, recordings("calls").path, "-o", path, "--at", "end", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["events"] == CALLS_ALLOCATIONS + CALLS["realloc"] + CALLS["reallocarray"]
    assert told["format"] == "pprof"
    assert told["left_out"]["allocate_failed"] == 3
    assert path.is_file()


def test_the_command_refuses_what_the_format_cannot_use(
    recordings: Recordings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = recordings("calls").path
    for words, reason in (
        (["-o", tmp_path / "x.dat"], "the name x.dat says no format; say --format"),
        (["-o", tmp_path / "x.json", "--table", "objects"], "perfetto has no option 'table'"),
        (["-o", tmp_path / "x.json", "--samples", "0"], "0 is not a positive number"),
        (["-o", tmp_path / "x.json", "--samples", "9" * 23], f"'{'9' * 20}' is too large a number"),
        (["-o", tmp_path / "x.json", "--samples", "9" * 5000], "is too large a number"),
        (["-o", tmp_path / "x.json", "--samples", "many"], "'many' is no whole number"),
        ([], "-o/--output"),
    ):
        code, out, err = run(capsys, trace, *words)
        assert (code, out) == (2, "")
        assert reason in err
        assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_format_and_its_suffixes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "--help"]) == 0
    shown = capsys.readouterr().out
    for each in EXPORTS.values():
        assert f"\n  {each.name:<10} {each.summary} ({', '.join(each.suffixes)})\n" in shown
        assert all(f"--{option.name}" in shown for option in each.options)
