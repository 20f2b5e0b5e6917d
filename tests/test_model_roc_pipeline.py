# SPDX-License-Identifier: MIT
"""The model roc-pipeline has the scopes, tags, owners and lifetimes its page claims.

Rows R7, R10 to R21, R24, R34, R36 to R39, R50, R51, R55 to R58, R64 to R69, R73b, R81 to R83.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import alloclab as al
from support.model_lifetimes import overlong_scratch, short_lived_durable, tagged_below
from support.model_trace import ModelTrace, Rows, record_model
from support.models import build_model

pytestmark = pytest.mark.slow  # compiles and records a program

MODULES = 4
SMALL = ("--seed", 3, "--workers", 2, "--modules", MODULES, "--size", 12)
STAGES = ["Specialize", "MonoRow", "Lift", "LambdaSolve", "executable MIR", "IR lowering"]
SCRATCH = {
    *("parse", "imports", "report-text", "canonicalizer-maps", "canonicalizer-lists", "checker"),
    *("exhaustiveness", "mir", "lambda-solver", "lowering", "arc", "backend"),
}
CHECKER = {
    *("regions", "snapshots", "unifier", "occurs", "env-pool", "constraints", "maps", "buffers"),
    *("deferred", "type-writer"),
}
DURABLE = {
    *("source", "module-env", "type-store", "artifact", "stage-program", "lir", "output"),
    "reports",
}
HELPERS = {
    "append synthetic function root": 8,
    "append synthetic payload root": 24,
    "reserve synthetic type root": 8,
    "ensure synthetic scheme": 16,
    "append projected root": 12,
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model("roc-pipeline", tmp_path_factory.mktemp("roc"))


@pytest.fixture(scope="module")
def model(program: Path) -> ModelTrace:
    return record_model(program, program.parent / "default", *SMALL)


@pytest.fixture(scope="module")
def leaky(program: Path) -> ModelTrace:
    return record_model(program, program.parent / "leaky", *SMALL, "--variant", "leaky-scratch")


@pytest.fixture(scope="module")
def builders(program: Path) -> ModelTrace:
    return record_model(program, program.parent / "builders", *SMALL, "--variant", "builders")


def only(model: ModelTrace, kind: str, name: str) -> int:
    (scope,) = model.scopes_of(kind, name)
    return scope


def within(model: ModelTrace, scope: int) -> list[int]:
    """The scopes of a scope's thread that were entered in it, itself included."""
    enter, leave = model.span(scope)
    rows = model.scopes
    inside = (rows["thread"] == rows["thread"][scope]) & (rows["enter"] >= enter)
    return [int(each) for each in np.flatnonzero(inside & (rows["exit"] <= leave))]


def born_within(model: ModelTrace, scope: int) -> Rows:
    return np.flatnonzero(np.isin(model.objects["scope"], within(model, scope)))


def transfers(model: ModelTrace, scope: int) -> Rows:
    """The objects that were handed over to a scope."""
    events = model.events_of("transfer")
    instance = int(model.scopes["instance"][scope])
    return model.events["object"][events[model.events["value"][events, 0] == instance]]


def test_every_row_of_the_lifetime_map_is_a_scope(model: ModelTrace) -> None:  # R7, R10 to R21
    modules = [f"app.module_{number}" for number in range(MODULES)]
    assert [model.label(scope) for scope in model.scopes_of("build")] == [("build", "roc build")]
    for kind in ("module", "artifact"):
        names = [model.label(scope)[1] for scope in model.scopes_of(kind)]
        assert sorted(set(names) - {"LIR program"}) == modules
    for task in ("parse", "canonicalize", "check", "publish"):
        assert len(model.scopes_of("task", task)) == MODULES
    for phase in ("header discovery", "coordinate", "runtime image", "render reports"):
        assert model.around(only(model, "phase", phase))[-1] == ("build", "roc build")
    assert model.scopes_of("phase", "exhaustiveness")
    stages = [model.label(scope)[1] for scope in model.scopes_of("stage")]
    assert stages == [*STAGES, "LIR lowering", "ARC"]  # R68
    assert model.trace.summary()["open_scopes_at_end"] == 0


