# SPDX-License-Identifier: MIT
"""The interpreter in SwiftLang's eleven parts, from its recordings: rows S9 to S22, S37 to S40."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import alloclab as al
from alloclab.subsystems import preset_rows
from support.model_trace import ModelTrace, Rows, record_model
from support.models import build_model

pytestmark = pytest.mark.slow  # compiles and records a program

SCRIPTS = 12
SMALL = ("--scripts", SCRIPTS)
PARTS = {row.key: row for row in preset_rows("swiftlang")}
RESET = [key for key, row in PARTS.items() if row.reset_when is not None]
LASTING = [key for key in PARTS if key not in RESET]
OWNERS = {
    **dict.fromkeys(["vm", "objects", "modules", "stdlib"], ("session", "program")),
    **dict.fromkeys(["game-state", "ai-data"], ("session", "program")),
    **dict.fromkeys(["ast", "compiler", "bytecode"], ("stage", "compilation")),
    "strings": ("session", "strings"),
    "parser": ("phase", "parse"),
    "symbols": ("phase", "analyse"),
    "temp": ("task", "statement"),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model("slang-subsystems", tmp_path_factory.mktemp("slang"))


@pytest.fixture(scope="module")
def model(program: Path) -> ModelTrace:
    return record_model(program, program.parent / "pipeline", *SMALL)


@pytest.fixture(scope="module")
def report(program: Path) -> ModelTrace:
    return record_model(program, program.parent / "report", "--variant", "report")


def owner(model: ModelTrace) -> Rows:
    """Returns the scope each object belongs to in the end: the one it was last transferred to, or
    was born in; -1 for none."""
    rows = {int(instance): row for row, instance in enumerate(model.scopes["instance"])}
    found: Rows = model.objects["scope"].astype(np.int64)
    for event in model.events_of("transfer"):
        target = int(model.events["value"][event][0])
        found[int(model.events["object"][event])] = rows.get(target, -1)
    return found


def exits(model: ModelTrace, *label: str) -> Rows:
    """Returns the events at which the scopes of a kind and name were left."""
    return np.array([model.span(scope)[1] for scope in model.scopes_of(*label)], np.int64)


def test_every_part_of_the_document_s_table_has_allocations(model: ModelTrace) -> None:  # S9-S19
    assert len(PARTS) == 11
    assert model.tags() - {"source", "lists of blocks", "game-state", "ai-data"} == set(PARTS)
    assert all(len(model.tagged(key)) >= 8 for key in PARTS)


def test_a_script_is_compiled_in_phases_and_run_by_statements(model: ModelTrace) -> None:
    program = [("session", "strings"), ("session", "program")]
    scripts = model.scopes_of("module", "script")
    assert len(scripts) == SCRIPTS
    assert all(model.around(scope) == program for scope in scripts)
    script = [("module", "script"), *program]
    for name in ("parse", "analyse", "compile"):
        phases = model.scopes_of("phase", name)
        assert len(phases) == SCRIPTS
        assert all(model.around(each) == [("stage", "compilation"), *script] for each in phases)
    statements = model.scopes_of("task", "statement")
    assert len(statements) > 5 * SCRIPTS
    assert all(model.around(each) == [("phase", "run"), *script] for each in statements)


def test_every_block_belongs_to_the_scope_its_part_ends_with(model: ModelTrace) -> None:
    owners = owner(model)
    for tag, label in OWNERS.items():
        blocks = model.tagged(tag)
        assert {model.label(int(scope)) for scope in owners[blocks]} == {label}, tag


def test_a_reset_ends_all_that_belongs_to_its_scope_and_nothing_else(
    model: ModelTrace,
) -> None:  # S11-S16, S19, S35
    owners, death = owner(model), model.objects["death"].astype(np.int64)
    rows = {int(instance): row for row, instance in enumerate(model.scopes["instance"])}
    found: set[int] = set()
    for event in model.events_of("reset"):
        scope = rows[int(model.events["value"][event][0])]
        mine = np.flatnonzero(owners == scope)
        assert np.all((death[mine] > event) & (death[mine] < model.span(scope)[1]))
        died = (death > event) & (death < model.span(scope)[1])
        assert np.array_equal(np.flatnonzero(died), mine)
        found |= set(mine.tolist())
    assert found == set(model.tagged(*RESET).tolist())


@pytest.mark.parametrize("key", ["ast", "compiler", "bytecode"])
def test_what_is_compiled_with_dies_after_the_compilation(
    model: ModelTrace, key: str
) -> None:  # S12, S13, S14
    blocks = model.tagged(key)
    birth, death = (model.objects[name][blocks].astype(np.int64) for name in ("birth", "death"))
    compiled, over = exits(model, "phase", "compile"), exits(model, "stage", "compilation")
    which = np.searchsorted(over, birth)
    assert np.all((death > compiled[which]) & (death < over[which]))


def test_the_parser_s_and_the_symbols_blocks_die_before_the_next_phase(
    model: ModelTrace,
) -> None:  # S15, S16
    for key, name in (("parser", "parse"), ("symbols", "analyse")):
        blocks = model.tagged(key)
        over = exits(model, "phase", name)
        birth, death = (model.objects[each][blocks].astype(np.int64) for each in ("birth", "death"))
        assert np.all(death < over[np.searchsorted(over, birth)])


def test_strings_and_the_lasting_parts_stay_until_all_scripts_have_run(
    model: ModelTrace,
) -> None:  # S9, S11, S17, S18
    last = int(exits(model, "module", "script")[-1])
    for key in ("vm", "modules", "stdlib", "strings"):
        blocks = model.tagged(key)
        assert len(model.outlive(blocks, last)) == len(blocks), key
    assert not len(model.outlive(model.tagged(*PARTS), len(model.trace)))


def test_objects_are_of_mixed_sizes_and_freed_one_by_one(model: ModelTrace) -> None:  # S10
    blocks = model.tagged("objects")
    size = model.objects["size"][blocks]
    assert len(np.unique(size)) > 50
    assert 0.5 < np.count_nonzero(size <= 256) / len(size) < 0.98
    scope = model.objects["scope"][blocks]
    outlive = model.objects["death"][blocks] > model.scopes["exit"][scope]
    assert 0.01 < np.count_nonzero(outlive) / len(blocks) < 0.3
    last = int(exits(model, "module", "script")[-1])
    assert 0 < len(model.outlive(blocks, last)) < len(blocks) / 4  # globals


def test_the_leaks_of_the_document_are_found_with_their_lines(
    program: Path, tmp_path: Path
) -> None:  # S22, S37
    command = [str(program), *map(str, SMALL)]
    (trace,) = al.record(command, output=tmp_path, sites="stack")
    objects, names = trace.objects(), trace.names
    leaked = np.flatnonzero((objects["death"] < 0) & (objects["tag"] >= 0))
    found = []
    for each in leaked:
        frames = trace.stacks().frames(int(objects["site"][each]))
        (frame,) = (frame for frame in frames if str(frame.file).endswith(".swift"))
        line = f"{Path(str(frame.file)).name}:{frame.line}"
        found.append((int(objects["size"][each]), line, names[int(objects["tag"][each])]))
    assert found == [(200, "player.swift:42", "game-state"), (150, "enemy.swift:15", "ai-data")]
    assert sum(size for size, _, _ in found) == 350


def figures(model: ModelTrace, tag: str) -> dict[str, int]:
    """Returns what a report says of a tag, in bytes and blocks, computed from the trace."""
    blocks = model.tagged(tag)
    size, birth, death = (
        model.objects[name][blocks].astype(np.int64) for name in ("size", "birth", "death")
    )
    ends = death >= 0
    event = np.concatenate([birth, death[ends]])
    change = np.concatenate([size, -size[ends]])[np.argsort(event)]
    return {
        "allocations": len(blocks),
        "total": int(size.sum()),
        "peak": int(np.cumsum(change).max()),
        "current": int(size[~ends].sum()),
        "count": int(np.count_nonzero(~ends)),
    }


def test_the_report_variant_has_the_statistics_of_the_document(report: ModelTrace) -> None:  # S38
    machine = figures(report, "vm")
    assert (machine["total"], machine["current"], machine["peak"]) == (524288, 102400, 204800)
    assert machine["allocations"] == 1543
    tree = figures(report, "ast")
    assert (tree["total"], tree["current"], tree["peak"]) == (65536, 0, 32768)
    assert len(report.events_of("reset")) == 2


@pytest.mark.parametrize(
    ("tag", "count", "current", "peak"),
    [
        ("game-state", 15, 4096, 8192),
        ("player-data", 3, 1024, 1024),
        ("ai-pathfinding", 8, 2048, 4096),
    ],
)
def test_the_report_variant_has_the_tags_of_the_document(
    report: ModelTrace, tag: str, count: int, current: int, peak: int
) -> None:  # S39, S40
    found = figures(report, tag)
    assert (found["count"], found["current"], found["peak"]) == (count, current, peak)


def test_scripts_compute_the_same_recorded_or_not_and_twice(
    program: Path, model: ModelTrace, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [str(program), *map(str, SMALL)]
    bare = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    capfd.readouterr()
    again = record_model(program, tmp_path, *SMALL)
    assert capfd.readouterr().out == bare
    assert again.counts() == model.counts()
    by_tag = [Counter(each.objects["tag"].tolist()) for each in (again, model)]
    assert by_tag[0] == by_tag[1]
    assert record_model(program, tmp_path / "2", *SMALL, "--seed", 2).counts() != model.counts()


def test_all_that_was_said_was_understood(model: ModelTrace) -> None:
    summary = model.trace.summary()
    doubts = ("unresolved_references", "lost_events", "unknown_frees", "open_scopes_at_end")
    assert [summary[name] for name in doubts] == [0, 0, 0, 0]
