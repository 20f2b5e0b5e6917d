# SPDX-License-Identifier: MIT
"""The shelf: what its descriptions say, and that the recordings on it are those described."""

import dataclasses
import os
from pathlib import Path

import pytest

import alloclab as al
from alloclab.workloads.description import read_workload
from alloclab.workloads.program import bare_seconds
from alloclab.workloads.recording import (
    Difference,
    differences,
    record_workload,
    ship,
    trace_of,
    verify,
)
from alloclab.workloads.running import check_packages, missing_packages, prepared
from support.fake_trace import FakeTrace
from support.made_traces import Calls

SHELF = Path(__file__).resolve().parents[1] / "workloads"
NAMES = [path.stem for path in sorted(SHELF.glob("*.toml"))]
COMPILERS = {"cc1plus", "clang", "cpython", "rustc", "tcc"}
GAMES = {"freeciv", "godot", "minetest", "openttd"}
MODELS = {
    "lex-requests",
    "quartz-typecheck",
    "roc-pipeline",
    "slang-subsystems",
    "weir-game-loop",
}
DESCRIPTION = """\
kind = "model"
what = "a program"
why = "to test"
licence = "ours"
image = "true"
command = ["true"]
packages = ["coreutils"]
"""


def described(tmp_path: Path, text: str = DESCRIPTION) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shelf_has_what_a_sceptic_asks_for() -> None:
    assert set(NAMES) == COMPILERS | GAMES | MODELS | {"lua", "redis"}


def test_every_recording_is_described_and_every_description_recorded() -> None:
    assert sorted(path.stem for path in SHELF.glob("*.alloctrace")) == NAMES


def test_the_recordings_are_small_enough_to_ship() -> None:
    sizes = [path.stat().st_size for path in SHELF.glob("*.alloctrace")]
    assert max(sizes) <= 4_000_000
    assert sum(sizes) <= 20_000_000


def test_the_tiny_ones_fit_a_test_run() -> None:
    tiny = [each for each in al.workloads(SHELF) if each.is_tiny]
    assert {"freeciv", "tcc"} <= {each.name for each in tiny}
    assert sum(each.trace["bytes"] for each in tiny) < 3_000_000


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_the_one_described(name: str) -> None:
    assert verify(al.workload(name, SHELF)) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_whole(name: str) -> None:
    summary = al.workload(name, SHELF).summary
    assert summary["is_complete"] == 1
    assert summary["lost_events"] == 0
    assert summary["unknown_frees"] == 0
    assert summary["missed_frees"] == 0


def test_the_recordings_have_the_shapes_they_were_chosen_for() -> None:
    summaries = {each.name: each.summary for each in al.workloads(SHELF)}
    assert 10e6 < summaries["cc1plus"]["peak_requested_live_bytes"] < 20e6
    assert summaries["cc1plus"]["peak_mapped_live_bytes"] > 200e6
    assert summaries["cc1plus"]["scopes"] > 1000
    assert summaries["clang"]["peak_requested_live_bytes"] > 80e6
    # Freeciv asks for far more than it ever has live: blocks of 8 MB come and go.
    requested = summaries["freeciv"]["requested_total_bytes"]
    assert requested > 300 * summaries["freeciv"]["peak_requested_live_bytes"]
    assert summaries["freeciv"]["scopes"] == 40  # its turns
    assert summaries["godot"]["scopes"] == 300
    assert summaries["rustc"]["threads"] > 30
    assert summaries["rustc"]["cross_thread_frees"] > 10_000
    assert summaries["minetest"]["cross_thread_frees"] > 10_000
    # Lua asks by realloc alone; the C library's own few blocks are its only mallocs.
    trace = al.workload("lua", SHELF).open()
    calls = sum(int((chunk.call[chunk.is_kind("allocate")] != 2).sum()) for chunk in trace.chunks())
    assert calls < 100


def test_scopes_on_the_shelf_are_of_the_kinds_they_stand_for() -> None:
    for name, kind in (
        ("freeciv", "turn"),
        ("godot", "frame"),
        ("minetest", "frame"),
        ("openttd", "tick"),
        ("redis", "function"),
        ("lex-requests", "request"),
    ):
        trace = al.workload(name, SHELF).open()
        kinds = {trace.names[number] for number in set(trace.scopes()["kind"].tolist())}
        assert kind in kinds, name


