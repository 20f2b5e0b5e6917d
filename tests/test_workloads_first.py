# SPDX-License-Identifier: MIT
"""`alloclab workloads` with a workload of one's own: before, at and after its first recording."""

import json
from pathlib import Path

import pytest

import alloclab as al
from alloclab import cli
from alloclab.workloads.recording import check_output
from alloclab.workloads.validation import Row, Validation
from support.made_traces import Calls

DESCRIPTION = """\
kind = "interpreter"
what = "a folder listed"
why = "to test"
licence = "ours"
image = "ls"
command = ["ls"]

[recording]
scope_on = ["no_such_function"]
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    place = tmp_path / "shelf"
    place.mkdir()
    (place / "mine.toml").write_text(DESCRIPTION, encoding="utf-8")
    return place


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = cli.main(["workloads", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def put_on(shelf: Path) -> None:
    calls = Calls()
    calls.free(calls.allocate(8))
    calls.trace(shelf / "mine.alloctrace")


def test_a_first_recording_prints_its_counts_and_how_to_keep_it(
    capsys: pytest.CaptureFixture[str], shelf: Path
) -> None:
    code, said, _ = run(capsys, "record", "mine", "--folder", shelf)
    assert code == 0
    first, *counts, last = said.splitlines()
    assert first == "mine"
    assert int(counts[0].split()[1].replace(",", "")) > 0  # events
    assert last == "mine: nothing shipped yet; --write puts it on the shelf"
    code, said, _ = run(capsys, "record", "mine", "--folder", shelf, "--json")
    (rows,) = json.loads(said)["mine"]
    assert rows[0]["name"] == "events"
    assert rows[0]["recorded"] > 0
    assert rows[0]["shipped"] is None
    assert not al.workload("mine", shelf).is_recorded


def test_a_first_recording_that_is_written_is_verified_and_compared_with_from_then_on(
    capsys: pytest.CaptureFixture[str], shelf: Path
) -> None:
    code, said, _ = run(capsys, "record", "mine", "--folder", shelf, "--write")
    assert code == 0
    assert said.endswith("mine: nothing shipped yet; it is on the shelf now\n")
    assert (shelf / "mine.toml").read_text(encoding="utf-8").startswith(DESCRIPTION)
    assert run(capsys, "verify", "--folder", shelf)[0] == 0
    _, said, _ = run(capsys, "record", "mine", "--folder", shelf)
    assert " shipped " in said
    assert "nothing shipped" not in said


def test_what_the_recorder_warns_of_is_said_on_standard_error(
    capsys: pytest.CaptureFixture[str], shelf: Path
) -> None:
    _, said, warned = run(capsys, "record", "mine", "--folder", shelf, "--json")
    assert "alloclab: warning: mine: " in warned
    assert "no_such_function" in warned
    assert "warning" not in said


@pytest.mark.parametrize("write", [[], ["--write"]])
def test_the_shelf_is_no_place_to_keep_traces(
    capsys: pytest.CaptureFixture[str], shelf: Path, write: list[str]
) -> None:
    put_on(shelf)
    before = {path.name: path.read_bytes() for path in shelf.iterdir()}
    again = shelf / ".." / "shelf"
    code, said, why = run(capsys, "record", "mine", "--folder", shelf, "-o", again, *write)
    assert (code, said) == (2, "")
    assert "it is the shelf" in why
    assert {path.name: path.read_bytes() for path in shelf.iterdir()} == before


def test_an_earlier_trace_is_not_overwritten(
    capsys: pytest.CaptureFixture[str], shelf: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "mine-1.alloctrace").write_bytes(b"precious")
    code, _, why = run(
        capsys, "record", "mine", "--folder", shelf, "-o", kept, "--write", "--repeats", "2"
    )
    assert code == 2
    assert why == f"alloclab: will not overwrite {kept / 'mine-1.alloctrace'}\n"
    assert [path.read_bytes() for path in kept.iterdir()] == [b"precious"]
    assert [path.name for path in shelf.iterdir()] == ["mine.toml"]


def test_a_description_that_cannot_be_rewritten_is_refused_before_the_program_runs(
    capsys: pytest.CaptureFixture[str], shelf: Path, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    text = DESCRIPTION.replace('["ls"]', f'["touch", "{ran}"]')
    (shelf / "mine.toml").write_text(f"summary = {{events = 7}}\n{text}", encoding="utf-8")
    code, _, why = run(capsys, "record", "mine", "--folder", shelf, "--write")
    assert code == 2
    assert "cannot be replaced" in why
    assert not ran.exists()


def test_two_workloads_whose_traces_would_have_one_name_are_refused(
    shelf: Path, tmp_path: Path
) -> None:
    (shelf / "mine-1.toml").write_text(DESCRIPTION, encoding="utf-8")
    chosen = al.workloads(shelf)
    assert len(check_output(chosen, tmp_path / "new", 1)) == 2
    with pytest.raises(al.UsageError, match="will not overwrite"):
        check_output(chosen, tmp_path / "new", 2)


def test_show_says_that_there_is_no_recording_yet(
    capsys: pytest.CaptureFixture[str], shelf: Path
) -> None:
    code, said, _ = run(capsys, "show", "mine", "--folder", shelf)
    assert code == 0
    assert "no recording yet: `alloclab workloads record mine --write` makes it" in said
    assert "packages  none" in said
    _, said, _ = run(capsys, "show", "mine", "--folder", shelf, "--json")
    assert json.loads(said)[0]["is_recorded"] is False


def test_validate_runs_no_program_whose_recording_is_missing(
    capsys: pytest.CaptureFixture[str], shelf: Path, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    text = DESCRIPTION.replace('["ls"]', f'["touch", "{ran}"]')
    (shelf / "mine.toml").write_text(text, encoding="utf-8")
    code, said, why = run(capsys, "validate", "mine", "--folder", shelf)
    assert (code, said) == (2, "")
    assert "mine: no recording at" in why
    assert not ran.exists()


def test_a_verdict_says_who_was_judged_and_who_failed() -> None:
    rows = (Row("glibc", 1e6, 1e6, 1.0, None, 0.0), Row("jemalloc", 1e6, 1e6, 1.0, None, -0.1))
    judged = Validation("one", True, "exact", rows, None, None)
    assert judged.verdict() == "one: apart by more than 5% of the peak: jemalloc"
    near = Validation("one", True, "exact", rows[:1], None, None)
    assert near.verdict() == "one: within 5% of the peak"
    loose = Validation("one", False, "exact", rows, None, None)
    assert loose.verdict() == "one: not judged: its counts vary (is_deterministic is not set)"


@pytest.mark.parametrize(("action", "rule"), [("record", "0.1 %"), ("validate", "5 %")])
def test_help_says_what_makes_it_fail(
    capsys: pytest.CaptureFixture[str], action: str, rule: str
) -> None:
    code, said, _ = run(capsys, action, "--help")
    assert code == 0
    assert f"more than {rule}" in " ".join(said.split())
    assert "is_deterministic" in said
