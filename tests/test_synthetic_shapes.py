# SPDX-License-Identifier: MIT
"""The shapes that are hard on allocators: what they write, by hand and against known bounds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alloclab as al
from alloclab import synthetic
from alloclab.traces import KINDS, Trace


def events(trace: Trace) -> list[tuple[str, int, int, int]]:
    names = {number: name for name, number in KINDS.items()}
    return [
        (names[kind], thread, number, size)
        for chunk in trace.chunks()
        for kind, thread, number, size in zip(
            chunk.kind.tolist(),
            chunk.thread.tolist(),
            chunk.object.tolist(),
            chunk.size.tolist(),
            strict=True,
        )
    ]


def test_robsons_program_is_right_by_hand_for_four_units_and_one_phase(tmp_path: Path) -> None:
    trace = synthetic.robson(tmp_path / "r.alloctrace", live_bytes=64, phases=1, unit_bytes=16)
    # Four blocks of one unit at 0, 1, 2, 3. Both offsets waste two units: the first is taken, which
    # keeps 0 and 2. Two units may be allocated again: a block of two, which fits from 3 on only.
    assert [(kind, number, size) for kind, _, number, size in events(trace)] == [
        *(("allocate", number, 16) for number in range(4)),
        ("free", 1, 0),
        ("free", 3, 0),
        ("allocate", 4, 32),
        ("free", 0, 0),
        ("free", 2, 0),
        ("free", 4, 0),
    ]
    placed = al.simulate(trace, al.textbook.FirstFit)
    assert placed["high_water_bytes"] == 5 * 16  # 4 units alive at most, 5 needed
    # M log2(n) / 2 + M - n + 1 = 4 * 1 / 2 + 4 - 2 + 1 = 5: what no allocator can do without
    assert synthetic.robson_bound(4, 2) == 5


@pytest.mark.parametrize("phases", [3, 5, 7])
def test_robsons_program_takes_first_fit_to_the_known_bound(tmp_path: Path, phases: int) -> None:
    live = 1 << 10
    trace = synthetic.robson(tmp_path / "r.alloctrace", live_bytes=live * 16, phases=phases)
    placed = al.simulate(trace, al.textbook.FirstFit)
    measured = placed["high_water_bytes"] / 16
    assert trace.summary()["peak_requested_live_bytes"] <= live * 16
    assert measured >= 0.98 * synthetic.robson_bound(live, 1 << phases)
    assert measured >= live / 2 * phases  # the bound's leading term, M / 2 log2 n


def test_robsons_program_refuses_a_heap_its_largest_block_does_not_divide(tmp_path: Path) -> None:
    with pytest.raises(al.UsageError, match="no multiple of the largest block, 16"):
        synthetic.robson(tmp_path / "r.alloctrace", live_bytes=1000, phases=3)
    assert list(tmp_path.iterdir()) == []


def test_littering_leaves_a_share_of_small_blocks_among_larger_ones(tmp_path: Path) -> None:
    trace = synthetic.littering(
        tmp_path / "l.alloctrace", objects=1000, small_bytes=32, kept_share=0.25, large_bytes=96
    )
    rows = trace.objects()
    small = rows["size"] == 32
    assert small.sum() == 1000
    assert (rows["death"][small] < 0).sum() == 250
    assert (~small).sum() == 750 * 32 // 96
    freed = np.argsort(rows["death"][small])[250:]
    assert not np.array_equal(freed, np.sort(freed))  # in random order


def test_littering_leaves_nearly_every_page_held_by_little(tmp_path: Path) -> None:
    trace = synthetic.littering(tmp_path / "l.alloctrace", objects=20_000, kept_share=0.05)
    rows = trace.objects()
    stays = np.flatnonzero((rows["size"] == 48) & (rows["death"] < 0))
    pages = np.unique(stays * 48 // 4096)  # placed one after the other
    # A page of 85 blocks is free of the 5 % that stay with a chance of 0.95^85 = 1.3 %.
    assert len(pages) / (20_000 * 48 / 4096) > 0.95


def test_consumers_free_all_that_the_producer_allocates(tmp_path: Path) -> None:
    trace = synthetic.producer_consumer(
        tmp_path / "p.alloctrace", objects=500, consumers=2, queue=10
    )
    rows = trace.objects()
    assert set(rows["birth_thread"].tolist()) == {0}
    assert set(rows["death_thread"].tolist()) == {1, 2}
    assert (np.diff(rows["death"]) > 0).all()  # first in, first out
    assert trace.summary()["max_live_objects"] == 11
    assert trace.summary()["live_objects_at_end"] == 0


def test_larsons_threads_inherit_the_blocks_of_those_before(tmp_path: Path) -> None:
    trace = synthetic.larson(
        tmp_path / "s.alloctrace", threads=2, slots=20, rounds=3, replacements=50
    )
    summary, rows = trace.summary(), trace.objects()
    assert summary["allocations"] == summary["frees"] == 2 * 20 + 3 * 50 * 2
    assert summary["max_live_objects"] == 40
    by_worker = rows["birth_thread"] == 3  # the first of the second round
    heirs = set(rows["death_thread"][by_worker].tolist())
    assert heirs <= {0, 3, 5} and 5 in heirs


def test_sh6bench_frees_batches_in_both_orders_and_keeps_some_longer(tmp_path: Path) -> None:
    trace = synthetic.sh6bench(
        tmp_path / "b.alloctrace", objects=4000, threads=1, kept_share=0.1, sizes=(1, 1000)
    )
    rows = trace.objects()
    lived = rows["death"] - rows["birth"]
    is_long = lived > 1500
    assert 0.05 < is_long.mean() < 0.15
    first, second = (np.arange(200) + begin for begin in (0, 200))
    down = rows["death"][first[~is_long[first]]]
    up = rows["death"][second[~is_long[second]]]
    assert (np.diff(down) < 0).all() and (np.diff(up) > 0).all()
    assert np.median(rows["size"]) < 100 < rows["size"].max() <= 1000
    assert trace.summary()["live_objects_at_end"] == 0


@pytest.mark.parametrize("name", sorted(synthetic.SHAPES))
def test_a_shape_is_the_same_for_one_seed_and_says_where_it_comes_from(
    name: str, tmp_path: Path
) -> None:
    shape: Any = synthetic.SHAPES[name]
    options = {"live_bytes": 1 << 12, "phases": 3} if name == "robson" else {}
    if "objects" in shape.__kwdefaults__:
        options["objects"] = 2000
    if name == "larson":
        options |= {"slots": 50, "replacements": 50}
    first, again = (shape(tmp_path / f"{each}.alloctrace", **options) for each in "ab")
    assert events(first) == events(again)
    assert first.metadata["origin"]["generator"] == f"alloclab.synthetic.{name}"
    if name != "robson":
        other = shape(tmp_path / "c.alloctrace", **options, seed=1)
        assert events(other) != events(first)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("littering", {"objects": 0}, "objects: a whole number from 1"),
        ("littering", {"kept_share": 1.5}, "kept_share: 1.5 is not from 0 to 1"),
        ("larson", {"sizes": (9, 8)}, "sizes: 9 to 8 is no range"),
        ("producer_consumer", {"consumers": True}, "consumers: a whole number"),
        ("sh6bench", {"kept_share": -1}, "kept_share: -1 is not from 0 to 1"),
    ],
)
def test_a_shape_refuses_a_wrong_parameter_by_name(
    name: str, options: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(al.UsageError, match=reason):
        synthetic.SHAPES[name](tmp_path / "x.alloctrace", **options)
    assert list(tmp_path.iterdir()) == []