def test_a_workload_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    described(tmp_path)
    with pytest.raises(al.UsageError, match=r"no workload 'yours' in .*: there are mine"):
        al.workload("yours", tmp_path)
    with pytest.raises(al.UsageError, match="no such folder"):
        al.workloads(tmp_path / "nowhere")


def test_the_environment_may_name_a_shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described(tmp_path)
    monkeypatch.setenv("ALLOCLAB_WORKLOADS", str(tmp_path))
    assert [each.name for each in al.workloads()] == ["mine"]


def test_the_lab_brings_its_shelf_along() -> None:
    assert [each.name for each in al.workloads()] == NAMES


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("kind = 'planet'", "kind: it must be one of compiler"),
        ("what = 3", "what: it must be a text"),
        ("command = []", "command: it must be a list of texts"),
        ("command = 'true'", "command: it must be a list of texts"),
        ("seed = true", "seed: it must be a whole number"),
        ("is_tiny = 1", "is_tiny: it must be true or false"),
        ("inputs = ['../secret']", "inputs: it must be a file beside it"),
        ("inputs = ['/etc/passwd']", "inputs: it must be a file beside it"),
        ("inputs = ['gone.c']", "'gone.c' is none"),
        ("inputs = ['.']", "'.' is none"),
        ("build = ['make']", "build: it must be a list of commands"),
        ("speed = 9", "speed: no such key"),
        ("environment = {A = 1}", r"\[environment\] A: 1 means nothing"),
        ("summary = {events = -1}", r"\[summary\] events: -1 means nothing"),
        ("spread = {events = 'wide'}", r"\[spread\] events: 'wide' means nothing"),
        ("recording = {output = '/'}", r"\[recording\] output: there are edges, frame_on"),
        ("= nothing", "Invalid"),
        ("environment = {'A=B' = '1'}", r"\[environment\] A=B: '1' means nothing"),
        ("environment = {'A' = \"a\\u0000\"}", r"\[environment\] A: 'a\\x00' means nothing"),
        ("environment = {'' = '1'}", r"\[environment\] '': '1' means nothing"),
        ('command = ["a\\u0000"]', "command: it must be a list of texts"),
        ("recording = {sites = 5}", r"\[recording\] sites: 5 means nothing"),
        ("recording = {scope_on = 3}", r"\[recording\] scope_on: 3 means nothing"),
        ("recording = {frame_on = 'poll'}", r"\[recording\] frame_on: 'poll' means nothing"),
        ("recording = {gcc_phases = 1}", r"\[recording\] gcc_phases: 1 means nothing"),
        ("recording = {mark_output = []}", r"\[recording\] mark_output: \[\] means nothing"),
        ("recording = {edges = true}", r"\[recording\] edges: True means nothing"),
        ("trace = {bytes = 'many'}", r"\[trace\] bytes: 'many' means nothing"),
        ("trace = {sha256 = 7}", r"\[trace\] sha256: 7 means nothing"),
        ("summary = {events = true}", r"\[summary\] events: True means nothing"),
        ("spread = {events = nan}", r"\[spread\] events: nan means nothing"),
        ("spread = {events = inf}", r"\[spread\] events: inf means nothing"),
        (f"seed = 0x{'f' * 9000}", "seed: it must be a whole number"),
        (f"summary = {{events = 0x{'f' * 9000}}}", "events: so large a number means nothing"),
        (f"seed = {'9' * 9000}", "digits"),
        (f"seed = {'[' * 9000}", "too deeply"),
    ],
)
def test_a_wrong_description_is_refused_by_file_and_key(
    tmp_path: Path, change: str, complaint: str
) -> None:
    key = change.partition(" =")[0]
    lines = [line for line in DESCRIPTION.splitlines() if not line.startswith(f"{key} =")]
    path = described(tmp_path, "\n".join([*lines, change]))
    with pytest.raises(al.UsageError, match=complaint) as refused:
        read_workload(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    "said",
    [
        "edges = 5",
        "edges = 'phase'",
        "sites = 'caller'",
        "gcc_phases = true",
        "frame_on = ['poll']",
        "mark_output = '^x'",
    ],
)
def test_options_of_the_recorder_are_taken_as_they_are_typed(tmp_path: Path, said: str) -> None:
    workload = read_workload(described(tmp_path, f"{DESCRIPTION}[recording]\n{said}\n"))
    assert list(workload.recording) == [said.partition(" =")[0]]


