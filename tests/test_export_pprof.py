# SPDX-License-Identifier: MIT
"""Profiles for pprof, decoded from their bytes and held against the recording."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import alloclab as al
from alloclab.formats.export.pprof_tables import Tables
from alloclab.formats.export.protobuf import message, number, packed, varint
from alloclab.stacks import Frame
from alloclab.traces import Trace
from support.exported import CALLS, CALLS_ALLOCATED_BYTES, CALLS_ALLOCATIONS, Recordings, recordings

__all__ = ["recordings"]

Message = dict[int, list[int | bytes]]


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def decode(data: bytes) -> Message:
    """Reads the fields of a message: numbers, and the bytes of what has a length."""
    fields: Message = {}
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        assert key & 7 in (0, 2)
        value, at = read_varint(data, at)
        content: int | bytes = value
        if key & 7 == 2:
            assert at + value <= len(data)
            content, at = data[at : at + value], at + value
        fields.setdefault(key >> 3, []).append(content)
    return fields


def numbers(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = read_varint(data, at)
        yield value


@dataclass
class Sample:
    stack: list[str]
    lines: list[int]
    values: list[int]
    tag: str


class Profile:
    """A decoded profile; every number in it must refer to something."""

    def __init__(self, data: bytes) -> None:
        self.fields = decode(gzip.decompress(data))
        self.strings = [bytes(text).decode() for text in self.fields[6]]
        assert self.strings[0] == ""
        functions = [decode(bytes(each)) for each in self.fields[5]]
        self.functions = {each[1][0]: self.strings[int(each[2][0])] for each in functions}
        self.mappings = [decode(bytes(each)) for each in self.fields.get(3, [])]
        self.locations = {
            each[1][0]: each for each in (decode(bytes(one)) for one in self.fields[4])
        }
        self.samples = [self._sample(decode(bytes(each))) for each in self.fields[2]]

    def _sample(self, fields: Message) -> Sample:
        stack, lines, tag = [], [], ""
        for location in numbers(bytes(fields[1][0])):
            for line in self.locations[location][4]:
                told = decode(bytes(line))
                stack.append(self.functions[told[1][0]])
                lines.append(int(told.get(2, [0])[0]))
        for label in fields.get(3, []):
            told = decode(bytes(label))
            assert self.strings[int(told[1][0])] == "tag"
            tag = self.strings[int(told[2][0])]
        return Sample(stack, lines, list(numbers(bytes(fields[2][0]))), tag)

    def text(self, field: int) -> str:
        return self.strings[int(self.fields[field][0])]

    def totals(self) -> list[int]:
        return [sum(column) for column in zip(*(each.values for each in self.samples), strict=True)]


def exported(trace: Trace, path: Path, **options: str) -> tuple[Profile, al.ExportReport]:
    report = al.export_trace(trace, path, **options)
    return Profile(path.read_bytes()), report


def test_the_sample_types_are_those_of_a_heap_profile(
    recordings: Recordings, tmp_path: Path
) -> None:
    trace = recordings("calls")
    profile, _ = exported(trace, tmp_path / "x.pb.gz")
    kinds = [decode(bytes(each)) for each in profile.fields[1]]
    assert [(profile.strings[int(k[1][0])], profile.strings[int(k[2][0])]) for k in kinds] == [
        ("alloc_objects", "count"),
        ("alloc_space", "bytes"),
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    ]
    assert profile.text(14) == "inuse_space"
    assert profile.fields[9] == [trace.metadata["start_wall_ns"]]
    assert profile.fields[10] == [trace.summary()["duration_ns"]]
    assert profile.text(13) == "calls: in use at the peak of requested bytes"


def test_the_values_add_up_to_what_the_program_does(recordings: Recordings, tmp_path: Path) -> None:
    moved = CALLS["realloc"] + CALLS["reallocarray"]
    at_peak, report = exported(recordings("calls"), tmp_path / "x.pb.gz")
    # At the peak there is the one block that was reallocated to 400,000 bytes.
    expected = [CALLS_ALLOCATIONS + moved, CALLS_ALLOCATED_BYTES, 1, 400_000]
    assert at_peak.totals() == expected
    assert report.events == expected[0]
    at_end, _ = exported(recordings("calls"), tmp_path / "y.pb.gz", at="end")
    assert at_end.totals() == [*expected[:2], 0, 0]
    (largest,) = [each for each in at_peak.samples if each.values[2]]
    assert at_peak.samples[0] == largest  # the largest in use comes first
    assert largest.values == [1, 400_000, 1, 400_000]


def test_the_values_of_a_long_trace_add_up_to_its_summary(workloads: Path, tmp_path: Path) -> None:
    trace = al.open_trace(workloads / "freeciv.alloctrace")
    summary = trace.summary()
    at_peak, _ = exported(trace, tmp_path / "x.pb.gz")
    at_end, _ = exported(trace, tmp_path / "y.pb.gz", at="end")
    calls = [summary["allocations"] + summary["reallocations"], summary["requested_total_bytes"]]
    assert at_peak.totals()[:2] == at_end.totals()[:2] == calls
    assert at_peak.totals()[3] == summary["peak_requested_live_bytes"]
    live = [summary["live_objects_at_end"], summary["requested_live_bytes_at_end"]]
    assert at_end.totals()[2:] == live
    assert [each.stack for each in at_peak.samples] == [["(unknown)"]]


def test_inlined_functions_are_lines_of_one_location(
    recordings: Recordings, tmp_path: Path
) -> None:
    profile, _ = exported(recordings("inlining"), tmp_path / "x.pb.gz")
    (sample,) = [each for each in profile.samples if each.stack[0] == "plain_c"]
    names = [name.partition("(")[0] for name in sample.stack[:5]]
    assert names == ["plain_c", "outer::innermost", "outer::middle", "outer::caller", "main"]
    assert sample.lines[:4] == [10, 17, 21, 25]
    assert sample.values[:2] == [1, 3]  # caller(1) asks for 1 * 2 + 1 bytes
    assert 3 in [len(location[4]) for location in profile.locations.values()]


def test_addresses_lie_within_mappings_that_do_not_overlap(
    recordings: Recordings, tmp_path: Path
) -> None:
    profile, _ = exported(recordings("inlining"), tmp_path / "x.pb.gz")
    ranges = {each[1][0]: (int(each[2][0]), int(each[3][0])) for each in profile.mappings}
    assert len(ranges) > 1
    ordered = sorted(ranges.values())
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(ordered))
    for location in profile.locations.values():
        begin, end = ranges[location[2][0]]
        assert begin <= int(location[3][0]) < end
    assert profile.strings[int(profile.mappings[0][5][0])].endswith("/inlining")


def test_tags_are_labels(recordings: Recordings, tmp_path: Path) -> None:
    profile, report = exported(recordings("marks"), tmp_path / "x.pb.gz")
    assert [(each.tag, each.values) for each in profile.samples] == [("mipmaps", [1, 100, 1, 100])]
    assert "tag" not in report.left_out
    assert report.left_out["scope_enter"] == 10


def test_an_offset_beyond_all_objects_is_no_address() -> None:
    tables = Tables("")
    assert tables.stack([Frame("far", "", 0, "/lib/far.so", 2**64 - 1)]) == [1]
    fields = decode(tables.encoded())
    assert 3 not in decode(bytes(fields[4][0]))  # no address
    mapping = decode(bytes(fields[3][0]))
    assert int(mapping[3][0]) - int(mapping[2][0]) == 4096


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (-1, "ff" * 9 + "01")],
)
def test_varints_are_those_of_protocol_buffers(value: int, encoded: str) -> None:
    assert varint(value).hex() == encoded


def test_fields_have_their_number_and_length() -> None:
    assert number(1, 150).hex() == "089601"
    assert number(1, 0) == b""
    assert message(2, b"test", b"ing").hex() == "120774657374696e67"
    assert packed(4, [3, 270, 86942]).hex() == "2206038e029ea705"
