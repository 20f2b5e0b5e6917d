# SPDX-License-Identifier: MIT
"""Traces of heaptrack's files."""

import gzip
import subprocess
from pathlib import Path

import pytest

import alloclab as al
from support.importing import check_every_truncation, counts, events_of
from support.pieces import check_every_piece_size

INTERPRETED = "heaptrack/interpreted.heaptrack"
RAW = "heaptrack/raw.heaptrack"
VERSION0 = "heaptrack/version0.heaptrack"


def test_an_interpreted_file_has_the_counts_worked_out_by_hand(
    foreign: Path, tmp_path: Path
) -> None:
    trace = al.import_trace(foreign / INTERPRETED, tmp_path / "t.alloctrace")

    # Kind 0 is 16 bytes, kind 1 is 100: + 0, + 0, + 1, - 0, - 1, - 1 (of nothing), + 0.
    assert counts(trace) == {
        "allocations": 4,
        "frees": 2,
        "unknown_frees": 1,
        "threads": 1,
        "requested_total_bytes": 16 + 16 + 100 + 16,
        "peak_requested_live_bytes": 132,
        "live_objects_at_end": 2,
        "requested_live_bytes_at_end": 32,
    }
    summary = trace.summary()
    assert (summary["is_complete"], summary["duration_ns"]) == (1, 10_000_000)  # of the last event
    origin = trace.metadata["origin"]
    assert origin["told"] == {
        "command": "./program --flag",
        "file_version": "3",
        "peak_resident_bytes": str(0x30 * 0x1000),
    }
    assert origin["left_out"] == {"unknown_frees": 1}
    assert "threads" in origin["cannot_say"]
    assert any("the youngest" in each for each in origin["cannot_say"])


def test_a_free_ends_the_youngest_block_of_its_size_and_stack(
    foreign: Path, tmp_path: Path
) -> None:
    trace = al.import_trace(foreign / INTERPRETED, tmp_path / "t.alloctrace")
    frees = [object for kind, _, object, _, _ in events_of(trace) if kind == "free"]
    assert frees == [1, 2]


def test_an_interpreted_stack_has_its_inlined_functions(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / INTERPRETED, tmp_path / "t.alloctrace")
    (chunk,) = trace.chunks()
    assert chunk.site[chunk.is_kind("allocate")].tolist() == [1, 1, 2, 1]
    one, two = trace.stacks()
    assert [str(frame) for frame in one] == ["main (prog.c:10)"]
    assert [str(frame) for frame in two] == [
        "grow (prog.c:20)",
        "main (prog.c:12)",
        "main (prog.c:10)",
    ]
    assert [frame.is_inlined for frame in two] == [True, False, False]
    assert {frame.module for frame in two} == {"/bin/prg"}


def test_a_raw_file_has_the_counts_worked_out_by_hand(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / RAW, tmp_path / "t.alloctrace")

    # 16 at 5000, 32 at 6000, 5000 freed, 8 at 5000, 7000 freed without ever being there, 64 at
    # 6000 whose free is missing (written ahead), 1 at 8000.
    assert counts(trace) == {
        "allocations": 5,
        "frees": 2,
        "unknown_frees": 1,
        "missed_frees": 1,
        "threads": 1,
        "requested_total_bytes": 16 + 32 + 8 + 64 + 1,
        "peak_requested_live_bytes": 73,  # 8 + 64 + 1
        "live_objects_at_end": 3,
        "requested_live_bytes_at_end": 73,
    }
    assert trace.summary()["is_complete"] == 0
    origin = trace.metadata["origin"]
    assert "end" in origin["cannot_say"]
    assert origin["told"]["program"] == "/bin/prg"


def test_raw_addresses_lie_in_the_modules_mapped_at_the_time(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / RAW, tmp_path / "t.alloctrace")
    stacks = [[(frame.module, frame.offset) for frame in stack] for stack in trace.stacks()]
    # heaptrack 1.3 and later tell the address of the call; a trace has that of the return.
    program = ("/bin/prg", 0x10F1)
    assert stacks == [
        [("libold.so", 0x100), program],
        [program],
        [("libnew.so", 0x100), program],
    ]


def test_a_file_of_version_0_has_pointers_and_tables(foreign: Path, tmp_path: Path) -> None:
    trace = al.import_trace(foreign / VERSION0, tmp_path / "t.alloctrace")
    assert counts(trace) == {
        "allocations": 2,
        "frees": 1,
        "unknown_frees": 1,
        "threads": 1,
        "requested_total_bytes": 48,
        "peak_requested_live_bytes": 48,
        "live_objects_at_end": 1,
        "requested_live_bytes_at_end": 16,
    }
    assert [str(frame) for frame in trace.stacks()[0]] == ["main"]
    assert trace.metadata["origin"]["told"]["file_version"] == "0"


def test_a_real_file_adds_up_to_what_heaptrack_says_of_it(foreign: Path, tmp_path: Path) -> None:
    # heaptrack 1.4.0 of "g++ --version"; heaptrack_print says: 193 calls to allocation functions,
    # a peak of 257.88K, 183.96K leaked. Its interpreter: 93 leaked allocations.
    summary = al.import_trace(
        foreign / "heaptrack" / "gxx-version.zst", tmp_path / "t.alloctrace"
    ).summary()
    assert summary["allocations"] == 193
    assert summary["peak_requested_live_bytes"] == 257_878
    assert summary["live_objects_at_end"] == 93
    assert summary["requested_live_bytes_at_end"] == 183_958


