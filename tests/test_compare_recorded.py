# SPDX-License-Identifier: MIT
"""The whole chain on a program that is recorded here: record, open, replay, compare, diff."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import alloclab as al
from alloclab import cli
from alloclab.results import Fidelity

PROGRAM = """
words = {}
for n in range(20000):
    words[f"word {n % 5000}"] = bytes(600 + n % 900)
print(len(words))
"""
COUNTED = """
#include <stdlib.h>
int main(void) {
    static void* blocks[1000];
    for (int round = 0; round < 20; ++round) {
        for (int at = 0; at < 1000; ++at) blocks[at] = malloc(100);
        for (int at = 0; at < 1000; ++at) free(blocks[at]);
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> al.Trace:
    folder = tmp_path_factory.mktemp("recorded")
    command = [sys.executable, "-I", "-S", "-c", PROGRAM]
    return al.record(command, output=folder / "recording").largest()


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> al.Trace:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("counted")
    source, program = folder / "counted.c", folder / "counted"
    source.write_text(COUNTED)
    subprocess.run([compiler, "-O0", "-o", program, source], check=True)
    return al.record([program], output=folder / "recording").largest()


def test_a_workload_is_replayed_and_compared_as_its_recording_is(workloads: Path) -> None:
    workload = al.workload("tcc", folder=workloads)
    run = al.replay(workload, al.Glibc(), measure="blocks")
    same = al.replay(workload.trace_path, al.Glibc(), measure="blocks")
    assert run["replayed_events"] == same["replayed_events"] > 10_000
    comparison = al.compare(workload, [al.Glibc()], repeats=1, progress=False)
    assert [row.problem for row in comparison] == [None]
    with pytest.raises(al.UsageError, match=r"^7 is neither a trace, nor the path of one, nor a"):
        al.compare(7, [al.Glibc()])  # type: ignore[arg-type]


def test_a_replay_of_known_blocks_has_the_figures_worked_out_by_hand(counted: al.Trace) -> None:
    run = al.replay(counted, al.Glibc(), measure="blocks")
    assert run["replayed_events"] == 20 * 2000
    assert run["failed_allocations"] == 0
    # A thousand blocks of 100 bytes are live at once; glibc gives each 104 usable bytes.
    assert run["peak_requested_live_bytes"] == 100_000
    assert run["block_live_bytes_at_peak_requested"] == 104_000
    assert run["internal_fragmentation_ratio"] == pytest.approx(1 - 100 / 104)
    assert run["block_bytes_total"] == 20 * 104_000


@pytest.mark.parametrize("spec", [al.Glibc(), al.Pool(), al.Arena()], ids=str)
def test_an_exact_replay_gives_the_same_figures_twice(trace: al.Trace, spec: al.Allocator) -> None:
    first = al.replay(trace, spec, measure="blocks").metrics
    second = al.replay(trace, spec, measure="blocks").metrics
    exact = [name for name in first if al.METRICS[name].is_deterministic]
    assert "block_bytes_total" in exact
    assert [first[name] for name in exact] == [second[name] for name in exact]


def test_what_is_live_at_most_is_what_the_trace_says(trace: al.Trace) -> None:
    objects = trace.objects()
    is_block = ~objects["is_region"].astype(bool)
    run = al.replay(trace, al.Glibc(), measure="blocks")
    assert run["peak_requested_live_bytes"] == trace.summary()["peak_requested_live_bytes"]
    assert run["peak_requested_live_bytes"] >= int(np.max(objects["size"][is_block]))


@pytest.mark.parametrize("spec", [al.Glibc(), al.Pool(), al.Arena()], ids=str)
def test_blocks_keep_their_stamps(trace: al.Trace, spec: al.Allocator) -> None:
    run = al.replay(trace, spec, measure="check")
    assert run["damaged_blocks"] == 0
    assert run["checked_blocks"] > 1000


def test_settings_reach_the_allocator(trace: al.Trace) -> None:
    always = al.Glibc(mmap_threshold="4 KiB")
    plain = al.replay(trace, al.Glibc(), measure="blocks")
    mapped = al.replay(trace, always, measure="blocks")
    assert mapped["block_bytes_total"] > plain["block_bytes_total"]
    coarse = al.replay(trace, al.Arena(initial="16 MiB"), measure="blocks")
    fine = al.replay(trace, al.Arena(initial="64 KiB", growth=1.0), measure="blocks")
    assert coarse["reserved_bytes"] != fine["reserved_bytes"]


def test_a_setting_out_of_range_is_refused_by_name(trace: al.Trace) -> None:
    with pytest.raises(al.UsageError, match="growth"):
        al.replay(trace, al.Arena(growth=99.0), measure="blocks")


def test_a_comparison_of_a_real_program_holds_together(trace: al.Trace, tmp_path: Path) -> None:
    specs = [al.Glibc(), al.Pool(), al.Arena(), al.Jemalloc()]
    comparison = al.compare(trace, specs, repeats=2, progress=False)
    assert [row.label for row in comparison] == ["glibc", "pool", "arena", "jemalloc"]
    requested = comparison["glibc"]["peak_requested_live_bytes"]
    for row in comparison:
        if row.problem is None:
            assert row["peak_requested_live_bytes"] == requested
            assert row["peak_block_live_bytes"] >= requested
            assert row["peak_footprint_bytes"] > 0
            assert "ns_per_event" in row.figures
    assert comparison["arena"]["peak_footprint_bytes"] > comparison["pool"]["peak_footprint_bytes"]
    comparison.save(tmp_path / "compare.json")
    assert al.load_comparison(tmp_path / "compare.json").table() == comparison.table()


def test_the_replay_is_near_the_recorded_program(trace: al.Trace) -> None:
    fidelity = al.compare(trace, [al.Glibc()], repeats=1, progress=False).fidelity
    assert isinstance(fidelity, Fidelity)
    ratio = fidelity.peak_ratio
    assert not isinstance(ratio, al.NotMeasured)
    # A small program's own static data weighs; large ones are held to 5 % by a script in ci/.
    assert ratio.value == pytest.approx(1.0, abs=0.25)


def test_what_is_explained_of_a_real_program_adds_up(trace: al.Trace) -> None:
    comparison = al.compare(trace, [al.Glibc()], repeats=1, progress=False)
    explained = comparison.explained
    assert not isinstance(explained, al.NotMeasured)
    recorded = trace.footprint()["anonymous_bytes"]
    assert explained.recorded_peak_bytes == int(recorded.max())
    static_bytes = trace.metadata["static_anonymous_bytes"]
    assert 0 < static_bytes < int(recorded.max())
    assert explained.at_start_bytes == max(int(recorded[0]), static_bytes)
    assert 0 < explained.allocated_bytes + explained.mapped_bytes <= 2 * int(recorded.max())


def test_a_peer_that_crashes_is_a_failed_row(trace: al.Trace, tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, library = tmp_path / "weary.c", tmp_path / "libweary.so"
    source.write_text(
        "static char room[1 << 23]; static unsigned long used, calls;\n"
        "void* malloc(unsigned long n) {\n"
        "    if (++calls > 3000) __builtin_trap();\n"
        "    used = (used + n + 31) & ~15ul; return room + used - ((n + 15) & ~15ul);\n"
        "}\n"
        "void free(void* p) { (void)p; }\n"
        "void* calloc(unsigned long n, unsigned long m) { return malloc(n * m); }\n"
        "void* realloc(void* p, unsigned long n) { (void)p; return malloc(n); }\n"
    )
    flags = ["-shared", "-fPIC", "-fno-builtin", "-O1"]
    subprocess.run([compiler, *flags, "-o", library, source], check=True)
    comparison = al.compare(trace, [al.Glibc(), al.Preload(library)], repeats=1, progress=False)
    failure = comparison.rows[1].run.failure  # type: ignore[union-attr]
    assert failure is not None
    assert failure.signal_name in ("SIGILL", "SIGTRAP", "SIGSEGV")
    assert failure.last_event is not None and failure.last_event < len(trace)
    assert comparison["glibc"].problem is None


def test_a_trace_does_not_differ_from_itself_but_from_another(
    trace: al.Trace, counted: al.Trace
) -> None:
    assert al.diff(trace, trace).is_empty
    found = al.diff(counted, trace)
    assert not found.is_empty
    size = {group.label: group for group in found.groups["size"]}
    assert size["up to 112 B"].first_objects == 20_000


def test_the_command_line_compares_what_it_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "recording"
    words = ["record", "-o", str(folder), "--", sys.executable, "-I", "-S", "-c", PROGRAM]
    assert cli.main(words) == 0
    assert cli.main(["info", str(folder)]) == 0
    recorded = next(iter(folder.glob("*.alloctrace")))
    capsys.readouterr()
    assert cli.main(["compare", str(recorded), "glibc", "pool", "--repeats", "1"]) == 0
    shown = capsys.readouterr().out
    assert "fidelity: replay under glibc" in shown
    assert shown.splitlines()[2].startswith("glibc ")


def test_recording_speaks_json_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "recording"
    words = ["record", "--json", "-o", str(folder), "--", "sh", "-c", "echo said; exit 3"]
    command = [sys.executable, "-m", "alloclab", *words]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert json.loads(result.stdout)["returncode"] == 3
    assert "said" in result.stderr
    assert "alloclab: sh ended with 3" in result.stderr


def test_a_program_that_does_not_exist_is_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["record", "-o", str(tmp_path / "r"), "--", "no-such-program"]) == 2
    assert capsys.readouterr().err.startswith("alloclab: no-such-program: ")


def test_sealing_says_what_is_wrong_with_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["seal", str(tmp_path)]) == 2
    assert "nothing to seal" in capsys.readouterr().err
    (tmp_path / "torn.capture").write_bytes(b"torn")
    assert cli.main(["seal", str(tmp_path)]) == 1
    assert "torn.capture" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign"])
def test_a_damaged_trace_is_one_line_and_exit_code_1(
    counted: al.Trace, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(counted.path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 0x40
    kept = {"cut": content[: len(content) // 2], "empty": b"", "foreign": b"not a trace" * 99}
    damaged = tmp_path / "damaged.alloctrace"
    damaged.write_bytes(bytes(kept.get(damage, content)))
    assert cli.main(["compare", str(damaged), "glibc", "--repeats", "1"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("alloclab: ")
    assert "damaged.alloctrace" in said
    assert said.count("\n") == 1
