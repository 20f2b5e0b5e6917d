# SPDX-License-Identifier: MIT
"""The command line: every verb through main(argv), its exit codes, and one real subprocess."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alloclab import cli
from alloclab.errors import NotMeasured, TraceError
from alloclab.lifetimes import Lifetimes
from alloclab.sweep import ProgressBar
from support.fake_child import FakeChild, fake_child
from support.fake_trace import FakeTrace

__all__ = ["fake_child"]

VERBS = ("record", "seal", "info", "top", "phases", "diff", "export", "replay", "compare", "doctor")


class ShownTrace(FakeTrace):
    """A trace with what `info` and `diff` ask for, too."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.metadata |= {"image": "/usr/bin/small", "arguments": ["small", "-x"]}

    @property
    def uncertain_touched_ratio(self) -> float:
        raise NotMeasured("nothing large")

    def lifetimes(self) -> Lifetimes:
        raise NotMeasured("made up")

    def objects(self) -> dict[str, Any]:
        import numpy as np

        return {
            "size": np.array([16, 200], dtype=np.uint64),
            "birth": np.array([0, 1]),
            "death": np.array([5, -1]),
            "is_region": np.array([False, False]),
        }

    def __len__(self) -> int:
        return 1_000_000


def open_fake(path: Path) -> ShownTrace:
    if "damaged" in path.name:
        raise TraceError(f"{path}: offset 12: bad magic")
    return ShownTrace(path)


@pytest.fixture
def trace(fake_child: FakeChild, monkeypatch: pytest.MonkeyPatch) -> Path:
    for verb in ("info", "diff", "compare"):
        monkeypatch.setattr(sys.modules[f"alloclab.cli.{verb}"], "open_trace", open_fake)
    return fake_child.trace


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"  alloclab {verb}" in shown
    assert "--json" in shown


def test_help_lists_every_verb_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n    {verb} " in shown for verb in VERBS)
    assert "Exit codes: 0" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "required: VERB"),
        (["repaly"], "invalid choice: 'repaly'"),
        (["compare", "x.alloctrace", "dlmalloc"], "unknown allocator 'dlmalloc': known are glibc"),
        (["compare", "x.alloctrace", "arena:initial=big"], "arena: initial: not a size: 'big'"),
        (["replay", "x.alloctrace", "glibc", "--touch", "some"], "invalid choice: 'some'"),
        (["record", "--duration", "soon", "--", "true"], "not a duration: 'soon'"),
        (["record"], "no command to record"),
        (["info", "absent.alloctrace"], "absent.alloctrace: no such trace"),
        (["replay", "absent.alloctrace", "glibc"], "absent.alloctrace: no such trace"),
        (["compare", "absent.alloctrace", "glibc"], "absent.alloctrace: no such trace"),
        (["top", "absent.alloctrace"], "absent.alloctrace: no such trace"),
        (["phases", "absent.alloctrace"], "absent.alloctrace: no such trace"),
        (["diff", "absent.alloctrace", "b.alloctrace"], "absent.alloctrace: no such trace"),
        (["export", "absent.alloctrace", "-o", "x.json"], "absent.alloctrace: no such trace"),
        (["model", "absent.alloctrace", "-o", "x.json"], "absent.alloctrace: no such trace"),
        (["seal", "absent"], "absent: no such folder"),
    ],
)
def test_a_wrong_command_is_one_clear_line_and_exit_code_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("alloclab: ")
    assert said.count("\n") == 1