NESTING = [
    ("phase", "parse", ["task parse", "module"]),
    ("phase", "canonicalize", ["task canonicalize", "module"]),
    ("session", "check", ["task check", "module"]),
    ("phase", "exhaustiveness", ["session check", "task check", "module"]),
    ("artifact", "app.module_1", ["task publish", "module"]),
    ("stage", "Lift", ["build roc build"]),
    ("stage", "ARC", ["artifact LIR program", "build roc build"]),
    ("function", "generate procedure", ["backend dev", "artifact LIR program", "build roc build"]),
]


@pytest.mark.parametrize(("kind", "name", "around"), NESTING)
def test_scopes_nest_as_lifetimes_do(
    model: ModelTrace, kind: str, name: str, around: list[str]
) -> None:
    scopes = model.scopes_of(kind, name)
    assert scopes
    for scope in scopes:
        labels = [f"{kind} {name}" for kind, name in model.around(scope)]
        assert [label.split(" app.")[0] for label in labels] == around


def test_tags_are_the_audits_twelve_scratch_and_eight_durable_kinds(model: ModelTrace) -> None:
    parts = [tag.split("/") for tag in model.tags()]
    assert {each[1] for each in parts if each[0] == "scratch"} == SCRATCH  # R81
    assert {each[2] for each in parts if each[:2] == ["scratch", "checker"]} == CHECKER  # R64
    assert {each[1] for each in parts if each[0] == "durable"} == DURABLE  # R82
    assert {"build/roots", "build/packages", "build/caches"} <= model.tags()  # R10, R30


def test_headers_leave_only_what_was_promoted(model: ModelTrace) -> None:  # R11, R33, R34
    discovery = only(model, "phase", "header discovery")
    born = born_within(model, discovery)
    survivors = set(model.outlive(born, model.span(discovery)[1]).tolist())
    assert set(born[np.isin(born, transfers(model, only(model, "build", "roc build")))]) < survivors
    build = set(model.tagged("build/packages", "build/caches").tolist())
    assert survivors == build & set(born.tolist())
    sizes = model.objects["size"]
    assert 20 * sizes[list(survivors)].sum() < model.objects["max_size"][born].sum()


def test_results_cross_threads_and_scratch_does_not(model: ModelTrace) -> None:  # R36 to R39
    for tag in ("module/ast", "result/imports", "durable/type-store", "durable/artifact"):
        given = model.outlive(model.tagged(tag), -1)
        thread = model.objects["birth_thread"][given]
        assert set(np.unique(thread)) == {1, 2}
        last = given[model.objects["death_thread"][given] != thread]
        assert set(np.unique(model.objects["death_thread"][last])) == {0}
        assert len(last) > 0
    scratch = tagged_below(model, "scratch/")
    columns = (model.objects[name][scratch] for name in ("birth_thread", "death_thread"))
    np.testing.assert_array_equal(*columns)


def test_every_task_ends_with_a_reset_that_finds_only_what_it_gave_away(model: ModelTrace) -> None:
    resets = model.events_of("reset")  # R39
    of_instance = dict(zip(model.events["value"][resets, 0].tolist(), resets, strict=True))
    moved = model.events_of("transfer")
    for task in model.scopes_of("task"):
        reset = int(of_instance[int(model.scopes["instance"][task])])
        alive = model.outlive(born_within(model, task), reset)
        given = model.events["object"][moved[moved < reset]]
        assert set(alive.tolist()) <= set(given.tolist())


def test_a_tree_lives_until_it_is_canonicalized(model: ModelTrace) -> None:  # R13, R50, R51
    trees = model.tagged("module/ast")
    assert len(trees) == 4 * MODULES  # the object and three lists
    assert (model.objects["reallocations"][trees] > 0).sum() == 3 * MODULES
    for canonicalize, check in zip(*in_order(model, "canonicalize", "check"), strict=True):
        module = int(model.scopes["parent"][check])
        own = trees[np.isin(trees, born_within(model, module))]
        death = model.objects["death"][own]
        assert (death > model.span(canonicalize)[1]).all()
        assert (death < model.span(check)[0]).all()


