# SPDX-License-Identifier: MIT
"""Phases: every figure worked out by hand on a made-up trace, however it is cut into chunks.

Row Q3: the lines that `--memory-stats` printed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alloclab import cli
from alloclab.errors import NotMeasured, UsageError
from alloclab.live_bytes import live_bytes
from alloclab.phases import Phase, phases
from support.scoped_trace import ScopedTrace


def compile_of_two_phases(chunk_events: int = 1 << 18) -> ScopedTrace:
    """A build whose parsing keeps 1 MB of 3 and whose finish ends with all but 0.5 MB gone."""
    trace = ScopedTrace(chunk_events)
    build = trace.enter("build", "small.cpp")  # event 0
    trace.sample(500_000)
    parse = trace.enter("phase", "parse")  # 2
    tree = trace.allocate(1_000_000)  # 3: 1.0 MB live
    function = trace.enter("function", "lab::twice")  # 4
    scratch = trace.allocate(1_500_000)  # 5: 2.5
    trace.resize(scratch, 2_000_000)  # 6: 3.0, the most there ever is
    trace.sample(4_000_000)  # 7
    trace.end(scratch)  # 8: 1.0
    trace.exit(function)  # 9
    trace.sample(3_000_000)  # 10
    trace.exit(parse)  # 11
    finish = trace.enter("phase", "finish")  # 12
    trace.end(tree)  # 13: 0
    trace.allocate(500_000)  # 14: 0.5, never freed
    trace.exit(finish)  # 15
    trace.exit(build)  # 16
    return trace


def named(trace: ScopedTrace, kind: str) -> dict[str, Phase]:
    return {phase.name: phase for phase in phases(trace).of_kind(kind)}


@pytest.mark.parametrize("chunk_events", [1, 2, 5, 7, 1000])
def test_bytes_and_calls_of_a_phase_are_those_within_it(chunk_events: int) -> None:
    found = named(compile_of_two_phases(chunk_events), "phase")
    parse, finish = found["parse"], found["finish"]
    assert list(found) == ["parse", "finish"]
    assert parse.allocations == 3  # the reallocation counts
    assert parse.allocated_bytes == 1_000_000 + 1_500_000 + 2_000_000
    assert parse.self_allocated_bytes == 1_000_000
    assert parse.live_bytes_at_end == parse.change_bytes == 1_000_000
    assert parse.peak_requested_live_bytes == 3_000_000
    assert (parse.surviving_bytes, parse.surviving_objects) == (1_000_000, 1)
    assert finish.peak_requested_live_bytes == 1_000_000  # as it began
    assert finish.change_bytes == -500_000
    assert finish.surviving_bytes == 500_000


def test_times_are_the_scopes_own_and_less_what_is_within() -> None:
    trace = compile_of_two_phases()
    parse = named(trace, "phase")["parse"]
    function = named(trace, "function")["lab::twice"]
    assert parse.wall_ns == (11 - 2) * 10
    assert function.wall_ns == (9 - 4) * 10
    assert parse.self_wall_ns == parse.wall_ns - function.wall_ns
    build = named(trace, "build")["small.cpp"]
    assert build.wall_ns == 160
    assert build.self_wall_ns == 160 - 90 - 30


def test_a_block_outlives_every_scope_it_did_not_die_in() -> None:
    trace = ScopedTrace()
    outer = trace.enter("phase", "outer")
    inner = trace.enter("stage", "inner")
    kept, passed, brief = trace.allocate(1), trace.allocate(10), trace.allocate(100)
    trace.end(brief)
    trace.exit(inner)
    trace.end(passed)
    trace.exit(outer)
    trace.end(kept)
    assert named(trace, "stage")["inner"].surviving_bytes == 11
    assert named(trace, "phase")["outer"].surviving_bytes == 1


def test_a_scope_within_one_of_its_own_name_is_not_counted_twice() -> None:
    trace = ScopedTrace()
    first = trace.enter("function", "walk")
    second = trace.enter("stage", "between")
    third = trace.enter("function", "walk")
    trace.allocate(64)
    for row in (third, second, first):
        trace.exit(row)
    walk = named(trace, "function")["walk"]
    assert (walk.calls, walk.allocated_bytes, walk.allocations) == (2, 64, 1)
    assert walk.wall_ns == 60
    assert (walk.surviving_bytes, walk.change_bytes) == (64, 64)


@pytest.mark.parametrize("chunk_events", [1, 3, 1000])
def test_allocations_are_the_threads_own_and_live_bytes_the_programs(chunk_events: int) -> None:
    trace = ScopedTrace(chunk_events)
    mine = trace.enter("task", "mine", thread=0)
    theirs = trace.enter("task", "theirs", thread=3)
    trace.allocate(10, thread=0)
    trace.allocate(200, thread=3)
    trace.exit(mine)
    trace.allocate(200, thread=3)
    trace.exit(theirs)
    found = named(trace, "task")
    assert [found[name].allocated_bytes for name in ("mine", "theirs")] == [10, 400]
    assert [found[name].live_bytes_at_end for name in ("mine", "theirs")] == [210, 410]


def test_a_scope_that_was_never_left_lasts_to_the_end() -> None:
    trace = ScopedTrace()
    trace.enter("phase", "killed")
    trace.allocate(8)
    freed = trace.allocate(16)
    trace.end(freed)
    killed = named(trace, "phase")["killed"]
    assert (killed.allocated_bytes, killed.surviving_bytes) == (24, 8)
    assert killed.wall_ns == 30


@pytest.mark.parametrize("chunk_events", [1, 2, 1000])
def test_regions_are_counted_apart_split_and_unmapped(chunk_events: int) -> None:
    trace = ScopedTrace(chunk_events)
    phase = trace.enter("phase", "collect")
    trace.allocate(7)
    whole = trace.map(4096 * 4)
    upper = trace.split(whole, 4096)
    trace.end(upper, "unmap")  # three pages
    trace.resize(whole, 4096 * 2)
    trace.exit(phase)
    found = named(trace, "phase")["collect"]
    assert found.mapped_bytes_at_end == 4096 * 2
    assert (found.live_bytes_at_end, found.allocations, found.surviving_bytes) == (7, 1, 7)
    live = live_bytes(trace, len(trace), [3])
    assert live.peak_mapped_bytes.tolist() == [4096 * 4, 4096 * 4]
    assert live.last_size[0] == 7


@pytest.mark.parametrize("chunk_events", [1, 4, 1000])
def test_what_is_live_at_cuts_adds_up(chunk_events: int) -> None:
    trace = compile_of_two_phases(chunk_events)
    live = live_bytes(trace, len(trace), np.array([4, 7, 13]))
    assert live.event.tolist() == [0, 4, 7, 13, 17]
    assert live.live_bytes.tolist() == [0, 1_000_000, 3_000_000, 1_000_000, 500_000]
    assert live.peak_live_bytes.tolist() == [1_000_000, 3_000_000, 3_000_000, 1_000_000]
    assert live.time_ns.tolist() == [0, 40, 70, 130, 160]


def test_lines_give_current_memory_and_apart_from_it_the_peaks() -> None:
    assert phases(compile_of_two_phases()).lines() == [
        "[mem] parse: 3.0 MB (+2.5)",
        "[mem] finish: 3.0 MB (+0.0)",
        "[mem peak] parse: 4.0 MB",
        "[mem peak] finish: 3.0 MB",
    ]


def test_lines_give_requested_memory_where_none_was_sampled() -> None:
    trace = compile_of_two_phases()
    trace.samples = []
    assert phases(trace).lines()[:2] == [
        "[mem] parse: 1.0 MB (+1.0)",
        "[mem] finish: 0.5 MB (-0.5)",
    ]


def test_a_table_names_those_that_allocate_most_themselves() -> None:
    trace = ScopedTrace()
    for size, name in ((1, "small"), (300, "large"), (20, "middle")):
        row = trace.enter("stage", name)
        trace.allocate(size)
        trace.exit(row)
    lines = phases(trace).table("stage", 2).splitlines()
    assert [line.split()[0] for line in lines] == ["stage", "large", "middle", "and"]
    assert lines[-1] == "and 1 more that allocate less"


def test_no_scopes_and_unknown_kinds_are_said() -> None:
    with pytest.raises(NotMeasured, match="no scopes"):
        phases(ScopedTrace())
    with pytest.raises(UsageError, match="no scopes of kind 'turn': the trace has build, phase"):
        phases(compile_of_two_phases()).of_kind("turn")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = compile_of_two_phases()
    monkeypatch.setattr(sys.modules["alloclab.cli.phases"], "open_trace", lambda path: trace)


def test_the_verb_prints_lines_for_phases_and_a_table_for_each_kind(
    shown: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["phases", "any.alloctrace"]) == 0
    text = capsys.readouterr().out
    assert "[mem] parse: 3.0 MB (+2.5)\n" in text
    assert "lab::twice" in text
    assert cli.main(["phases", "--kind", "function", "any.alloctrace"]) == 0
    assert capsys.readouterr().out.startswith("[mem] lab::twice: 4.0 MB (+3.5)")
    assert cli.main(["phases", "--kind", "tick", "any.alloctrace"]) == 2
    assert "the trace has build, phase, function" in capsys.readouterr().err


def test_the_verb_prints_json_and_draws(
    shown: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "live.png"
    words = ["phases", "--json", "--kind", "phase", "--plot", str(picture), "any.alloctrace"]
    assert cli.main(words) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in document["phases"]["phase"]] == ["parse", "finish"]
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert cli.main(["phases", "--plot", str(tmp_path / "live.svg"), "any.alloctrace"]) == 2