def test_compare_prints_the_table(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", str(trace), "glibc", "jemalloc", "--repeats", "2"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0].startswith("small.alloctrace: 1,000,000 events")
    assert "\njemalloc " in shown.out
    assert shown.err == ""


def test_compare_takes_the_six_by_default(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", str(trace), "--repeats", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    labels = [row["label"] for row in document["rows"]]
    assert labels == ["glibc", "jemalloc", "mimalloc", "tcmalloc", "pool", "arena"]


def test_compare_saves_figures_and_a_picture(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    figures, picture = tmp_path / "c.json", tmp_path / "c.png"
    words = ["compare", str(trace), "glibc", "pool", "--repeats", "1"]
    words += ["--save", str(figures), "--plot", str(picture), "--baseline", "pool"]
    assert cli.main(words) == 0
    assert cli.main(words) == 0, "its own files may be written anew"
    assert json.loads(figures.read_text())["baseline"] == "pool"
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert "ratios to pool" in capsys.readouterr().out


def test_compare_prints_json_and_saves_the_same(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "c.json"
    words = ["compare", str(trace), "glibc", "--repeats", "1", "--json", "--save", str(figures)]
    assert cli.main(words) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(figures.read_text())


def test_compare_overwrites_nothing_of_another_kind(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = trace.read_bytes()
    assert cli.main(["compare", str(trace), "glibc", "--save", str(trace)]) == 2
    assert "will not overwrite" in capsys.readouterr().err
    assert trace.read_bytes() == before
    assert cli.main(["compare", str(trace), "glibc", "--plot", "absent/x.png"]) == 2
    assert "there is no such folder" in capsys.readouterr().err
    assert cli.main(["compare", str(trace), "glibc", "--plot", "notes.txt"]) == 2
    assert "--plot notes.txt: a picture is written as .png" in capsys.readouterr().err


def test_a_pipe_in_place_of_a_trace_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.alloctrace"
    os.mkfifo(pipe)
    capture = tmp_path / "folder" / "true-1.capture"
    capture.parent.mkdir()
    os.mkfifo(capture)
    commands = (
        ["info", str(pipe)],
        ["compare", str(pipe), "glibc"],
        ["export", str(pipe), "-o", str(tmp_path / "x.json")],
        ["seal", str(capture.parent)],
    )
    source = "import sys; from alloclab.cli import main; print(main(sys.argv[1:]))"
    for words in commands:
        done = subprocess.run(
            [sys.executable, "-c", source, *words], capture_output=True, text=True, timeout=60
        )
        assert done.stdout == "1\n"
        assert ": not a regular file" in done.stderr
        assert done.stderr.count("\n") == 1


def test_compare_with_nothing_measured_is_exit_code_3(
    trace: Path, fake_child: FakeChild, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_child.say(libjemalloc__so={"signal": "SIGSEGV"})
    assert cli.main(["compare", str(trace), "jemalloc", "--repeats", "1"]) == 3
    assert "failed: killed by SIGSEGV" in capsys.readouterr().out


def test_a_damaged_trace_is_exit_code_1(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.alloctrace"
    damaged.write_bytes(b"x")
    assert cli.main(["info", str(damaged)]) == 1
    assert capsys.readouterr().err == f"alloclab: {damaged}: offset 12: bad magic\n"


def test_a_damaged_trace_does_not_hide_the_others_of_a_folder(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = trace.with_name("damaged.alloctrace")
    damaged.write_bytes(b"x")
    assert cli.main(["info", str(trace.parent)]) == 1
    shown = capsys.readouterr()
    assert shown.err == f"alloclab: {damaged}: offset 12: bad magic\n"
    assert shown.out.startswith(f"{trace}\n")
    assert cli.main(["info", "--json", str(trace.parent)]) == 1
    assert [each["path"] for each in json.loads(capsys.readouterr().out)] == [str(trace)]


def test_replay_prints_every_metric(
    trace: Path, fake_child: FakeChild, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_child.say(malloc={"stderr": "an odd setting", "only": "time"})
    assert cli.main(["replay", str(trace), "glibc"]) == 0
    shown = capsys.readouterr()
    assert "peak_footprint_bytes" in shown.out
    assert "1.60 MB (1,600,000 bytes)" in shown.out
    assert "10.00 ns" in shown.out
    assert shown.err == "alloclab: warning: an odd setting\n"


def test_replay_speaks_json(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", str(trace), "pool", "--measure", "blocks", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["metrics"]["block_bytes_total"] == 1_500_000
    assert document["run"]["allocator"]["allocator"] == "pool"


def test_replay_of_a_child_that_dies_is_exit_code_1(
    trace: Path, fake_child: FakeChild, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_child.say(libjemalloc__so={"signal": "SIGABRT", "stderr": "heap corrupt"})
    assert cli.main(["replay", str(trace), "jemalloc"]) == 1
    assert capsys.readouterr().err == ("alloclab: killed by SIGABRT after event 7: heap corrupt\n")


def test_replay_that_is_declined_is_exit_code_3(
    trace: Path, fake_child: FakeChild, capsys: pytest.CaptureFixture[str]
) -> None:
    declined = {"error": {"kind": "not_measured", "message": "a Debug build"}}
    fake_child.say(malloc=declined, null_replay=declined)
    assert cli.main(["replay", str(trace), "glibc", "--measure", "time"]) == 3
    assert "not measured: a Debug build" in capsys.readouterr().out


def test_a_library_that_is_none_is_exit_code_2(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["replay", str(trace), "/absent/libmine.so"]) == 2
    assert capsys.readouterr().err == "alloclab: /absent/libmine.so: no such file\n"


def test_info_says_what_is_in_a_trace(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", str(trace.parent)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{trace}\n")
    assert "image: /usr/bin/small" in shown
    assert cli.main(["info", "--json", str(trace)]) == 0
    assert json.loads(capsys.readouterr().out)[0]["summary"]["events"] == 1_000_000


def test_info_of_a_folder_without_traces_is_exit_code_2(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert cli.main(["info", str(empty)]) == 2
    assert "no .alloctrace file in this folder" in capsys.readouterr().err


def test_diff_prints_and_speaks_json(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diff", str(trace), str(trace)]) == 0
    assert "by size: no difference" in capsys.readouterr().out
    assert cli.main(["diff", "--by", "size", "--json", str(trace), str(trace)]) == 0
    assert list(json.loads(capsys.readouterr().out)["groups"]) == ["size"]


def test_diff_says_which_dimension_neither_trace_knows(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["diff", "--by", "size", "--by", "scope", str(trace), str(trace)]) == 0
    shown = capsys.readouterr()
    assert shown.err == "alloclab: by scope: neither trace knows its scopes\n"
    assert "by size: no difference" in shown.out


def test_the_bar_of_a_replay_advances_over_its_children(
    trace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Counted(ProgressBar):
        def __init__(self, steps: int) -> None:
            super().__init__(steps)
            counts.append(steps)

        def end(self) -> None:
            super().end()
            counts[0] -= 1

    counts: list[int] = []
    monkeypatch.setattr(sys.modules["alloclab.cli.replay"], "ProgressBar", Counted)
    assert cli.main(["replay", str(trace), "pool", "--repeats", "2"]) == 0
    assert counts == [0]


def test_an_interrupt_is_no_traceback(
    trace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["alloclab.cli.compare"], "compare", interrupt)
    assert cli.main(["compare", str(trace)]) == 130
    assert capsys.readouterr().err == "alloclab: interrupted\n"


def test_it_runs_as_a_module_and_a_reader_may_leave() -> None:
    command = [sys.executable, "-m", "alloclab", "info", "absent.alloctrace"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == "alloclab: absent.alloctrace: no such trace\n"
    shell = f"{sys.executable} -m alloclab doctor --json | head -c 1"
    left = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)
    assert (left.stdout, left.stderr) == ("[", "")


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("alloclab 0.")
