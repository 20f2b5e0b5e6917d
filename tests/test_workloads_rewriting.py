# SPDX-License-Identifier: MIT
"""What a description says by hand outlives `record --write`."""

import tomllib
from pathlib import Path

import pytest

import alloclab as al
from alloclab.workloads.description import read_workload
from alloclab.workloads.recording import ship, verify
from alloclab.workloads.rewriting import MARKER, rewritten, write_together
from support.made_traces import Calls

BY_HAND = '''\
# Mine.
# How far it goes is mine, too.
kind = "model"
what = "a program"
why = """
Not a table:
[summary]
# How far it goes
"""
licence = "ours"
image = "true"
command = [
    "true",
]
packages = ["coreutils"]
'''
MEASURED = [MARKER, "[trace]", "bytes = 1", "", "[summary]", "events = 2"]


def described(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_bytes(text.encode("utf-8"))
    return path


def made(tmp_path: Path) -> al.Trace:
    calls = Calls()
    for _ in range(4):
        calls.allocate(8)
    return calls.trace(tmp_path / "new.alloctrace")


def test_a_summary_without_the_marker_is_replaced_and_not_doubled(tmp_path: Path) -> None:
    path = described(tmp_path, f"{BY_HAND}\n[summary]\nevents = 7\n")
    assert rewritten(path, MEASURED) == "\n".join([BY_HAND, *MEASURED, ""])


def test_tables_and_comments_below_the_marker_stay(tmp_path: Path) -> None:
    below = '# Why so.\n[recording]\nsites = "caller"  # cheap\n\n[environment]\nA = "1"\n'
    path = described(
        tmp_path,
        f"{BY_HAND}\n{MARKER}\n[trace]\nbytes = 9\n# my note\n\n[ summary ] # old\nevents = 7\n\n"
        f"# How far 2 further recordings were off at most.\n['spread']\nevents = 0.5\n\n{below}",
    )
    new = rewritten(path, MEASURED)
    assert below in new
    assert "# my note\n" in new
    assert new.startswith(BY_HAND)
    assert new.count("How far 2") == 0
    assert tomllib.loads(new)["summary"] == {"events": 2}
    assert "spread" not in tomllib.loads(new)


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    path = described(tmp_path, f'{MARKER}\n[trace]\nbytes = 9\n\n[recording]\nsites = "caller"\n')
    once = rewritten(path, MEASURED)
    path.write_text(once, encoding="utf-8")
    assert rewritten(path, MEASURED) == once


def test_lines_that_end_as_windows_ends_them_are_understood(tmp_path: Path) -> None:
    text = f"{BY_HAND}\n{MARKER}\n[trace]\nbytes = 9\n".replace("\n", "\r\n")
    new = rewritten(described(tmp_path, text), MEASURED)
    assert new.count(MARKER) == 1
    assert tomllib.loads(new)["command"] == ["true"]


@pytest.mark.parametrize("key", ["summary = {events = 7}", "summary.events = 7", "= broken"])
def test_what_cannot_be_replaced_is_refused_by_name(tmp_path: Path, key: str) -> None:
    path = described(tmp_path, f"{key}\n{BY_HAND}")
    with pytest.raises(al.UsageError, match=r"mine\.toml: its measured tables cannot be replaced"):
        rewritten(path, MEASURED)


def test_a_shelf_with_tables_by_hand_is_sound_after_shipping(tmp_path: Path) -> None:
    path = described(tmp_path, f'{BY_HAND}\n[summary]\nevents = 7\n\n[environment]\nA = "1"\n')
    ship(read_workload(path), made(tmp_path).path, [])
    workload = read_workload(path)
    assert verify(workload) == []
    assert workload.environment == {"A": "1"}
    assert workload.summary["allocations"] == 4
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "mine.alloctrace",
        "mine.toml",
        "new.alloctrace",
    ]


def test_a_description_that_cannot_be_rewritten_leaves_the_shelf_as_it_was(tmp_path: Path) -> None:
    text = f"summary = {{events = 7}}\n{BY_HAND}"
    path = described(tmp_path, text)
    with pytest.raises(al.UsageError, match="cannot be replaced"):
        ship(read_workload(path), made(tmp_path).path, [])
    assert path.read_text(encoding="utf-8") == text
    assert not (tmp_path / "mine.alloctrace").exists()


def test_files_written_together_are_all_old_where_one_cannot_be_new(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"old")
    first.chmod(0o640)
    with pytest.raises(OSError, match="gone"):
        write_together({first: b"new", tmp_path / "gone" / "second": b"new"})
    assert first.read_bytes() == b"old"

    write_together({first: b"new", second: b"new"})

    assert [path.read_bytes() for path in (first, second)] == [b"new", b"new"]
    assert first.stat().st_mode & 0o777 == 0o640
    assert len(list(tmp_path.iterdir())) == 2


def test_a_place_that_cannot_be_taken_leaves_the_others_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, new, last = tmp_path / "first", tmp_path / "new", tmp_path / "last"
    first.write_bytes(b"old")
    replace = Path.replace

    def fails_at_the_last(self: Path, target: Path) -> Path:
        if target == last:
            raise OSError("disk on fire")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fails_at_the_last)
    with pytest.raises(OSError, match="disk on fire"):
        write_together({first: b"1", new: b"2", last: b"3"})
    assert [path.name for path in tmp_path.iterdir()] == ["first"]
    assert first.read_bytes() == b"old"
