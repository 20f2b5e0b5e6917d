# SPDX-License-Identifier: MIT
"""Sizes, times and counts, read and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alloclab import units
from alloclab.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("64 KiB", 65536),
        ("1MiB", 1 << 20),
        ("1.5 KiB", 1536),
        ("2k", 2048),
        ("4096", 4096),
        (4096, 4096),
        ("3 MB", 3_000_000),
        ("0", 0),
        ("7 B", 7),
    ],
)
def test_a_size_is_read(text: str | int, size_bytes: int) -> None:
    assert units.parse_bytes(text) == size_bytes


@pytest.mark.parametrize("text", ["", "KiB", "-1", -1, "1.3", "1 parsec", True, "1e3", None])
def test_what_is_no_size_is_refused_by_name(text: object) -> None:
    with pytest.raises(UsageError, match=r"size|bytes"):
        units.parse_bytes(text)  # type: ignore[arg-type]


@given(st.integers(min_value=0, max_value=1 << 62))
def test_exact_bytes_reads_back(size_bytes: int) -> None:
    assert units.parse_bytes(units.exact_bytes(size_bytes)) == size_bytes


@pytest.mark.parametrize(
    ("text", "seconds"), [("30 s", 30.0), ("500ms", 0.5), ("2min", 120.0), ("3", 3.0), (1.5, 1.5)]
)
def test_a_duration_is_read(text: str | float, seconds: float) -> None:
    assert units.parse_seconds(text) == seconds


def test_what_is_no_duration_is_refused() -> None:
    with pytest.raises(UsageError, match="not a duration: '1 fortnight'"):
        units.parse_seconds("1 fortnight")


def test_figures_are_written_with_their_units() -> None:
    assert units.format_bytes(12_650_000) == "12.65 MB"
    assert units.format_bytes(4096) == "4.10 kB"
    assert units.format_bytes(12) == "12 B"
    assert units.format_bytes(2_500_000_000) == "2.50 GB"
    assert units.format_ns(4.04) == "4.0 ns"
    assert units.format_ns(2_500_000) == "2.50 ms"
    assert units.format_count(6_712_345) == "6,712,345"
    assert units.format_count(43_000_000) == "43.0 M"
    assert units.format_ratio(0.1234) == "12.3 %"
