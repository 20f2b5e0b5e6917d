# SPDX-License-Identifier: MIT
"""How foreign files are opened, decompressed and recognised, whatever their format."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path

import pytest

import alloclab as al
from alloclab import _core, cli
from alloclab.formats import FORMATS
from alloclab.formats.import_trace import output_path
from alloclab.formats.importers import SNIFFED_BYTES

LINES = "".join(f"1: malloc 0x{0x1000 + 16 * n:x} {n}\n" for n in range(2000)).encode()
FILES = {
    "android/small.txt": "android",
    "android/times.txt": "android",
    "bpftrace/small.txt": "bpftrace",
    "ltrace/options.txt": "ltrace",
    "ltrace/small.txt": "ltrace",
    "malloclab/small.rep": "malloclab",
    "rmm/small.csv": "rmm",
    "wee_alloc/small.trace": "wee_alloc",
}


def zipped(content: bytes, *names: str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name in names:
            archive.writestr(name, content)
    return packed.getvalue()


def zstd_frames(content: bytes) -> bytes:
    """Frames with one uncompressed block of at most 200 bytes each (RFC 8878, 3.1.1)."""
    frames = []
    for at in range(0, len(content), 200):
        block = content[at : at + 200]
        header = b"\x28\xb5\x2f\xfd\x20" + bytes([len(block)])
        frames.append(header + (len(block) << 3 | 1).to_bytes(3, "little") + block)
    return b"".join(frames)


@pytest.mark.parametrize(("name", "format"), FILES.items())
def test_a_file_is_known_by_its_first_bytes(foreign: Path, name: str, format: str) -> None:
    start = (foreign / name).read_bytes()[:SNIFFED_BYTES]
    assert [each.name for each in FORMATS if each.sniff(start)] == [format]


@pytest.mark.parametrize("format", [each.name for each in FORMATS])
def test_a_file_without_any_of_its_lines_is_refused_by_every_format(
    tmp_path: Path, format: str
) -> None:
    if format == "memray":
        pytest.importorskip("memray")
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir,\nstrlen(of this letter)\n\nYours\n")
    with pytest.raises(al.TraceError) as raised:
        al.import_trace(path, tmp_path / "t.alloctrace", format=format)
    assert str(raised.value).startswith(f"{path}: ")
    assert list(tmp_path.iterdir()) == [path]


def test_python_and_the_core_have_the_same_formats() -> None:
    of_the_core = [each.name for each in FORMATS if each.read is None]
    assert sorted(of_the_core) == sorted(_core.import_formats())


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.txt.gz", gzip.compress(LINES)),
        ("a.txt.gz", gzip.compress(LINES[:100]) + gzip.compress(LINES[100:])),
        ("a.txt.bz2", bz2.compress(LINES)),
        ("a.txt.xz", lzma.compress(LINES)),
        ("a.txt.zst", zstd_frames(LINES)),
        ("a.zip", zipped(LINES, "a.txt")),
        ("a.zip", zipped(LINES, "a.txt", method=zipfile.ZIP_STORED)),
    ],
)
def test_compressed_files_are_decompressed(tmp_path: Path, name: str, packed: bytes) -> None:
    (tmp_path / name).write_bytes(packed)
    trace = al.import_trace(tmp_path / name)
    assert trace.path == tmp_path / "a.alloctrace"
    assert trace.summary()["allocations"] == 2000
    assert trace.metadata["image"] == "a"


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.txt.gz", gzip.compress(LINES)),
        ("a.txt.bz2", bz2.compress(LINES)),
        ("a.txt.xz", lzma.compress(LINES)),
        ("a.txt.zst", zstd_frames(LINES)),
        ("a.zip", zipped(LINES, "a.txt")),
    ],
)
def test_a_compressed_file_that_breaks_off_is_refused_or_marked(
    tmp_path: Path, name: str, packed: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(al.TraceError, match="the compressed file ends in the middle, at offset"):
        al.import_trace(path, format="android")
    assert list(tmp_path.iterdir()) == [path]

    trace = al.import_trace(path, format="android", allow_truncated=True)
    summary = trace.summary()
    assert summary["allocations"] < 2000
    assert summary["is_complete"] == 0
    line = f"line {summary['allocations'] + 1}"
    assert trace.metadata["origin"]["truncated_at"] == line


def test_a_gzip_file_cut_anywhere_is_refused_or_marked(tmp_path: Path) -> None:
    path, trace = tmp_path / "a.gz", tmp_path / "a.alloctrace"
    packed = gzip.compress(LINES[:400])
    for length in range(1, len(packed)):
        path.write_bytes(packed[:length])
        with pytest.raises(al.Error):
            al.import_trace(path, trace, format="android")
        assert not trace.exists()


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(LINES)[:-8] + b"\0" * 8,
        bz2.compress(LINES)[:-8] + b"\0" * 8,
        lzma.compress(LINES)[:-8] + b"\0" * 8,
        b"\x28\xb5\x2f\xfd" + b"\xff" * 40,
        zipped(LINES, "a.txt").replace(b"\x14\0\0\0\x08\0", b"\x14\0\0\0\x63\0"),
        zipped(LINES, "\u00e4.txt").replace("\u00e4".encode(), b"\xff\xff"),  # no UTF-8
    ],
    ids=["gzip", "bzip2", "xz", "zstd", "zip", "zip of a damaged name"],
)
def test_a_damaged_compressed_file_is_refused(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(packed)
    for allow_truncated in (False, True):
        with pytest.raises(al.TraceError, match=f"{path}: "):
            al.import_trace(path, format="android", allow_truncated=allow_truncated)
    assert list(tmp_path.iterdir()) == [path]


def test_a_zip_of_several_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.zip"
    path.write_bytes(zipped(LINES, "a.txt", "b.txt"))
    with pytest.raises(al.TraceError, match="the archive has 2 files, not one"):
        al.import_trace(path)


def test_an_unknown_file_is_refused_with_the_formats_there_are(tmp_path: Path) -> None:
    path = tmp_path / "hello.txt"
    path.write_text("hello\n")
    with pytest.raises(al.UsageError, match=r"no format that is known \(android, wee_alloc"):
        al.import_trace(path)
    with pytest.raises(al.UsageError, match="no format 'hello'; there are android"):
        al.import_trace(path, format="hello")
    with pytest.raises(al.UsageError, match="there is no such file"):
        al.import_trace(tmp_path / "nothing.txt")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.touch()
    with pytest.raises(al.UsageError, match="no format that is known"):
        al.import_trace(path)
    with pytest.raises(al.TraceError, match="line 1: there is nothing in it"):
        al.import_trace(path, format="rmm")


def test_a_trace_that_is_there_is_not_overwritten(foreign: Path, tmp_path: Path) -> None:
    output = tmp_path / "there.alloctrace"
    output.write_text("precious")
    with pytest.raises(al.UsageError, match="will not overwrite"):
        al.import_trace(foreign / "android/small.txt", output)
    assert output.read_text() == "precious"
    with pytest.raises(al.UsageError, match="there is no such folder"):
        al.import_trace(foreign / "android/small.txt", tmp_path / "no" / "t.alloctrace")


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.txt", "a"), ("a.txt.gz", "a"), ("a.zip", "a"), ("a", "a"), ("a.b.rep", "a.b")],
)
def test_a_trace_goes_beside_the_file(name: str, stem: str) -> None:
    assert output_path(Path("folder") / name) == Path("folder") / f"{stem}.alloctrace"


def test_an_importer_that_failed_or_finished_takes_nothing_more(tmp_path: Path) -> None:
    importer = _core.Importer("android", str(tmp_path / "t.alloctrace"))
    with pytest.raises(al.TraceError, match="line 1: "):
        importer.feed(b"hello\n")
    with pytest.raises(al.Error, match="finished or given up"):
        importer.feed(b"1: free 0x0\n")
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_was_imported(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "t.alloctrace"
    assert cli.main(["import", str(foreign / "android/small.txt"), "-o", str(output)]) == 0
    said = capsys.readouterr().out
    assert "5 allocations, 3 frees" in said
    assert "it cannot say: call stacks, thread starts, end, time" in said
    assert "1 missed_frees, 1 unknown_frees" in said

    output.unlink()
    command = ["import", str(foreign / "rmm/small.csv"), "-o", str(output), "--json"]
    assert cli.main(command) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["metadata"]["origin"]["format"] == "rmm"


def test_the_command_marks_what_is_truncated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cut.txt"
    path.write_text("1: malloc 0x10 8\n1: fr")
    assert cli.main(["import", str(path)]) == 1
    assert "line 2: the input ends within a line" in capsys.readouterr().err
    assert cli.main(["import", str(path), "--allow-truncated"]) == 0
    assert "the file breaks off at line 2" in capsys.readouterr().out


def test_the_command_lists_the_formats(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["import", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(each.name in listed for each in FORMATS)
    assert cli.main(["import", "--list", "--json"]) == 0
    assert [each["name"] for each in json.loads(capsys.readouterr().out)] == [
        each.name for each in FORMATS
    ]
    assert cli.main(["import"]) == 2
    assert "name a file, or --list" in capsys.readouterr().err
