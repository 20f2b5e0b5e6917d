# SPDX-License-Identifier: MIT
"""The game on Weir's memory, from its recordings: rows W1 to W11, W20 to W25, W30 to W33."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from alloclab.traces import KINDS
from support.model_trace import ModelTrace, Rows, record_model
from support.models import build_model
from support.object_graph import ObjectGraph

pytestmark = pytest.mark.slow  # compiles and records a program

FRAMES, THRESHOLD = 160, 30_000
SMALL = ("--frames", FRAMES, "--nodes", 40, "--threshold", THRESHOLD)
COLLECTED = tuple(
    f"gc/{tag}" for tag in ("level", "module", "wave", "frame", "projectile", "contacts")
)
WAVE_BYTES = 32 + 11 * 8  # more than any other object of a wave


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model("weir-game-loop", tmp_path_factory.mktemp("weir"))


@pytest.fixture(scope="module")
def sound(program: Path) -> ModelTrace:
    return record_model(program, program.parent / "sound", *SMALL)


@pytest.fixture(scope="module")
def stale(program: Path) -> ModelTrace:
    return record_model(program, program.parent / "stale", *SMALL, "--variant", "stale-slot")


def printed(program: Path, *options: str | int) -> dict[str, int]:
    """Runs the model unrecorded and returns the numbers its last lines name."""
    words = [str(program), *map(str, options)]
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    lines = [line.rpartition(" ") for line in text.splitlines()]
    return {name: int(value) for name, _, value in lines if value.isdigit()}


def collections(model: ModelTrace) -> list[int]:
    """Returns the scopes in which the collector ran, in order."""
    phases = model.scopes_of("phase")
    return [scope for scope in phases if model.label(scope)[1].startswith("collect ")]


def after(model: ModelTrace, event: int) -> int:
    """Returns the next event that is the program's own, not a sample of the footprint."""
    event += 1
    while model.events["kind"][event] == KINDS["footprint"]:
        event += 1
    return event


def test_a_level_is_loaded_and_frames_follow_with_the_physics_in_an_arena(
    sound: ModelTrace,
) -> None:  # W3, W4
    session = ("session", "game")
    (load,) = sound.scopes_of("phase", "load-level")
    frames = sound.scopes_of("frame", "frame")
    assert sound.around(load) == [session]
    assert len(frames) == FRAMES
    assert sound.span(load)[1] < sound.span(frames[0])[0]
    for kind, name in [("arena", "update-physics")] + [
        ("phase", each) for each in ("input", "update-ai", "spawn", "render")
    ]:
        scopes = sound.scopes_of(kind, name)
        assert len(scopes) == FRAMES
        assert all(sound.around(scope) == [("frame", "frame"), session] for scope in scopes)
    assert len(sound.outlive(sound.tagged("gc/level"), sound.span(frames[-1])[1])) > 150


def test_everything_allocated_in_an_arena_dies_between_its_reset_and_its_end(
    sound: ModelTrace,
) -> None:  # W3, W11
    resets = {int(sound.events["value"][each][0]): each for each in sound.events_of("reset")}
    arenas = sound.scopes_of("arena")
    assert len(resets) == len(arenas) == FRAMES
    in_arena = sound.tagged("arena/physics")
    found: list[int] = []
    for scope in arenas:
        born = np.intersect1d(sound.born_in(scope), in_arena)
        death = sound.objects["death"][born]
        reset = resets[int(sound.scopes["instance"][scope])]
        assert np.all((death > reset) & (death < sound.span(scope)[1]))
        found += born.tolist()
    assert sorted(found) == in_arena.tolist()


def test_objects_of_the_heap_made_in_an_arena_belong_to_no_scope_and_live_on(
    sound: ModelTrace,
) -> None:  # W20: what outlives the arena is the collector's
    rows = sound.events_of("transfer")
    moved = sound.events["object"][rows].astype(np.int64)
    assert np.all(sound.events["value"][rows, 0] == 2**64 - 1)
    arenas = sound.scopes_of("arena")
    born = np.flatnonzero(np.isin(sound.objects["scope"], arenas))
    assert np.array_equal(np.sort(moved), np.setdiff1d(born, sound.tagged("arena/physics")))
    exits = sound.scopes["exit"][sound.objects["scope"][moved]]
    assert len(moved) > 100
    assert np.all(sound.objects["death"][moved] > exits)