@pytest.mark.slow
def test_what_was_exported_for_heaptrack_comes_back(workloads: Path, tmp_path: Path) -> None:
    trace = al.open_trace(workloads / "freeciv.alloctrace")
    al.export_trace(trace, tmp_path / "game.heaptrack")
    told = trace.summary()
    back = al.import_trace(tmp_path / "game.heaptrack").summary()
    assert back["allocations"] == told["allocations"] + told["reallocations"]
    assert back["frees"] == told["frees"] + told["reallocations"]
    assert back["requested_total_bytes"] == told["requested_total_bytes"]
    assert back["requested_live_bytes_at_end"] == told["requested_live_bytes_at_end"]
    assert (back["unknown_frees"], back["is_complete"]) == (0, 1)


@pytest.mark.parametrize("pack", ["gz", "zst"])
def test_a_compressed_file_gives_what_the_text_gives(
    foreign: Path, tmp_path: Path, pack: str
) -> None:
    plain = al.import_trace(foreign / INTERPRETED, tmp_path / "t.alloctrace")
    text = (foreign / INTERPRETED).read_bytes()
    path = tmp_path / f"heaptrack.program.1.{pack}"
    if pack == "gz":
        path.write_bytes(gzip.compress(text))
    else:
        done = subprocess.run(["zstd", "-c"], input=text, capture_output=True, check=True)
        path.write_bytes(done.stdout)
    assert al.import_trace(path).summary() == plain.summary()


def test_without_the_counts_at_its_end_an_interpreted_file_has_been_cut(
    foreign: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cut.heaptrack"
    path.write_text((foreign / INTERPRETED).read_text().replace("# ips: 2\n", ""))
    with pytest.raises(al.TraceError, match=r"line 26: the input ends without the counts"):
        al.import_trace(path)
    trace = al.import_trace(path, allow_truncated=True)
    assert trace.summary()["is_complete"] == 0
    assert trace.metadata["origin"]["truncated_at"] == "line 26"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("+", "there is no hexadecimal kind of allocation"),
        ("+ 0", "there is no such kind of allocation yet"),
        ("- 7", "there is no such kind of allocation yet"),
        ("a 10", "there is no hexadecimal call stack"),
        ("a 10 1", "there is no call stack 1 yet"),
        ("a 10 0 1", "there is more than such a line has"),
        ("a -10 0", "there is no hexadecimal size"),
        ("t 1 0", "there is no instruction 1 yet"),
        ("t 0 1", "there is no call stack 1 yet"),
        ("i 10 1", "there is no string 1 yet"),
        ("i 10 0 0 0", "there is no hexadecimal line"),
        ("s 5 abcd", "a text is shorter than its length"),
        ("s 3 abcd", "there is more than such a line has"),
        ("s", "there is no hexadecimal length"),
        ("c 1ffffffffffffffff", "there is no hexadecimal time"),
        ("c 7fffffffffffffff", "the time is more than there can be"),
        ("m 1 x 1000 0 ffffffffffffffff", "a segment ends behind the last address"),
        ("v 10400 3", "it has two versions"),
        ("q", "no line of such a file begins so"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "wrong.heaptrack"
    path.write_text(f"v 10400 3\n{line}\n# ips: 0\n")
    with pytest.raises(al.TraceError) as raised:
        al.import_trace(path)
    assert str(raised.value).startswith(f"{path}: line 2: {reason}")
    assert list(tmp_path.iterdir()) == [path]


def test_a_newer_version_and_a_wrong_beginning_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.heaptrack"
    path.write_text("v 20000 4\n# ips: 0\n")
    with pytest.raises(al.TraceError, match="line 1: its version is newer than 3"):
        al.import_trace(path)
    path.write_text("X ./program\n")
    with pytest.raises(al.TraceError, match="line 1: a heaptrack file begins with its version"):
        al.import_trace(path, format="heaptrack")


@pytest.mark.parametrize(
    ("inlined", "stacks", "reason"),
    [
        (300, 1, "line 2: there are too many inlined functions"),
        (250, 6000, "there are too many call stacks"),
    ],
)
def test_inlined_functions_cannot_fill_the_memory(
    tmp_path: Path, inlined: int, stacks: int, reason: str
) -> None:
    path = tmp_path / "deep.heaptrack"
    instruction = f"i 1 0{' 0 0 1' * inlined}\n"
    path.write_text(f"v 10400 3\n{instruction}" + "t 1 0\n" * stacks + "# ips: 1\n")
    with pytest.raises(al.TraceError, match=reason):
        al.import_trace(path)


@pytest.mark.parametrize("name", [INTERPRETED, RAW, VERSION0])
def test_a_file_cut_anywhere_is_refused_or_a_shorter_trace_that_says_so(
    foreign: Path, tmp_path: Path, name: str
) -> None:
    check_every_truncation(foreign / name, "heaptrack", tmp_path)


@pytest.mark.parametrize("name", [INTERPRETED, RAW, VERSION0])
def test_the_pieces_in_which_a_file_comes_do_not_matter(
    foreign: Path, tmp_path: Path, name: str
) -> None:
    check_every_piece_size(foreign / name, "heaptrack", tmp_path)


def test_a_resident_size_beyond_all_numbers_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "huge.heaptrack"
    path.write_text("v 10500 3\nX a\nI 1000 1000\nR ffffffffffffffff\n# strings: 0\n# ips: 0\n")
    trace = al.import_trace(path)
    assert "peak_resident_bytes" not in trace.metadata["origin"]["told"]
