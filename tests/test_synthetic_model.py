# SPDX-License-Identifier: MIT
"""The size-lifetime model: how near it comes, what it keeps, and what it does not believe."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alloclab as al
from alloclab import synthetic
from alloclab.synthetic.likeness import distance
from alloclab.traces import KINDS, Trace

WORKLOADS = Path(__file__).resolve().parents[1] / "workloads"


@pytest.fixture(scope="module")
def freeciv() -> tuple[Trace, al.Model]:
    trace = al.open_trace(WORKLOADS / "freeciv.alloctrace")
    return trace, al.Model.from_json(al.model(trace).to_json())


def write(path: Path, rows: list[tuple[str, int, int]], **columns: Any) -> Trace:
    with al.TraceBuilder(path, image="hand") as builder:
        builder.append(
            kind=[KINDS[kind] for kind, _, _ in rows],
            object=[number for _, number, _ in rows],
            size=[size for _, _, size in rows],
            **columns,
        )
        return builder.finish()


def of_kind(trace: Trace, name: str) -> int:
    return sum(int(chunk.is_kind(name).sum()) for chunk in trace.chunks())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_freecivs_model_holds_what_it_must_for_any_seed(
    freeciv: tuple[Trace, al.Model], seed: int, tmp_path: Path
) -> None:
    trace, model = freeciv
    generated = model.generate(None, seed, tmp_path / "g.alloctrace")
    assert len(generated) == model.events == len(trace) - sum(model.left_out.values())
    found = synthetic.likeness(generated, trace)
    assert found.misses == []
    assert abs(found.never_freed_difference) < 0.001


def test_a_models_json_is_at_most_64_kib_and_comes_back_as_it_was(
    freeciv: tuple[Trace, al.Model],
) -> None:
    text = freeciv[1].to_json()
    assert len(text) <= 65_536
    assert al.Model.from_json(text) == freeciv[1]
    assert al.Model.from_json(text).to_json() == text


def test_a_seed_decides_the_sequence_and_another_one_makes_another(
    freeciv: tuple[Trace, al.Model], tmp_path: Path
) -> None:
    one, again, other = (
        freeciv[1].generate(20_000, seed, tmp_path / f"{index}.alloctrace")
        for index, seed in enumerate([5, 5, 6])
    )
    assert len(one) == len(other) == 20_000
    assert one.path.read_bytes() == again.path.read_bytes()
    sizes, others = (trace.objects()["size"] for trace in (one, other))
    assert len(sizes) == len(others)
    assert (sizes != others).mean() > 0.5  # not the trace with noise: another one


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """Blocks that grow by doubling from 16 to 1024 bytes and die ten births later, null frees, two
    threads of which the second frees what the first made; eight in ten aligned.
    """
    rows, columns = [], []
    for number in range(3000):
        rows.append(("allocate", number, 16))
        columns.append((5 if number % 5 else 0, 64 if number % 5 else 0, 0))
        rows += [("reallocate", number, 16 << step) for step in range(1, 7)]
        rows.append(("free_null", 0, 0))
        columns += [(0, 0, 0)] * 7
        if number >= 10:
            rows.append(("free", number - 10, 0))
            columns.append((0, 0, 1))
    call, alignment, thread = np.array(columns).T
    path = tmp_path_factory.mktemp("chains") / "c.alloctrace"
    return write(path, rows, call=call, alignment=alignment, thread=thread)


def test_chains_calls_null_frees_and_threads_come_out_as_often(
    chains: Trace, tmp_path: Path
) -> None:
    model = al.model(chains)
    generated = model.generate(None, 3, tmp_path / "g.alloctrace")
    mine, theirs = generated.summary(), chains.summary()
    for name in ("events", "objects", "frees", "live_objects_at_end", "requested_total_bytes"):
        assert mine[name] == pytest.approx(theirs[name], rel=0.02), name
    assert mine["reallocations"] == pytest.approx(theirs["reallocations"], rel=0.02)
    assert mine["null_frees"] == pytest.approx(theirs["null_frees"], rel=0.02)
    assert mine["aligned_allocations"] == pytest.approx(0.8 * 3000, rel=0.1)
    assert mine["cross_thread_frees"] == mine["frees"]
    rows = generated.objects()
    assert set(rows["size"].tolist()) == {16} and set(rows["max_size"].tolist()) == {1024}
    assert mine["peak_requested_live_bytes"] == pytest.approx(
        theirs["peak_requested_live_bytes"], rel=0.2
    )


def test_blocks_reallocated_to_nothing_end_that_way(tmp_path: Path) -> None:
    rows = [row for n in range(100) for row in (("allocate", n, 32), ("reallocate_zero", n, 0))]
    trace = write(tmp_path / "z.alloctrace", rows, call=[2, 0] * 100)
    generated = al.model(trace).generate(None, 0, tmp_path / "g.alloctrace")
    assert of_kind(generated, "reallocate_zero") == 100
    assert of_kind(generated, "free") == 0
    assert generated.lifetimes().p99_bytes == 0


def test_large_blocks_are_touched_as_far_as_they_were(tmp_path: Path) -> None:
    with al.TraceBuilder(tmp_path / "t.alloctrace", image="hand") as builder:
        kinds = [KINDS["allocate"], KINDS["free"]] * 200
        numbers = np.repeat(np.arange(200), 2)
        builder.append(kind=kinds, object=numbers, size=[1 << 20, 0] * 200)
        pages = np.full(200, 257)
        builder.set_touched(
            {
                "event": np.arange(0, 400, 2),
                "pages": pages,
                "resident_at_birth": pages * 0,
                "resident_at_death": pages * 0 + 13,
                "is_prefix": pages > 0,
            }
        )
        trace = builder.finish()
    rows = al.model(trace).generate(None, 0, tmp_path / "g.alloctrace").touched()
    assert len(rows["event"]) == 200
    assert set(rows["pages"].tolist()) == {257} and set(rows["resident_at_death"].tolist()) == {13}


def test_mapped_regions_are_mapped_and_do_not_count_as_allocated(tmp_path: Path) -> None:
    rows = [("map", 0, 1 << 20), ("allocate", 1, 8), ("unmap", 0, 0), ("free", 1, 0)]
    generated = al.model(write(tmp_path / "m.alloctrace", rows)).generate(
        None, 0, tmp_path / "g.alloctrace"
    )
    summary = generated.summary()
    assert (summary["maps"], summary["unmaps"], summary["frees"]) == (1, 1, 1)
    assert summary["peak_mapped_live_bytes"] == 1 << 20
    assert summary["requested_total_bytes"] == 8


def test_another_number_of_events_stretches_the_run(
    freeciv: tuple[Trace, al.Model], tmp_path: Path
) -> None:
    trace, model = freeciv
    half = model.generate(model.events // 2, 1, tmp_path / "h.alloctrace")
    assert len(half) == model.events // 2
    small = [each.objects()["size"] for each in (half, trace)]
    assert distance(*small) < 0.05
    kept = half.summary()["max_live_objects"] / trace.summary()["max_live_objects"]
    assert kept == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("free_null", 0, 0)],
        [("allocate", 0, 0)],
        [("allocate", 0, 7)],
        [("allocate", 0, 7), ("free", 0, 0)],
        [("map", 0, 4096)],
        [("allocate", 0, 1 << 40), ("reallocate", 0, 1)],
    ],
)
def test_the_model_of_next_to_nothing_generates_it_again(
    rows: list[tuple[str, int, int]], tmp_path: Path
) -> None:
    trace = write(tmp_path / "t.alloctrace", rows)
    model = al.Model.from_json(al.model(trace).to_json())
    generated = model.generate(None, 9, tmp_path / "g.alloctrace")
    kinds, sizes = (
        [value for chunk in generated.chunks() for value in getattr(chunk, name).tolist()]
        for name in ("kind", "size")
    )
    assert kinds == [KINDS[kind] for kind, _, _ in rows]
    assert sizes == [size for _, _, size in rows]


@pytest.mark.parametrize("events", [0, 1, 2, 3, 7])
def test_a_model_generates_exactly_as_many_events_as_asked_for(
    chains: Trace, events: int, tmp_path: Path
) -> None:
    assert len(al.model(chains).generate(events, 0, tmp_path / "g.alloctrace")) == events


def test_a_model_refuses_to_generate_a_negative_number_of_events(
    chains: Trace, tmp_path: Path
) -> None:
    with pytest.raises(al.UsageError, match="not -1"):
        al.model(chains).generate(-1, 0, tmp_path / "g.alloctrace")
    assert list(tmp_path.iterdir()) == []


def test_the_distance_of_two_samples_is_that_of_kolmogorov_and_smirnov() -> None:
    # F1 jumps to 1/2 at 1 and to 1 at 3; F2 to 1 at 2: at 2 they are 1/2 apart.
    assert distance(np.array([1, 3]), np.array([2, 2])) == 0.5
    assert distance(np.array([1]), np.array([2])) == 1.0
    assert distance(np.array([]), np.array([2])) == 1.0
    assert distance(np.array([]), np.array([])) == 0.0


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields where in a document each number, string and list is."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> str:
    copy = json.loads(json.dumps(document))
    inside = copy
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return json.dumps(copy)


@pytest.mark.parametrize("value", [None, -1, "7", [], {}, 1e300, True, 2**70, [[[0]]]])
def test_a_models_json_with_any_part_wrong_is_one_error_or_generates(
    chains: Trace, value: Any, tmp_path: Path
) -> None:
    document = json.loads(al.model(chains).to_json())
    places = list(leaves(document))
    refused = 0
    for path in places[:: max(1, len(places) // 150)]:
        try:
            model = al.Model.from_json(changed(document, path, value))
            model.generate(50, 0, tmp_path / "g.alloctrace")
        except al.Error as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 30
    assert {each.name for each in tmp_path.iterdir()} <= {"g.alloctrace"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "model: not JSON"),
        ("[]", "model: not a JSON object"),
        ('{"format": "x"}', "model: format: 'x', not 'alloclab-model-1'"),
        ('{"format": NaN}', "model: NaN is no number"),
        ("[" * 30_000, "model: not JSON"),
        (" " * 70_000, "model: 70,000 characters of JSON"),
    ],
)
def test_what_is_no_model_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(al.Error) as caught:
        al.Model.from_json(text)
    assert str(caught.value).startswith(reason)


def test_a_model_of_more_objects_than_events_is_refused(chains: Trace) -> None:
    document = json.loads(al.model(chains).to_json())
    document["events"] = 1
    with pytest.raises(al.Error, match="births: 3000 objects in 1 events"):
        al.Model.from_json(json.dumps(document))


def test_boxes_that_do_not_add_up_are_refused_by_their_sum(chains: Trace) -> None:
    document = json.loads(al.model(chains).to_json())
    document["births"] += 1
    with pytest.raises(al.Error, match="boxes: they hold 3,000 objects, not 3,001"):
        al.Model.from_json(json.dumps(document))