def test_what_is_no_file_is_no_description(tmp_path: Path) -> None:
    described(tmp_path)
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    assert [each.name for each in al.workloads(tmp_path)] == ["mine"]
    with pytest.raises(al.UsageError, match=r"pipe\.toml: it is no file"):
        read_workload(tmp_path / "pipe.toml")


def test_two_inputs_may_not_go_to_one_place(tmp_path: Path) -> None:
    for name in ("inputs/a.c", "a.c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    text = f'{DESCRIPTION}inputs = ["inputs/a.c", "a.c"]\n'
    with pytest.raises(al.UsageError, match=r"inputs: 'inputs/a\.c' and 'a\.c' go to one place"):
        read_workload(described(tmp_path, text))
    text = text.replace('"inputs/a.c"', '"inputs"').replace("coreutils", "dpkg")
    with (
        pytest.raises(al.Error, match=r"mine: two inputs go to one place, a\.c"),
        prepared(read_workload(described(tmp_path, text))),
    ):
        pytest.fail("one of them was lost")


def test_a_recording_that_changed_is_found_out(tmp_path: Path) -> None:
    whole = al.workload("tcc", SHELF)
    path = tmp_path / "tcc.toml"
    said = whole.toml_path.read_text(encoding="utf-8").replace("[trace]", "[trace]\nold = 1")
    path.write_text(said.replace('inputs = ["inputs/stb_tcc.c"]', ""), encoding="utf-8")
    assert verify(read_workload(path)) == ["tcc.alloctrace is missing"]
    other = al.workload("lua", SHELF).trace_path.read_bytes()
    (tmp_path / "tcc.alloctrace").write_bytes(other)
    wrong = verify(read_workload(path))
    assert wrong[0] == "its bytes are not those that were shipped"
    assert any(line.startswith("events is ") for line in wrong)


def test_counts_made_again_may_be_off_by_a_thousandth_or_by_twice_what_was_measured() -> None:
    workload = dataclasses.replace(
        read_workload(SHELF / "tcc.toml"),
        is_deterministic=True,
        summary={"events": 10_000, "frees": 10_000},
        spread={"frees": 0.02},
    )
    again = {"events": 10_010, "frees": 10_011}
    assert differences(workload, again) == [
        Difference("events", 10_000, 10_010, 0.001),
        Difference("frees", 10_000, 10_011, 0.001),
    ]
    assert [row.is_within for row in differences(workload, again)] == [True, False]
    loose = dataclasses.replace(workload, is_deterministic=False)
    # A thousandth where nothing was measured, four hundredths where two were.
    assert [row.is_within for row in differences(loose, {"events": 9_989, "frees": 9_600})] == [
        False,
        True,
    ]


def test_a_recording_shipped_alone_keeps_the_spread_that_was_measured(tmp_path: Path) -> None:
    calls = Calls()
    for _ in range(4):
        calls.allocate(8)
    trace = calls.trace(tmp_path / "new.alloctrace")
    path = described(tmp_path)
    ship(read_workload(path), trace.path, [trace.summary() | {"allocations": 5}])
    measured = read_workload(path).spread
    assert measured["allocations"] == 0.25  # one of four

    ship(read_workload(path), trace.path, [])

    assert read_workload(path).spread == measured
    assert verify(read_workload(path)) == []


def test_the_longest_of_a_program_that_starts_itself_again_is_its_trace(tmp_path: Path) -> None:
    class Named(FakeTrace):
        def __init__(self, name: str, events: int) -> None:
            super().__init__(tmp_path)
            self.name, self.events = name, events

        def __len__(self) -> int:
            return self.events

    workload = read_workload(described(tmp_path))
    traces = [Named("true", 5), Named("true", 9), Named("sh", 99)]
    assert len(trace_of(workload, traces)) == 9  # type: ignore[arg-type]
    with pytest.raises(al.Error, match="mine: no trace of true, only of sh"):
        trace_of(workload, traces[2:])  # type: ignore[arg-type]


def test_a_missing_package_comes_with_the_line_that_installs_it(tmp_path: Path) -> None:
    absent = "no-such-package-of-debian"
    text = DESCRIPTION.replace('["coreutils"]', f'["coreutils", "{absent}"]')
    workload = read_workload(described(tmp_path, text))
    assert absent in missing_packages(workload.packages)
    with pytest.raises(al.NotInstalled, match=f"apt-get install .*{absent}"):
        check_packages(workload)


@pytest.mark.parametrize("said", ["packages = []", ""])
def test_a_workload_may_need_no_package(tmp_path: Path, said: str) -> None:
    text = DESCRIPTION.replace('packages = ["coreutils"]', said)
    workload = read_workload(described(tmp_path, text))
    assert workload.packages == ()
    with prepared(workload) as job:
        assert job.command == ["true"]


def test_packages_are_not_asked_for_where_debian_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing_packages(["no-such-package-of-debian"]) == []


def test_a_program_that_is_missing_is_named_with_its_workload(tmp_path: Path) -> None:
    text = DESCRIPTION.replace('["true"]', '["nosuchprogram"]').replace("coreutils", "dpkg")
    workload = read_workload(described(tmp_path, text))
    with pytest.raises(al.UsageError, match="mine: nosuchprogram: no such program"):
        record_workload(workload, tmp_path / "out.alloctrace")
    with prepared(workload) as job, pytest.raises(al.Error, match=r"mine: .*nosuchprogram"):
        bare_seconds(job)


def test_inputs_come_to_the_top_of_a_folder_that_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "inputs" / "game").mkdir(parents=True)
    (tmp_path / "inputs" / "game" / "scene").write_text("x", encoding="utf-8")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "one.cpp").write_text("int main() {}", encoding="utf-8")
    text = DESCRIPTION.replace("coreutils", "dpkg")
    text += 'inputs = ["inputs/game", "models/one.cpp"]\n'
    text += 'build = [["sh", "-c", "test -d {include} && echo built > {scratch}/made"]]\n'
    text += '[environment]\nPLACE = "{scratch}/here"\n'
    workload = read_workload(described(tmp_path, text))
    with prepared(workload) as job:
        assert (job.scratch / "game" / "scene").read_text(encoding="utf-8") == "x"
        assert (job.scratch / "models" / "one.cpp").is_file()
        assert (job.scratch / "made").is_file()
        assert job.environment["PLACE"] == f"{job.scratch}/here"
        assert job.environment["HOME"] == str(job.scratch)
        assert job.command == ["true"]
    assert not job.scratch.exists()


