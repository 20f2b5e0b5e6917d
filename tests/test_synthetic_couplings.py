# SPDX-License-Identifier: MIT
"""What a model keeps of blocks next to each other: followers, growth, the end of a run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alloclab as al
from alloclab import synthetic
from alloclab.synthetic.companions import place_large
from alloclab.synthetic.couplings import gap_after_bytes, place_followers, swap_lives
from alloclab.synthetic.scales import Scale
from alloclab.traces import KINDS, Trace

EXACT = Scale(np.arange(100), np.arange(100), np.arange(101) * 100.0)  # life n is from 100 n on


def write(path: Path, rows: list[tuple[str, int, int]]) -> Trace:
    with al.TraceBuilder(path, image="hand") as builder:
        builder.append(
            kind=[KINDS[kind] for kind, _, _ in rows],
            object=[number for _, number, _ in rows],
            size=[size for _, _, size in rows],
        )
        return builder.finish()


def row_of(sizes: list[int], lives: list[int]) -> tuple[dict[str, Any], Any]:
    """Returns small blocks in a row as columns, -1 for a life that is not known, and what is
    allocated before each.
    """
    count = len(sizes)
    columns = {
        "size": np.array(sizes),
        "lived_place": np.array([100.0 * life + 50 if life >= 0 else -1.0 for life in lives]),
        "gap": np.arange(count) * 1.0,
        "is_freed": np.array(lives) >= 0,
        "is_small": np.ones(count, np.bool_),
    }
    return columns, np.concatenate([[0], np.cumsum(sizes)])


def test_a_life_in_bytes_ends_at_the_nearest_allocation() -> None:
    allocated = np.array([0, 10, 20, 60, 100])  # blocks of 10, 10, 40 and 40 bytes
    born = np.zeros(5, np.int64)
    # After the first: nothing, 10, 50 and 90 bytes. Between 10 and 50 the middle is 22.4.
    found = gap_after_bytes(allocated, born, np.array([0, 10, 22, 23, 90]))
    assert found.tolist() == [0, 1, 1, 2, 3]


def test_two_blocks_swap_lives_where_both_then_end_at_an_allocation() -> None:
    columns, allocated = row_of([8, 20, 8, 30], [30, -1, 20, -1])
    small = np.array([0, 2])
    swap_lives(np.random.default_rng(0), columns, small, allocated, EXACT, np.zeros(4, np.int64))
    assert EXACT.value(columns["lived_place"][small]).tolist() == [20, 30]
    assert columns["gap"].tolist() == [2.0, 1.0, 0.0, 3.0]  # whatever goes with a life goes along


def test_a_block_that_fits_is_put_after_one_that_lives_as_long_as_it_is_large() -> None:
    columns, allocated = row_of([8, 40, 40, 53, 40], [53, -1, -1, -1, -1])
    place_followers(columns, allocated, EXACT, np.zeros(5, np.int64))
    assert columns["size"].tolist() == [8, 53, 40, 40, 40]


def test_blocks_that_follow_as_they_should_stay() -> None:
    columns, allocated = row_of([8, 53, 8, 53, 8, 40], [53, -1, 53, -1, 53, -1])
    place_followers(columns, allocated, EXACT, np.zeros(6, np.int64))
    assert columns["size"].tolist() == [8, 53, 8, 53, 8, 40]  # none is left for the third


def test_most_temporaries_live_for_exactly_what_is_allocated_next(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows: list[tuple[str, int, int]] = []
    for number in range(0, 80_000, 8):  # a temporary of any size, its copy, and six others
        rows.append(("allocate", number, int(rng.integers(1, 13)) * 8))
        rows.append(("allocate", number + 1, int(rng.integers(49, 61))))
        rows.append(("free", number, 0))
        sizes = rng.integers(1, 30, size=6) * 8
        rows += [("allocate", number + 2 + k, size) for k, size in enumerate(sizes.tolist())]
    trace = write(tmp_path / "t.alloctrace", rows)
    generated = al.model(trace).generate(None, 1, tmp_path / "g.alloctrace")
    # Lives of 49 to 60 bytes; with whatever comes next in the chain's order it would be 0.39.
    assert synthetic.likeness(generated, trace, footprint=False).lifetime_distance < 0.25


def test_buffers_that_double_are_reallocated_to_powers_of_two(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows: list[tuple[str, int, int]] = []
    for number in range(4000):
        first = int(rng.choice([8, 32, 128]))
        rows.append(("allocate", number, first))
        last = int(rng.integers(1, 8))
        rows += [("reallocate", number, first << step) for step in range(1, last + 1)]
        rows.append(("free", number, 0))
    model = al.model(write(tmp_path / "t.alloctrace", rows))
    generated = model.generate(None, 1, tmp_path / "g.alloctrace")
    sizes = np.concatenate([c.size[c.is_kind("reallocate")] for c in generated.chunks()])
    assert len(sizes) > 10_000
    assert set(sizes.tolist()) <= {1 << bits for bits in range(3, 15)}


def test_what_is_freed_as_a_run_ends_is_there_at_the_peak_before(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    rows: list[tuple[str, int, int]] = []
    ending = []
    for number in range(30_000):
        rows.append(("allocate", number, int(rng.integers(1, 200))))
        if number % 10 and number > 29_000:  # the last thousand die soon, at different moments
            rows.append(("free", number, 0))
        elif rng.random() < 0.5:
            ending.append(number)
    rows += [("free", number, 0) for number in ending]
    trace = write(tmp_path / "t.alloctrace", rows)
    generated = al.model(trace).generate(None, 1, tmp_path / "g.alloctrace")
    freed_at_end = []
    for each in (trace, generated):
        objects = each.objects()
        freed_at_end.append(int((objects["death"] > objects["birth"].max()).sum()))
    assert freed_at_end[1] == pytest.approx(freed_at_end[0], rel=0.001)


def test_a_large_block_is_not_moved_across_the_run_to_be_near_another() -> None:
    table = {"distances": [[2, 9]], "near_again": [9, 10], "near_at_once": [9, 10]}
    places = np.array([10, 40, 9000, 9050])
    for seed in range(20):
        placed = place_large(np.random.default_rng(seed), table, places, 10_000)
        assert (placed > 8000).sum() == 2


@pytest.mark.parametrize(
    ("rungs", "reason"),
    [
        (7, "tables.rungs: missing, or not a list"),
        ([[5, 10]], r"tables.rungs\[0\]: 2 values, not 3"),
        ([[5, 10, [[16, 11]]]], r"tables.rungs\[0\]: more than the 10 it is of"),
        ([[5, 10, []], [5, 10, []]], r"tables.rungs\[1\]: 5 is not from 6 to 64"),
    ],
)
def test_rungs_that_cannot_be_are_refused(rungs: Any, reason: str, tmp_path: Path) -> None:
    trace = write(tmp_path / "t.alloctrace", [("allocate", 0, 8), ("reallocate", 0, 16)])
    document = json.loads(al.model(trace).to_json())
    document["tables"]["rungs"] = rungs
    with pytest.raises(al.Error, match=reason):
        al.Model.from_json(json.dumps(document))