def in_order(model: ModelTrace, *tasks: str) -> list[list[int]]:
    """The scopes of each task, in the order of their modules."""
    found = []
    for task in tasks:
        scopes = model.scopes_of("task", task)
        found.append(sorted(scopes, key=lambda each: int(model.scopes["parent"][each])))
    return found


def test_a_checkers_session_leaves_types_and_problems(model: ModelTrace) -> None:  # R15, R64, R65
    lasting = {"durable/type-store", "durable/reports"}
    for session in model.scopes_of("session"):
        born = born_within(model, session)
        kept = model.outlive(born, model.span(session)[1])
        tags = {model.names[int(tag)] for tag in model.objects["tag"][kept] if tag >= 0}
        assert "durable/type-store" in tags <= lasting
    types = model.tagged("durable/type-store")
    for publish in model.scopes_of("task", "publish"):
        module = int(model.scopes["parent"][publish])
        own = types[np.isin(types, born_within(model, module))]
        death = model.objects["death"][own]
        assert (death > model.span(publish)[1]).all()  # durable until publication
        assert (death < model.span(module)[1]).all()


def test_exhaustiveness_leaves_its_results_only(model: ModelTrace) -> None:  # R16
    scopes = model.scopes_of("phase", "exhaustiveness")
    for scope in scopes:
        born = model.born_in(scope)
        alive = model.outlive(born, model.span(scope)[1])
        tags = [model.names[int(tag)] for tag in model.objects["tag"][alive]]
        assert set(tags) == {"durable/reports"}
        assert len(born) > len(alive)


@pytest.mark.parametrize(("helper", "row_bytes"), HELPERS.items())
def test_appending_to_what_is_sealed_copies_it_each_time(
    model: ModelTrace, helper: str, row_bytes: int
) -> None:  # R57: n (n + 1) / 2 rows for n
    scopes = model.scopes_of("function", helper)
    assert len(scopes) == MODULES
    for scope in scopes:
        born = model.born_in(scope)
        rows = len(born)
        assert model.objects["size"][born].tolist() == [
            row_bytes * number for number in range(1, rows + 1)
        ]
        assert model.objects["size"][born].sum() == row_bytes * rows * (rows + 1) // 2
        assert model.outlive(born, model.span(scope)[1]).tolist() == [born[-1]]


def test_a_builder_seals_once_and_leaves_the_same(model: ModelTrace, builders: ModelTrace) -> None:
    for helper in HELPERS:  # R58
        assert sealed_bytes(model, helper) == sealed_bytes(builders, helper)
    born = builders.tagged("durable/artifact")
    assert len(born) < len(model.tagged("durable/artifact"))
    assert len(short_lived_durable(builders)) == 0


def sealed_bytes(model: ModelTrace, helper: str) -> dict[str, list[int]]:
    """What a helper's slices came to, by artifact."""
    found = {}
    for scope in model.scopes_of("function", helper):
        kept = model.outlive(model.born_in(scope), model.span(scope)[1])
        found[model.around(scope)[0][1]] = model.objects["size"][kept].tolist()
    return found


def test_an_artifact_is_thirteen_tables_of_slices(model: ModelTrace) -> None:  # R17, R55, R56
    for scope in model.scopes_of("artifact"):
        if model.label(scope)[1] != "LIR program":
            born = model.born_in(scope)
            tables = born[model.objects["reallocations"][born] > 0]
            slices = born[model.objects["reallocations"][born] == 0]
            assert len(tables) == 13
            assert len(slices) > 10 * len(tables)
            build = transfers(model, only(model, "build", "roc build"))
            assert np.isin(born, build).all()


def test_each_stage_consumes_what_the_one_before_made(model: ModelTrace) -> None:  # R68, R69
    stages = [only(model, "stage", name) for name in [*STAGES, "LIR lowering"]]
    for maker, consumer in itertools.pairwise(stages):
        made = np.intersect1d(model.born_in(maker), model.tagged("durable/stage-program"))
        enter, leave = model.span(consumer)
        death = model.objects["death"][made]
        in_next = made[(death > enter) & (death < leave)]
        assert len(in_next) >= len(made) - 1  # the types are moved on by two of them
        assert (death > enter).all()
        assert np.isin(made, transfers(model, consumer)).all()