def test_all_inputs_may_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "inputs" / "game").mkdir(parents=True)
    (tmp_path / "inputs" / "game" / "scene").write_text("x", encoding="utf-8")
    text = DESCRIPTION.replace("coreutils", "dpkg") + 'inputs = ["inputs"]\n'
    with prepared(read_workload(described(tmp_path, text))) as job:
        assert (job.scratch / "game" / "scene").read_text(encoding="utf-8") == "x"


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (
            '["sh", "-c", "echo no such luck >&2; exit 3"]',
            "mine: sh -c .* ended with 3: no such luck",
        ),
        (r'["sh", "-c", "printf \"\\377 luck\" >&2; exit 3"]', "ended with 3: \ufffd luck"),
        ('["no-such-compiler", "-O2"]', "mine: no-such-compiler -O2: No such file or directory"),
    ],
)
def test_a_build_that_fails_shows_what_it_said(
    tmp_path: Path, command: str, complaint: str
) -> None:
    text = f"{DESCRIPTION.replace('coreutils', 'dpkg')}build = [{command}]\n"
    with (
        pytest.raises(al.Error, match=complaint),
        prepared(read_workload(described(tmp_path, text))),
    ):
        pytest.fail("it was built")


def test_a_program_that_refuses_root_does_not_run_as_root(tmp_path: Path) -> None:
    text = DESCRIPTION.replace("coreutils", "dpkg") + "refuses_root = true\n"
    with prepared(read_workload(described(tmp_path, text))) as job:
        assert (job.command[0] == "setpriv") == (os.geteuid() == 0)
