# SPDX-License-Identifier: MIT
"""Who asked for memory, worked out by hand on five objects."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from alloclab.errors import NotMeasured, UsageError
from alloclab.lifetimes import lifetimes
from alloclab.stacks import Stacks
from alloclab.top import stack_weights, top
from alloclab.traces import Summary

NAMES = ["main", "operator new(unsigned long)", "parse", "build", "phase", "front", "/bin/p", "a.c"]


def columns(**values: list[int]) -> dict[str, npt.NDArray[Any]]:
    return {name: np.array(each, dtype=np.int64) for name, each in values.items()}


class FakeTrace:
    """Objects 0 to 4; object 4 is a region. The peak of requested bytes is at event 3."""

    names = NAMES

    def __init__(self, **summary: int) -> None:
        counts = {"sites": 2, "scopes": 1, "tagged_calls": 1, "peak_requested_event": 3}
        self.counts = Summary(counts | summary)

    def summary(self) -> Summary:
        return self.counts

    def objects(self) -> Mapping[str, npt.NDArray[Any]]:
        return columns(
            size=[10, 20, 30, 5, 4096],
            max_size=[10, 25, 30, 5, 4096],
            birth=[0, 1, 2, 6, 7],
            death=[4, -1, 5, 8, -1],
            birth_thread=[0, 0, 1, 1, 0],
            death_thread=[1, 0, 1, 1, 0],
            is_region=[0, 0, 0, 0, 1],
            scope=[0, 0, -1, -1, 0],
            site=[0, 1, 1, -1, -1],
            tag=[2, -1, -1, 3, -1],
        )

    def scopes(self) -> Mapping[str, npt.NDArray[Any]]:
        return columns(kind=[4], name=[5])

    def stacks(self) -> Stacks:
        # main; main > parse > build (inlined) > operator new
        return Stacks(
            columns(
                stack=[0, 3],
                parent=[-1, 0, 1, 2],
                frame=[0, 1, 2, 3],
                function=[0, 2, 3, 1],
                file=[-1, 7, 7, -1],
                module=[6, 6, 6, 6],
                line=[0, 10, 20, 0],
                offset=[16, 32, 32, 48],
                is_inlined=[0, 0, 1, 0],
            ),
            NAMES,
        )


def test_a_stack_is_its_frames_innermost_first() -> None:
    frames = FakeTrace().stacks()[1]
    assert [frame.function for frame in frames] == [NAMES[1], "build", "parse", "main"]
    assert [str(frame) for frame in frames[1:3]] == ["build (a.c:20)", "parse (a.c:10)"]
    assert frames[1].is_inlined
    assert FakeTrace().stacks().frames(-1) == ()
    with pytest.raises(IndexError, match="2 call stacks"):
        FakeTrace().stacks()[2]


def test_sites_are_summed_up_and_ordered_by_what_is_live_at_the_peak() -> None:
    rows = top(FakeTrace(), "site")
    assert [row.peak_live_bytes for row in rows] == [55, 10, 0]
    assert rows[0].name == f"{NAMES[1]} < build (a.c:20) < parse (a.c:10) < main"
    assert (rows[0].allocations, rows[0].allocated_bytes, rows[0].end_live_bytes) == (2, 55, 25)
    assert rows[1].freed_elsewhere == 1
    assert rows[2].name == "(unknown)"


def test_a_function_is_the_innermost_that_is_no_wrapper_of_malloc() -> None:
    assert [row.name for row in top(FakeTrace(), "function")] == ["build", "main", "(unknown)"]


def test_scopes_tags_and_threads_are_summed_up_likewise() -> None:
    scopes = {row.name: row.allocated_bytes for row in top(FakeTrace(), "scope")}
    assert scopes == {"phase front": 35, "(unknown)": 35}
    tags = {row.name: row.allocations for row in top(FakeTrace(), "tag")}
    assert tags == {"parse": 1, "build": 1, "(unknown)": 2}
    threads = {row.name: row.allocated_bytes for row in top(FakeTrace(), "thread")}
    assert threads == {"thread 0": 35, "thread 1": 35}


def test_the_weight_orders_and_the_limit_cuts() -> None:
    rows = top(FakeTrace(), "site", weight="end", limit=1)
    assert rows[0].end_live_bytes == 25
    assert rows.left_out == 2
    assert str(rows).endswith("and 2 more")
    assert json.loads(json.dumps(rows.to_json()))["left_out"] == 2


def test_stacks_weigh_what_they_hold() -> None:
    (stacks,) = stack_weights(FakeTrace(), "peak")
    weights = {tuple(frame.function for frame in frames): weight for frames, weight in stacks}
    assert weights == {("main",): 10, (NAMES[1], "build", "parse", "main"): 55}


@pytest.mark.parametrize(
    ("by", "count"), [("site", "sites"), ("scope", "scopes"), ("tag", "tagged_calls")]
)
def test_what_a_trace_does_not_know_is_not_measured(by: str, count: str) -> None:
    with pytest.raises(NotMeasured, match="the trace has no"):
        top(FakeTrace(**{count: 0}), by)


def test_unknown_words_are_refused() -> None:
    with pytest.raises(UsageError, match="known are site"):
        top(FakeTrace(), "file")
    with pytest.raises(UsageError, match="known are peak"):
        top(FakeTrace(), weight="size")


def test_lifetimes_are_bytes_allocated_between_birth_and_death() -> None:
    # Blocks of 10, 20, 30 and 5 bytes: the first dies after 20 + 30 more, the third after 0, and
    # the fourth after 0.
    found = lifetimes(FakeTrace().objects())
    assert (found.median_bytes, found.p90_bytes) == (0, 50)
    assert found.never_freed_ratio == 0.25
    assert found.freed_elsewhere_ratio == pytest.approx(1 / 3)


def test_without_a_free_there_are_no_lifetimes() -> None:
    objects = {name: each[1:2] for name, each in FakeTrace().objects().items()}
    with pytest.raises(NotMeasured, match="no block was freed"):
        lifetimes(objects)


def test_an_icicle_and_a_flame_graph_come_from_the_same_stacks(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from alloclab.views import plot_icicle, speedscope

    (stacks,) = stack_weights(FakeTrace(), "peak")
    plot_icicle(stacks).savefig(tmp_path / "icicle.png")
    assert (tmp_path / "icicle.png").stat().st_size > 1000
    document = speedscope({"peak": stacks})
    assert sum(document["profiles"][0]["weights"]) == 65
