# SPDX-License-Identifier: MIT
"""The combinators as specs, and stacks of them replaying recordings in the child."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import alloclab as al
from alloclab.allocators import Composed
from alloclab.replay.child import Order, run_child

# One of each, every field away from its default.
COMBINATORS: list[Composed] = [
    al.Segregator(128, small=al.Freelist(block=128), large=al.Pool(), small_alignment=64),
    al.Bucketizer(al.Freelist(), min=17, max="4 KiB", step=32, steps_per_doubling=4),
    al.Fallback(al.Freelist(block=48), al.Pool()),
    al.Affix(al.Pool(), prefix=8, suffix=24),
    al.Quantizer(al.Pool(), quantum=64, steps_per_doubling=1),
    al.Stats(al.Pool(), slack=True, histogram=True),
    al.Limit(al.Pool(), "256 MiB"),
    al.Locked(al.Pool(), lock="mutex"),
    al.ThreadLocal(al.Pool(), on_exit="drain"),
    al.Callback(al.Pool()),
    al.Deterministic(al.Pool()),
]


def stacks(depth: int = 4) -> st.SearchStrategy[al.Allocator]:
    """Any stack that takes every size, so that a replay of it fails no request."""
    leaves = st.sampled_from(
        [al.Pool(), al.Arena(), al.Tlsf(), al.Buddy(), al.Arena(growth=1.0), al.PageAllocator()]
    )
    if depth == 0:
        return leaves
    upstream = st.deferred(lambda: stacks(depth - 1))
    around = st.sampled_from(
        [al.Affix, al.Quantizer, al.Stats, al.Locked, al.ThreadLocal, al.Callback, al.Deterministic]
    )
    step, steps = st.sampled_from([16, 32, 128]), st.sampled_from([None, 1, 4])
    lists = st.builds(lambda by, each: al.Bucketizer(al.Freelist(), 1, 512, by, each), step, steps)
    return st.one_of(
        leaves,
        st.builds(lambda kind, inner: kind(inner), around, upstream),
        st.builds(
            lambda small, large: al.Segregator(512, small=small, large=large), lists, upstream
        ),
        st.builds(al.Fallback, st.builds(al.Freelist, st.sampled_from([32, 256])), upstream),
    )


@pytest.fixture(scope="module")
def trace(workloads: Path) -> al.Trace:
    return al.open_trace(workloads / "freeciv.alloctrace")


def answer(trace: al.Trace, spec: al.Allocator, measure: str, events: int = 40_000) -> Any:
    """What one child says of the recording's first events."""
    launch = spec.kernel()
    assert launch is not None
    return run_child(Order(trace.path, launch, measure, stop_after=events))


@pytest.mark.parametrize("spec", COMBINATORS, ids=lambda spec: spec.name)
def test_a_combinator_reads_back_both_ways(spec: Composed) -> None:
    assert al.allocators.parse(str(spec)) == spec
    assert al.allocators.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert hash(al.allocators.parse(str(spec))) == hash(spec)
    assert all(f"{name}=" in str(spec) for name in spec.field_names()), "nothing is at its default"


@given(stacks())
def test_any_stack_reads_back_both_ways(spec: al.Allocator) -> None:
    assert al.allocators.parse(str(spec)) == spec
    assert al.allocators.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize("spec", COMBINATORS, ids=lambda spec: spec.name)
def test_a_combinator_replays_a_recording_and_damages_no_block(
    trace: al.Trace, spec: Composed
) -> None:
    found = answer(trace, spec, "check")
    assert found["call_path"] == "type_erased"
    assert found["checked_blocks"] > 1_000
    assert found["damaged_blocks"] == 0
    assert found["failed_allocations"] == 0 or spec.name == "bucketizer"


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(stacks())
def test_any_stack_replays_a_recording_and_damages_no_block(
    trace: al.Trace, spec: al.Allocator
) -> None:
    found = answer(trace, spec, "check", events=12_000)
    assert found["failed_allocations"] == 0
    assert found["checked_blocks"] > 300
    assert found["damaged_blocks"] == 0


def test_stats_of_a_replay_add_up(trace: al.Trace) -> None:
    stats = answer(trace, al.Stats(al.Pool(), histogram=True), "time")["stats"]
    assert stats["stats_allocate_ok_ops"] == stats["stats_allocate_ops"] > 0
    used = stats["stats_allocated_bytes"] - stats["stats_deallocated_bytes"]
    assert stats["stats_high_tide_bytes"] >= stats["stats_used_bytes"] == used
    sizes = [count for name, count in stats.items() if name.startswith("stats_size_up_to_")]
    assert sum(sizes) == stats["stats_allocate_ops"]
    again = answer(trace, al.Callback(al.Stats(al.Pool())), "time")["stats"]
    assert again["callback_allocate_events"] == again["stats_allocate_ops"]
    assert again["stats_high_tide_bytes"] == stats["stats_high_tide_bytes"]


