# SPDX-License-Identifier: MIT
"""The model quartz-typecheck grows, leaks and is cured as its page claims.

Rows Q1, Q3, Q5 to Q8, Q13, Q14, Q17 to Q20, Q23.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from support.model_lifetimes import outlives_its_scope, tagged_below
from support.model_trace import ModelTrace, Rows, record_model
from support.models import build_model

pytestmark = pytest.mark.slow  # compiles and records a program

FUNCTIONS = 2140
SMALL = ("--functions", 300)
NODES = ["LET", "BLOCK", "EXPR_STMT", "RETURN", "IF", "FOR", "WHILE", "MATCH"]
CURES = ["memoise", "no-block-closures", "free-infos", "intern-origins"]
Recorded = Callable[..., ModelTrace]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model("quartz-typecheck", tmp_path_factory.mktemp("quartz"))


@pytest.fixture(scope="module")
def recorded(program: Path) -> Recorded:
    """Records the model with options; the same options are recorded once."""

    @cache
    def record(*options: str | int) -> ModelTrace:
        name = "_".join(map(str, options)) or "default"
        return record_model(program, program.parent / name, *options)

    return record


@pytest.fixture(scope="module")
def model(recorded: Recorded) -> ModelTrace:
    return recorded()


def growth(model: ModelTrace, phase: str = "typecheck") -> int:
    """Bytes live at a phase's end that were not at its beginning."""
    (found,) = (each for each in model.trace.phases().of_kind("phase") if each.name == phase)
    return found.change_bytes


def checked(model: ModelTrace) -> list[int]:
    """The scopes of the functions that were type checked."""
    return [
        scope
        for scope in model.scopes_of("function")
        if model.around(scope)[0] == ("phase", "typecheck")
    ]


def left_by(model: ModelTrace, objects: Rows) -> int:
    """Bytes of those objects that outlived the function they were allocated for."""
    return int(model.objects["max_size"][objects[outlives_its_scope(model, objects)]].sum())


def leaks(model: ModelTrace) -> dict[str, int]:
    """What each checked function left alive, by name."""
    alive = np.flatnonzero(outlives_its_scope(model, np.arange(len(model.objects["size"]))))
    sums = np.bincount(
        model.objects["scope"][alive].astype(np.int64),
        model.objects["max_size"][alive],
        len(model.scopes["kind"]),
    )
    return {model.label(scope)[1]: int(sums[scope]) for scope in checked(model)}


def complexity(program: Path, *options: str | int) -> dict[str, int]:
    """The number of nodes of each function's body."""
    words = [str(program), "--list", *map(str, options)]
    listed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    rows = (line.split("\t") for line in listed.splitlines())
    return {name: int(nodes) for name, nodes in rows}


def test_phases_grow_as_the_originals_in_kilobytes_for_megabytes(model: ModelTrace) -> None:  # Q3
    phases = {each.name: each for each in model.trace.phases().of_kind("phase")}
    expected = {"resolve": 375, "typecheck": 6500, "mir": 7500, "codegen": -1900}
    assert list(phases) == list(expected)
    for name, kilobytes in expected.items():
        assert phases[name].change_bytes == pytest.approx(1000 * kilobytes, rel=0.03)
    assert sum(each.change_bytes for each in phases.values()) == pytest.approx(12.5e6, rel=0.03)


def test_each_checked_function_is_a_scope_in_its_phase(model: ModelTrace) -> None:  # Q7
    assert len(checked(model)) == FUNCTIONS
    assert len(model.scopes_of("function")) == 2 * FUNCTIONS  # again when it is lowered
    assert {f"node/{node}" for node in NODES} < model.tags()  # Q13


def regression(program: Path, model: ModelTrace, *options: str | int) -> tuple[float, float, float]:
    """Slope in bytes a node, intercept in bytes and R squared of leak against complexity."""
    left, nodes = leaks(model), complexity(program, *options)
    assert left.keys() == nodes.keys()
    x = np.array([nodes[name] for name in left], float)
    y = np.array([left[name] for name in left], float)
    slope, intercept = np.polyfit(x, y, 1)
    return float(slope), float(intercept), float(np.corrcoef(x, y)[0, 1] ** 2)


def test_a_function_leaks_in_proportion_to_its_body(program: Path, model: ModelTrace) -> None:
    slope, intercept, r_squared = regression(program, model)  # Q8
    left = leaks(model)
    mean = sum(left.values()) / len(left)
    assert r_squared > 0.85
    assert 180 < slope < 260
    assert abs(intercept) < 0.1 * mean
    assert mean == pytest.approx(3000, rel=0.05)  # Q1: 3 KB a function
    assert sum(left.values()) == pytest.approx(growth(model), rel=0.03)


def test_the_larger_the_bodies_the_closer_the_proportion(
    program: Path, recorded: Recorded
) -> None:  # Q8: what differs from node to node evens out
    size = (*SMALL, "--scale", 250)
    assert regression(program, recorded(*size), *size)[2] > 0.95


def test_the_largest_function_leaks_most(model: ModelTrace) -> None:  # Q23
    left = leaks(model)
    assert max(left, key=lambda name: left[name]) == "parser$ps_parse_postfix"


def test_tracked_containers_hold_next_to_nothing(model: ModelTrace) -> None:  # Q5
    tracked = tagged_below(model, "tracked/")
    (phase,) = model.scopes_of("phase", "typecheck")
    held = model.outlive(tracked, model.span(phase)[1])
    assert 0 < model.objects["size"][held].sum() < 0.001 * growth(model)
    assert model.objects["size"][held].sum() >= 16 * 90  # 90 entries


