# SPDX-License-Identifier: MIT
"""The server after lex-lang's request arenas, from its recordings: rows L1 to L12."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from support.model_trace import ModelTrace, Rows, record_model
from support.models import build_model

pytestmark = pytest.mark.slow  # compiles and records a program

REQUESTS = 200
SMALL = ("--requests", REQUESTS)
VALUES = ("value/string", "value/record", "value/tuple", "value/list")
PAGE_BYTES = 64 * 1024


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model("lex-requests", tmp_path_factory.mktemp("lex"))


@pytest.fixture(scope="module")
def scaffold(program: Path) -> ModelTrace:
    return record_model(program, program.parent / "scaffold", *SMALL)


@pytest.fixture(scope="module")
def routed(program: Path) -> ModelTrace:
    return record_model(program, program.parent / "routed", *SMALL, "--variant", "routed")


def printed(program: Path, *options: str | int) -> dict[str, int]:
    """Runs the model unrecorded and returns what it counted, by name."""
    words = [str(program), *map(str, options)]
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    lines = [line.rpartition(" ") for line in text.splitlines()]
    return {name: int(value) for name, _, value in lines if value.isdigit()}


def request_of(model: ModelTrace, objects: Rows) -> Rows:
    """Returns the request each object was born in, -1 for none."""
    of_scope = np.full(len(model.scopes["kind"]) + 1, -1)
    for scope in range(len(of_scope) - 1):
        is_request = model.label(scope)[0] == "request"
        of_scope[scope] = scope if is_request else of_scope[model.scopes["parent"][scope]]
    found: Rows = of_scope[model.objects["scope"][objects]]
    return found


def survivors(model: ModelTrace, *tags: str) -> Rows:
    """Returns the objects of the tags that are alive after the request they were born in."""
    objects = model.tagged(*tags)
    request = request_of(model, objects)
    objects, request = objects[request >= 0], request[request >= 0]
    return objects[model.objects["death"][objects] > model.scopes["exit"][request]]


def test_each_request_is_a_scope_of_its_own_in_a_worker_s_session(
    scaffold: ModelTrace,
) -> None:  # L2, L8, L12
    sessions, requests = scaffold.scopes_of("session"), scaffold.scopes_of("request")
    assert len(sessions) == 2
    assert len(requests) == REQUESTS
    assert all(scaffold.around(scope) == [("session", "worker")] for scope in requests)
    parents = np.bincount(scaffold.scopes["parent"][requests], minlength=max(sessions) + 1)
    assert parents[sessions].tolist() == [REQUESTS // 2, REQUESTS // 2]
    assert len(np.unique(scaffold.scopes["thread"][sessions])) == 2
    assert len(np.unique(scaffold.scopes["instance"])) == len(scaffold.scopes["instance"])
    for name in ("handle", "answer"):
        phases = scaffold.scopes_of("phase", name)
        assert np.array_equal(np.sort(scaffold.scopes["parent"][phases]), requests)


def test_a_few_requests_allocate_most_of_the_bytes(scaffold: ModelTrace) -> None:  # L8
    values = scaffold.tagged(*VALUES)
    request = request_of(scaffold, values)
    size = scaffold.objects["size"][values].astype(np.int64)
    totals = np.sort(np.bincount(request[request >= 0], size[request >= 0]))[::-1]
    assert totals[: REQUESTS // 10].sum() > totals.sum() / 2


def test_the_scaffold_routes_nothing_and_its_arenas_have_no_page(
    program: Path, scaffold: ModelTrace
) -> None:  # L3, L4
    said = printed(program, *SMALL)
    assert said["scopes"] == REQUESTS + len(scaffold.scopes_of("phase", "check"))
    assert said["routed"] == said["pages"] == said["heap fallbacks"] == 0
    values = scaffold.tagged(*VALUES)
    assert len(values) == said["values"] > 10_000
    assert scaffold.objects["size"][values].sum() == said["value bytes"]
    assert not scaffold.tags() & {"arena/page", "arena/chain", "heap-fallback"}


def test_what_is_routed_is_what_the_heap_no_longer_sees(
    program: Path, scaffold: ModelTrace, routed: ModelTrace
) -> None:  # L1, L3
    said = printed(program, *SMALL, "--variant", "routed")
    assert said["values"] == len(scaffold.tagged(*VALUES))
    on_heap = routed.tagged(*VALUES, "heap-fallback")
    assert said["values"] - said["routed"] == len(on_heap)
    assert said["value bytes"] - said["routed bytes"] == routed.objects["size"][on_heap].sum()
    assert said["routed"] > 0.85 * said["values"]
    lists = [model.tagged("value/list", "value/list-buffer") for model in (scaffold, routed)]
    assert len(lists[0]) == len(lists[1])  # never routed


def test_pages_are_64_kib_or_one_block_and_die_with_their_request(
    program: Path, routed: ModelTrace
) -> None:  # L9
    said = printed(program, *SMALL, "--variant", "routed")
    assert said["oversize pages"] > 0
    pages = routed.tagged("arena/page")
    size = routed.objects["size"][pages].astype(np.int64)
    assert len(pages) == said["pages"] >= REQUESTS
    assert size.min() == PAGE_BYTES
    assert np.count_nonzero(size > PAGE_BYTES) == said["oversize pages"]
    assert size.sum() == said["arena bytes held"] >= said["arena bytes used"]
    request = request_of(routed, pages)
    assert np.all(request >= 0)
    assert np.all(routed.objects["death"][pages] < routed.scopes["exit"][request])


def test_an_inner_scope_left_open_ends_with_the_one_around_it(
    routed: ModelTrace,
) -> None:  # source: an exit out of order ends all later scopes, of an unknown id nothing
    checks = routed.scopes_of("phase", "check")
    ended = []
    for scope in checks:
        pages = np.intersect1d(routed.born_in(scope), routed.tagged("arena/page"))
        assert len(pages) == 1
        assert {kind for kind, _ in routed.around(scope)} == {"request", "session"}
        ended.append(routed.objects["death"][pages[0]] < routed.span(scope)[1])
    assert 0 < sum(ended) < len(checks)


def test_values_made_outside_a_request_fall_back_to_the_heap(
    program: Path, routed: ModelTrace
) -> None:  # source: counted fallbacks
    fallbacks = routed.tagged("heap-fallback")
    said = printed(program, *SMALL, "--variant", "routed")
    assert len(fallbacks) == said["heap fallbacks"] == 2 * REQUESTS
    kinds = {routed.label(int(scope))[0] for scope in routed.objects["scope"][fallbacks]}
    assert kinds == {"session"}


@pytest.mark.parametrize("variant", ["scaffold", "routed"])
def test_captured_results_and_nothing_else_outlive_their_request(
    variant: str, program: Path, request: pytest.FixtureRequest
) -> None:  # L10
    model: ModelTrace = request.getfixturevalue(variant)
    moves = model.events_of("transfer")
    moved = model.events["object"][moves].astype(np.int64)
    said = printed(program, *SMALL, "--variant", variant)
    assert len(moved) == said["captured blocks"] > said["captured results"] > 0
    tags = (*VALUES, "value/list-buffer", "request/body", "request/answer", "arena/page")
    assert np.array_equal(np.sort(moved), survivors(model, *tags))
    assert len(np.intersect1d(moved, model.tagged("value/list"))) == said["captured results"]
    rows = {int(instance): row for row, instance in enumerate(model.scopes["instance"])}
    for event, each in zip(moves, moved, strict=True):
        session = rows[int(model.events["value"][event][0])]
        assert model.label(session) == ("session", "worker")
        assert model.scopes["parent"][request_of(model, np.array([each]))[0]] == session
        assert model.objects["death"][each] < model.span(session)[1]


def test_an_empty_scope_allocates_nothing_and_one_with_a_block_a_page(
    program: Path, scaffold: ModelTrace, tmp_path: Path
) -> None:  # L4, L9: no page before the first allocation
    timed = record_model(program, tmp_path, *SMALL, "--time-scopes", 50)
    pages, chains = timed.tagged("arena/page"), timed.tagged("arena/chain")
    assert len(pages) == len(chains) == 50
    runtimes = 2  # the stacks of open scopes
    assert len(timed.objects["size"]) == len(scaffold.objects["size"]) + 2 * 50 + runtimes


def test_two_recordings_count_the_same_whatever_the_threads_did(
    program: Path, scaffold: ModelTrace, tmp_path: Path
) -> None:
    assert record_model(program, tmp_path, *SMALL).counts() == scaffold.counts()
    assert record_model(program, tmp_path, *SMALL, "--seed", 2).counts() != scaffold.counts()


def test_the_values_are_the_same_for_any_number_of_workers(program: Path) -> None:  # L8
    said = [printed(program, *SMALL, "--concurrency", workers) for workers in (1, 2, 5)]
    assert len({each["values"] for each in said}) == 1
    assert len({each["captured blocks"] for each in said}) == 1
    waits = [each["virtual microseconds waited"] for each in said]
    assert waits == sorted(waits, reverse=True)


def test_the_whole_of_it_is_tagged_and_told_without_loss(scaffold: ModelTrace) -> None:
    summary = scaffold.trace.summary()
    doubts = ("unresolved_references", "lost_events", "unknown_frees", "unmatched_scope_exits")
    assert [summary[name] for name in doubts] == [0, 0, 0, 0]
    assert summary["cross_thread_scope_exits"] == summary["open_scopes_at_end"] == 0
    assert scaffold.tags() == {
        *(*VALUES, "value/list-buffer", "request/body", "request/answer", "worker", "arrivals")
    }


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--request", "3"], "word 1, --request, is no option here"),
        (["--requests"], "word 1, --requests, has no value"),
        (["--seed", "1", "--seed", "2"], "word 3, --seed, stands there twice"),
        (["--requests", "-1"], "--requests is no whole number: -1"),
        (["--variant", "arena"], "--variant is none of its values: arena"),
        (["--requests", "0"], "at least one request"),
    ],
)
def test_a_wrong_command_line_is_one_line_that_names_the_place(
    program: Path, words: list[str], fault: str
) -> None:
    ended = subprocess.run([str(program), *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert fault in ended.stderr
    assert not ended.stdout