def test_no_collection_begins_in_an_arena(sound: ModelTrace) -> None:  # W6, W23
    ran = collections(sound)
    assert len(ran) > 8
    assert not any(kind == "arena" for scope in ran for kind, _ in sound.around(scope))


@pytest.mark.parametrize("variant", ["sound", "stale"])
def test_a_collection_frees_what_the_told_roots_do_not_reach_and_nothing_else_frees(
    variant: str, request: pytest.FixtureRequest
) -> None:  # W1, W30, W34
    model: ModelTrace = request.getfixturevalue(variant)
    heap = set(model.tagged(*COLLECTED).tolist())
    graph = ObjectGraph(model)
    at = 0
    for scope in collections(model):
        enter, leave = model.span(scope)
        assert heap.isdisjoint(graph.follow(at, enter))
        garbage = (graph.live & heap) - graph.reachable()
        assert set(graph.follow(enter, leave)) & heap == garbage
        at = leave
    assert not graph.live & heap  # the last one, with all roots gone


def test_the_threshold_grows_to_twice_what_is_live_as_the_source_has_it(
    sound: ModelTrace,
) -> None:  # src: bytes since the last collection, header included
    heap = sound.tagged(*COLLECTED)
    birth, death = (sound.objects[name][heap] for name in ("birth", "death"))
    size = sound.objects["size"][heap].astype(np.int64)
    threshold, last, grown = THRESHOLD, 0, 0
    for scope in collections(sound):
        enter, leave = sound.span(scope)
        since = int(size[(birth > last) & (birth < enter)].sum())
        following = int(size[birth > leave][0]) if np.any(birth > leave) else 0
        is_over = since + following > threshold
        assert is_over == (sound.label(scope)[1] == "collect threshold")
        live = int(size[(birth < leave) & (death > leave)].sum())
        if live > threshold // 2:
            threshold, grown = 2 * live, grown + 1
        last = leave
    assert grown > 0


def test_a_reload_drops_the_old_module_and_the_next_collection_reclaims_it(
    sound: ModelTrace,
) -> None:  # W8
    (reload,) = sound.marks("reload")
    old, new = (sound.born_in(scope) for scope in sound.scopes_of("module", "behaviours"))
    following = next(each for each in collections(sound) if sound.span(each)[0] > reload)
    enter, leave = sound.span(following)
    assert len(old) > 100
    assert np.all((sound.objects["death"][old] > enter) & (sound.objects["death"][old] < leave))
    table = new[0]  # what the new root holds
    shutdown = sound.scopes_of("phase", "collect shutdown")[0]
    assert sound.objects["death"][table] > sound.span(shutdown)[0]