def test_the_leak_is_held_to_the_end_and_by_nothing_else(model: ModelTrace) -> None:  # Q9
    alive = model.outlive(np.arange(len(model.objects["size"])), len(model.trace))
    tags = {model.names[int(tag)] for tag in model.objects["tag"][alive] if tag >= 0}
    assert tags == {f"node/{node}" for node in NODES} | {"setup"}
    at_end = model.trace.summary()["requested_live_bytes_at_end"]
    assert at_end == pytest.approx(growth(model), rel=0.03)


@pytest.mark.parametrize("variant", CURES)
def test_each_cure_removes_a_share_of_its_own(recorded: Recorded, variant: str) -> None:
    full, cured = recorded(*SMALL), recorded(*SMALL, "--variant", variant)  # Q17 to Q20
    removed = growth(full) - growth(cured)
    low, high = {
        "memoise": (0.5, 0.7),
        "no-block-closures": (0.1, 0.2),
        "free-infos": (0.05, 0.1),
        "intern-origins": (0.1, 0.2),
    }[variant]
    assert low < removed / growth(full) < high


def test_the_cures_together_remove_what_each_removes_and_nearly_all(recorded: Recorded) -> None:
    full = growth(recorded(*SMALL))
    each = [full - growth(recorded(*SMALL, "--variant", variant)) for variant in CURES]
    together = full - growth(recorded(*SMALL, "--variant", "all"))
    assert sum(each) == pytest.approx(together, rel=0.01)
    assert together > 0.9 * full


def test_a_closure_a_visited_block_is_what_the_second_cure_saves(recorded: Recorded) -> None:
    full = recorded(*SMALL)  # Q18
    cured = recorded(*SMALL, "--variant", "no-block-closures")
    assert len(full.tagged("node/BLOCK")) >= 300
    assert len(cured.tagged("node/BLOCK")) == 0


def test_infos_are_held_after_their_last_use_until_freed_there(recorded: Recorded) -> None:  # Q19
    full, cured = recorded(*SMALL), recorded(*SMALL, "--variant", "free-infos")
    kept = [
        np.sum(outlives_its_scope(each, bound) & (each.objects["size"][bound] == 48))
        for each in (full, cured)
        for bound in [each.tagged("node/LET", "node/FOR", "node/MATCH")]
    ]
    assert kept[0] - kept[1] > 1000
    assert cured.trace.summary()["allocations"] == full.trace.summary()["allocations"]


def test_without_the_walk_only_the_setup_grows(recorded: Recorded) -> None:  # Q6: 6552 to 208 MB
    full, bare = recorded(*SMALL), recorded(*SMALL, "--skip", "BODY")
    assert growth(bare) / growth(full) == pytest.approx(208 / 6552, rel=0.2)
    assert not {f"node/{node}" for node in NODES} & bare.tags()


@pytest.mark.parametrize("node", ["EXPR_STMT", "RETURN"])
def test_skipping_a_leaf_removes_its_own_growth(recorded: Recorded, node: str) -> None:  # Q13
    full, skipped = recorded(*SMALL), recorded(*SMALL, "--skip", node)
    own = left_by(full, full.tagged(f"node/{node}"))
    assert growth(full) - growth(skipped) == own > 0


@pytest.mark.parametrize("node", ["BLOCK", "IF", "FOR", "WHILE", "MATCH"])
def test_skipping_what_has_children_masks_theirs(recorded: Recorded, node: str) -> None:  # Q14
    full, skipped = recorded(*SMALL), recorded(*SMALL, "--skip", node)
    own = left_by(full, full.tagged(f"node/{node}"))
    assert growth(full) - growth(skipped) > 1.5 * own > 0
    if node == "BLOCK":
        assert growth(skipped) == growth(recorded(*SMALL, "--skip", "BODY"))


def test_nested_scopes_tell_inclusive_from_own_growth(recorded: Recorded) -> None:  # Q14
    scoped = recorded(*SMALL, "--node-scopes")
    rows = {each.name: each for each in scoped.trace.phases().of_kind("node")}
    assert rows.keys() == set(NODES)
    assert rows["BLOCK"].surviving_bytes > 0.9 * growth(scoped)
    assert left_by(scoped, scoped.tagged("node/BLOCK")) < 0.25 * growth(scoped)
    assert growth(scoped) == growth(recorded(*SMALL))


def test_the_scale_sets_how_much_a_function_leaks(recorded: Recorded) -> None:
    full, larger = recorded(*SMALL), recorded(*SMALL, "--scale", 250)
    assert growth(larger) == pytest.approx(4 * growth(full), rel=0.25)
    assert len(checked(larger)) == len(checked(full)) == 300


def test_two_runs_agree_in_every_count(program: Path, recorded: Recorded, tmp_path: Path) -> None:
    again = record_model(program, tmp_path, *SMALL)
    assert again.counts() == recorded(*SMALL).counts()
    assert again.trace.summary()["lost_events"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--variant", "none"), "no such variant: none"),
        (("--skip", "let"), "no such node: let"),
        (("--scale", "0"), "a scale is 1 to 1000"),
        (("--functions", "x"), "is no whole number"),
    ],
)
def test_an_option_that_means_nothing_is_refused(
    program: Path, words: tuple[str, str], message: str
) -> None:
    ran = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert message in ran.stderr
