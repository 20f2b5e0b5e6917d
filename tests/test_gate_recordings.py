# SPDX-License-Identifier: MIT
"""The gate at work: the lab's own allocators on the shipped recordings, held to the last byte."""

from pathlib import Path
from typing import Any

import pytest

import alloclab as al

RECORDINGS = ["cc1plus", "clang", "freeciv"]


@pytest.mark.parametrize("recording", RECORDINGS)
@pytest.mark.parametrize("allocator", [al.Pool(), al.Arena()], ids=str)
def test_exact_figures(
    alloclab: Any, workloads: Path, allocator: al.Allocator, recording: str
) -> None:
    run = al.replay(workloads / f"{recording}.alloctrace", allocator, measure="blocks")
    alloclab.check(run)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_a_replay_gives_the_counts_of_its_trace(workloads: Path, recording: str) -> None:
    trace = al.open_trace(workloads / f"{recording}.alloctrace")
    run = al.replay(trace, al.Pool(), measure="blocks")
    summary = trace.summary()
    assert run["peak_requested_live_bytes"] == summary["peak_requested_live_bytes"]
    assert run["peak_requested_event"] == summary["peak_requested_event"]
    assert run["failed_allocations"] == 0


def test_another_pool_does_not_pass_for_the_committed_one(
    pytester: pytest.Pytester, workloads: Path
) -> None:
    trace = workloads / "freeciv.alloctrace"
    pytester.makepyfile(
        f"""
        import alloclab as al
        def test_arena(alloclab):
            alloclab.check(al.replay({str(trace)!r}, al.Arena(initial=INITIAL), measure="blocks"))
        """.replace("INITIAL", "'64 KiB'")
    )
    pytester.runpytest("--alloclab-update").assert_outcomes(failed=1)
    pytester.runpytest().assert_outcomes(passed=1)
    test = next(pytester.path.glob("test_*.py"))
    test.write_text(test.read_text().replace("64 KiB", "1 MiB"))
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*reserved_bytes: baseline *, measured *"])
