# SPDX-License-Identifier: MIT
"""Growth experiments from Python (rows R5, R57, R62, Q10, W36)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alloclab as al
from alloclab.growth import STRATEGIES, predicted_abandoned_bytes


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_builds_the_same_tables(strategy: str) -> None:
    row = al.growth(strategy, items=1000, item=16, tables=2, repeats=2)
    assert row.payload_bytes == 32000
    assert row.capacity_bytes >= row.payload_bytes
    assert row.ns_per_append > 0


@settings(max_examples=40, deadline=None)
@given(
    items=st.integers(1, 3000),
    factor=st.sampled_from([1.25, 1.5, 2.0, 3.0]),
    first=st.integers(4, 64),
    tables=st.integers(2, 4),
)
def test_an_arena_abandons_what_the_law_predicts(
    items: int, factor: float, first: int, tables: int
) -> None:
    """Row R5, to rounding: each array rounds down to whole items of 16, the arena's alignment."""
    row = al.growth(
        "realloc_arena", items=items, item=16, tables=tables, first=first, factor=factor
    )
    capacity_bytes = row.capacity_bytes // tables
    predicted = predicted_abandoned_bytes(capacity_bytes, first * 16, factor)
    steps = row.allocation_count // tables
    # A step that rounds down by less than an item makes every later array smaller by it.
    slack_bytes = 16 * steps / (factor - 1)
    assert row.abandoned_bytes / tables == pytest.approx(predicted, abs=slack_bytes)


@given(items=st.integers(1, 300))
def test_one_longer_each_time_is_quadratic(items: int) -> None:
    """Row R57, exact: 1 + 2 + ... + n items allocated, all but the last abandoned."""
    row = al.growth("realloc_arena", items=items, item=16, tables=2, factor=0)
    assert row.allocated_bytes == 2 * items * (items + 1) // 2 * 16
    predicted = predicted_abandoned_bytes(items * 16, 16, 0, item_bytes=16)
    assert row.abandoned_bytes == 2 * predicted == row.copied_bytes


def test_the_growth_of_the_arena_itself_is_taken(tmp_path: object) -> None:
    """Row W36: what is mapped beyond what is used depends on the chunks."""
    chain = al.growth("chunked", items=20000, arena=al.Arena(preset="page_chain"))
    doubling = al.growth("chunked", items=20000, arena=al.Arena(initial="4 KiB"))
    assert chain.used_bytes != 0
    assert chain.mapped_bytes != doubling.mapped_bytes


def test_malloc_maps_past_the_counter() -> None:
    row = al.growth("realloc_platform", items=100)
    assert isinstance(row.mapped_bytes, al.NotMeasured)
    assert isinstance(row.copied_bytes, al.NotMeasured)
    assert row.abandoned_bytes == 0


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(al.Error, match='unknown strategy "magic"'):
        al.growth("magic", items=1)
    with pytest.raises(al.Error, match="nothing, or above"):
        al.growth("chunked", items=0)
    with pytest.raises(al.UsageError, match="repeats"):
        al.growth("chunked", items=1, repeats=0)
    with pytest.raises(al.Error, match="growth"):
        al.growth("chunked", items=1, arena=al.Arena(growth=99.0))