def test_transitions_collect_by_hand(sound: ModelTrace) -> None:  # W24
    first, second = (sound.span(each)[0] for each in sound.scopes_of("phase", "collect transition"))
    (load,) = sound.scopes_of("phase", "load-level")
    frames = sound.scopes_of("frame")
    (menu,) = sound.marks("menu")
    assert sound.span(load)[1] < first < sound.span(frames[0])[0]
    before, behind = frames[FRAMES * 3 // 4 - 1], frames[FRAMES * 3 // 4]
    assert sound.span(before)[1] < menu < second < sound.span(behind)[0]


def test_collecting_in_the_gap_leaves_no_collection_in_a_frame(
    program: Path, sound: ModelTrace, tmp_path: Path
) -> None:  # W25
    gap = record_model(program, tmp_path, *SMALL, "--collect", "gap")
    in_frame = [("frame", "frame") in sound.around(scope) for scope in collections(sound)]
    assert sum(in_frame) > 3
    assert not any(("frame", "frame") in gap.around(scope) for scope in collections(gap))
    assert len(gap.scopes_of("phase", "collect gap")) > 5
    loading = [("phase", "load-level"), ("session", "game")]
    by_threshold = gap.scopes_of("phase", "collect threshold")
    assert all(gap.around(scope) == loading for scope in by_threshold)


def made_before(model: ModelTrace, event: int) -> int:
    """Returns the wave made last before an event."""
    waves = model.tagged("gc/wave")
    waves = waves[model.objects["size"][waves] == WAVE_BYTES]
    return int(waves[model.objects["birth"][waves] < event][-1])


def roots_named(model: ModelTrace, first: int, last: int) -> Rows:
    """Returns the objects, plus one, that became roots between two events."""
    kinds, values = model.events["kind"][first:last], model.events["value"][first:last]
    pushed = values[kinds == KINDS["root_push"], 0]
    put = values[kinds == KINDS["root_set"], 1]
    return np.concatenate([pushed, put]).astype(np.int64)


def test_every_set_updates_its_slot_and_nothing_is_lost(
    program: Path, sound: ModelTrace
) -> None:  # W32
    sets = sound.marks("set! wave")
    assert len(sets) > 5
    for mark in sets:
        event = after(sound, int(mark))
        assert sound.events["kind"][event] == KINDS["root_set"]
        assert sound.events["value"][event][1] == made_before(sound, event) + 1
    assert len(sound.events_of("root_set")) == len(sets) + len(sound.marks("set! decisions"))
    assert not len(sound.marks("use of freed wave")) + len(sound.marks("use of freed decisions"))
    assert printed(program, *SMALL)["lost"] == 0


def test_a_stale_slot_loses_the_new_object_and_keeps_the_old_one(
    program: Path, stale: ModelTrace
) -> None:  # W31: set, no root, collection, use
    uses = stale.marks("use of freed wave")
    assert len(uses) > 0
    assert len(stale.events_of("root_set")) == 0
    spans = [stale.span(scope) for scope in collections(stale)]
    for use in uses:
        mark = stale.marks("set! wave")
        put = int(mark[mark < use][-1])
        lost = made_before(stale, put)
        death = int(stale.objects["death"][lost])
        assert put < death < use
        assert any(enter < death < leave for enter, leave in spans)
        assert lost + 1 not in roots_named(stale, put, death)
    first = int(stale.tagged("gc/wave")[0])
    assert stale.objects["death"][first] > stale.span(stale.scopes_of("session")[0])[1]
    said = printed(program, *SMALL, "--variant", "stale-slot")
    assert said["lost"] > 0
    assert said["uses of freed objects"] == len(uses) + len(stale.marks("use of freed decisions"))


def test_a_program_that_seldom_sets_seldom_loses(program: Path) -> None:  # W33
    stale = (*SMALL, "--variant", "stale-slot", "--collect", "gap", "--set-percent")
    lost = [printed(program, *stale, percent)["lost"] for percent in (0, 5, 50)]
    assert lost[0] == 0
    assert lost[0] < lost[1] < lost[2]


def test_what_escapes_an_arena_is_found_as_its_survivors(
    program: Path, sound: ModelTrace, tmp_path: Path
) -> None:  # W20
    escape = ("--variant", "escape", *SMALL)
    model = record_model(program, tmp_path, *escape)
    found = {}
    for name, each in (("sound", sound), ("escape", model)):
        blocks = each.tagged("arena/physics")
        exits = each.scopes["exit"][each.objects["scope"][blocks]]
        found[name] = blocks[each.objects["death"][blocks] > exits]
    assert len(found["sound"]) == 0
    assert len(found["escape"]) == printed(program, *escape)["escapes"] > 0
    assert set(model.objects["size"][found["escape"]].tolist()) == {40}


def test_two_recordings_count_the_same(program: Path, sound: ModelTrace, tmp_path: Path) -> None:
    assert record_model(program, tmp_path, *SMALL).counts() == sound.counts()
    other = record_model(program, tmp_path / "2", *SMALL, "--seed", 2)
    assert other.counts() != sound.counts()


def test_all_but_the_runtime_s_own_blocks_are_tagged_and_half_the_bytes_are_an_arena_s(
    sound: ModelTrace,
) -> None:  # W5
    assert sound.tags() == {*COLLECTED, "arena/physics", "arena/list", "gc/mark-stack"}
    sizes = sound.objects["size"].astype(np.int64)
    share = sizes[sound.tagged("arena/physics")].sum() / sizes[sound.tagged(*COLLECTED)].sum()
    assert 0.5 < share < 3
    assert sound.trace.summary()["unresolved_references"] == 0