def test_a_stage_that_fails_leaves_nothing(
    program: Path, model: ModelTrace, tmp_path: Path
) -> None:
    words = [str(program), *map(str, SMALL), "--fail-stage", "3"]  # R43, R69
    capture = al.record(words, output=tmp_path)
    assert capture.returncode == 1
    failed = ModelTrace(capture.largest())
    assert [failed.label(scope)[1] for scope in failed.scopes_of("stage")] == STAGES[:3]
    for name in ("live_objects_at_end", "requested_live_bytes_at_end", "open_scopes_at_end"):
        assert failed.trace.summary()[name] == model.trace.summary()[name]
    assert len(failed.outlive(tagged_below(failed, "durable/"), len(failed.trace))) == 0


def test_what_arc_inserts_belongs_to_the_lir_store(model: ModelTrace) -> None:  # R19, R67
    arc, owner = only(model, "stage", "ARC"), only(model, "artifact", "LIR program")
    born = model.born_in(arc)
    alive = model.outlive(born, model.span(arc)[1])
    assert {model.names[int(tag)] for tag in model.objects["tag"][alive]} == {"durable/lir"}
    assert np.isin(alive, transfers(model, owner)).all()
    sets = model.tagged("scratch/arc")
    assert len(sets) > len(alive)
    assert len(model.outlive(sets, model.span(arc)[1])) == 0


def test_arrays_around_a_lowering_helper_come_off_last_first(model: ModelTrace) -> None:  # R73b
    stage = only(model, "stage", "IR lowering")
    arrays = np.intersect1d(model.born_in(stage), model.tagged("scratch/lowering"))
    births = {int(model.objects["birth"][each]): int(each) for each in arrays}
    deaths = {int(model.objects["death"][each]): int(each) for each in arrays}
    stack: list[int] = []
    for event in sorted([*births, *deaths]):
        if event in births:
            stack.append(births[event])
        else:
            assert stack.pop() == deaths[event]
    assert len(arrays) > 500


def test_output_grows_to_megabytes_in_place_of_being_chunked(model: ModelTrace) -> None:  # R20, R78
    outputs = model.tagged("durable/output")
    assert len(outputs) == 4
    assert int(model.objects["max_size"][outputs].max()) > 500_000
    assert int(model.objects["reallocations"][outputs].max()) > 15


def test_the_runtime_image_is_mapped_and_unmapped_as_one(model: ModelTrace) -> None:  # R21
    (region,) = np.flatnonzero(model.objects["is_region"])
    enter, leave = model.span(only(model, "phase", "runtime image"))
    assert enter < model.objects["birth"][region] < model.objects["death"][region] < leave


def test_no_scratch_outlives_its_scope(model: ModelTrace) -> None:  # R83 (a)
    assert len(overlong_scratch(model)) == 0


def test_leaky_scratch_is_found_by_its_tag(leaky: ModelTrace) -> None:  # R83 (a)
    found = overlong_scratch(leaky)
    tags = sorted(leaky.names[int(tag)] for tag in leaky.objects["tag"][found])
    assert tags == ["scratch/arc", *["scratch/report-text"] * MODULES]


def test_the_only_durable_blocks_that_die_in_their_scope_are_copies(model: ModelTrace) -> None:
    found = short_lived_durable(model)  # R83 (b): each is an append of R57
    assert {model.label(int(scope)) for scope in model.objects["scope"][found]} == {
        ("function", helper) for helper in HELPERS
    }
    grown = [scope for helper in HELPERS for scope in model.scopes_of("function", helper)]
    assert len(found) == sum(len(model.born_in(scope)) - 1 for scope in grown)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_counts_do_not_depend_on_which_worker_is_first(
    program: Path, tmp_path: Path, workers: int
) -> None:
    words = ("--seed", 5, "--modules", 5, "--size", 8, "--workers", workers)
    first, second = (record_model(program, tmp_path / name, *words) for name in "ab")
    assert first.counts() == second.counts()
    assert first.trace.summary()["threads"] == workers + 1
    assert first.trace.summary()["lost_events"] == 0