def test_reallocations_of_a_replay_are_counted_moved_or_not(trace: al.Trace) -> None:
    stats = answer(trace, al.Stats(al.Pool()), "time")["stats"]
    assert stats["stats_reallocate_ops"] == stats["stats_reallocate_ok_ops"] > 0
    assert stats["stats_moved_bytes"] > 0
    assert stats["stats_resize_ops"] == 0
    moving = answer(trace, al.Locked(al.Stats(al.Deterministic(al.Pool()))), "time")["stats"]
    assert moving["stats_reallocate_ops"] == stats["stats_reallocate_ops"]
    assert moving["stats_moved_bytes"] > stats["stats_moved_bytes"]


def test_a_budget_fails_requests_and_counts_them(trace: al.Trace) -> None:  # row S52
    free = answer(trace, al.Stats(al.Pool()), "time")["stats"]["stats_high_tide_bytes"]
    found = answer(trace, al.Limit(al.Pool(), free // 2), "check")
    assert found["failed_allocations"] > 0
    assert found["stats"]["limit_refused_ops"] >= found["failed_allocations"]
    assert found["stats"]["limit_used_bytes"] <= free // 2
    assert found["damaged_blocks"] == 0


def test_reallocations_always_move_when_told_so(trace: al.Trace) -> None:
    def in_place(spec: al.Allocator) -> int:
        stats = answer(trace, al.Stats(spec), "time")["stats"]
        return int(stats["stats_reallocate_in_place_ops"])

    assert in_place(al.Deterministic(al.Pool())) == 0
    assert in_place(al.Pool()) > 0
    assert in_place(al.Quantizer(al.Deterministic(al.Pool()), quantum=64)) > 0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            al.Fallback(al.Affix(al.Pool()), al.Pool()),
            "fallback.primary: affix does not know which blocks are its own",
        ),
        (
            al.Limit(al.Stats(al.Arena(), slack=True), 100),
            "limit.upstream.upstream: arena does not know how large its blocks are",
        ),
        (al.Bucketizer(al.Freelist(), 10, 5), "bucketizer: max_bytes 5 is below min_bytes 10"),
        (al.Quantizer(al.Pool(), quantum=48), 'quantizer: option "quantum_bytes"'),
        (
            al.Locked(al.Bucketizer(al.Freelist(), max="1 MiB")),
            "locked.upstream: its steps make 65536 buckets, more than 256",
        ),
    ],
    ids=lambda each: each.split(":")[0] if isinstance(each, str) else "",
)
def test_what_cannot_work_is_refused_before_anything_runs(
    trace: al.Trace, spec: al.Allocator, message: str
) -> None:
    with pytest.raises(al.Error, match=message.replace(".", r"\.")):
        answer(trace, spec, "time")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("locked:upstream=(pool),lock=door", "locked: lock: not one of spin, mutex: 'door'"),
        ("thread_local:upstream=(pool),on_exit=drop", "not one of keep, drain: 'drop'"),
        ("segregator:small=(pool)", "segregator needs 'large'"),
        ("limit:upstream=(jemalloc),bytes=1MiB", "jemalloc is a whole process's malloc"),
    ],
)
def test_a_spec_that_says_nonsense_is_refused(text: str, message: str) -> None:
    with pytest.raises(al.UsageError, match=message):
        al.allocators.parse(text)


def test_long_names_are_short_in_the_table_and_explained_below_it(trace: al.Trace) -> None:
    long = al.Segregator(512, small=al.Bucketizer(al.Freelist(), max=512), large=al.Tlsf())
    longer = al.Segregator(512, small=al.Bucketizer(al.Freelist(), max=512), large=long)
    comparison = al.compare(trace, [long, longer], repeats=1)
    lines = comparison.table().splitlines()
    assert max(len(line.split("  ")[0]) for line in lines[2:4]) <= 60
    short = "segregator:threshold=512B,small=(bucketize..."
    assert lines[2].startswith(short + "  ") and lines[3].startswith(f"{short} #2  ")
    assert lines[-2:] == [f"{short}: {long}", f"{short} #2: {longer}"]
    assert comparison[longer].label == str(longer)


def test_the_readme_s_jemalloc_in_twelve_lines_runs_as_typed(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (checkout / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Jemalloc in twelve lines")[2].partition("\n## ")[0]
    code = textwrap.dedent("\n".join(re.findall(r"^(?:    .*)?$", section, re.MULTILINE)))
    compare, found = al.compare, []

    def compare_once(*arguments: Any) -> al.Comparison:
        found.append(compare(*arguments, repeats=1))
        return found[0]

    monkeypatch.setattr(al, "compare", compare_once)
    monkeypatch.chdir(checkout)
    exec(compile(code, "README.md", "exec"), {})
    assert "jemalloc" in capsys.readouterr().out
    stack, jemalloc = list(found[0])
    assert stack.problem is None and stack.run is not None
    assert not any("failed" in each for each in stack.run.warnings)
    assert stack["peak_footprint_bytes"] < 1.1 * jemalloc["peak_footprint_bytes"]
