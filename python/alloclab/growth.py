# SPDX-License-Identifier: MIT
"""Growth experiments: what each way of growing a table copies, leaves behind and costs.

Bytes are counted at the page source and in the arena, so they are exact and the same on every
machine; times are medians over whole builds and are not.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from alloclab import _core
from alloclab.allocators import Arena
from alloclab.errors import NotMeasured, UsageError
from alloclab.units import parse_bytes

STRATEGIES: tuple[str, ...] = _core.growth_strategies


@dataclass(frozen=True)
class Growth:
    """What one way of growing tables came to.

    Attributes:
        payload_bytes: the items themselves.
        capacity_bytes: what the tables have at the end.
        allocated_bytes: all that was asked for over time.
        copied_bytes: moved by the program; pages the kernel moves are not copied.
        used_bytes: taken of the lifetime arena at the end; 0 for a strategy without one.
        mapped_bytes: held from the system at the end, and `peak_mapped_bytes` at most.
        ns_per_append: the median over the repeats.
    """

    strategy: str
    table_count: int
    item_count: int
    payload_bytes: int
    capacity_bytes: int
    allocated_bytes: int
    copied_bytes: int | NotMeasured
    used_bytes: int
    allocation_count: int
    moved_count: int
    mapped_bytes: int | NotMeasured
    peak_mapped_bytes: int | NotMeasured
    ns_per_append: float

    @property
    def abandoned_bytes(self) -> int:
        """What stands in the arena beside the tables; 0 for a strategy without one."""
        return max(self.used_bytes - self.capacity_bytes, 0)


def growth(
    strategy: str,
    *,
    items: int,
    item: int | str = 8,
    tables: int = 1,
    first: int = 16,
    factor: float = 2.0,
    threshold: int | str = 0,
    arena: Arena | None = None,
    repeats: int = 1,
) -> Growth:
    """Grows `tables` tables in turn, item by item, and counts.

    Args:
        strategy: one of `STRATEGIES`.
        items: how many each table has at the end; `item` is their size.
        tables: more than one, and none is the arena's newest block when it has to grow.
        first: items the first array has room for.
        factor: each array is this many times the last; 0 makes it one item longer each time.
        threshold: for `mapped_above`, the size from which a table has pages of its own.
        arena: the lifetime arena; the default one unless given.
        repeats: whole builds, of which `ns_per_append` is the median.
    """
    if repeats < 1:
        raise UsageError(f"repeats: not a positive number: {repeats}")
    rows = [
        _core.growth_experiment(
            strategy,
            item_bytes=parse_bytes(item),
            item_count=items,
            table_count=tables,
            first_count=first,
            growth=factor,
            threshold_bytes=parse_bytes(threshold),
            arena=(arena or Arena()).settings(),
        )
        for _ in range(repeats)
    ]
    row = rows[0]
    if not row.pop("is_counted"):
        reason = NotMeasured("the process's malloc maps and copies past the counter")
        row["copied_bytes"] = row["mapped_bytes"] = row["peak_mapped_bytes"] = reason
    row["ns_per_append"] = statistics.median(each["build_ns"] for each in rows) / (items * tables)
    del row["build_ns"]
    return Growth(strategy, tables, items, **row)


def predicted_abandoned_bytes(
    capacity_bytes: int, first_bytes: int, factor: float, item_bytes: int = 8
) -> float:
    """What a table that grew to `capacity_bytes` leaves behind in an arena.

    With a factor g the old arrays are a geometric series, (C - c0) / (g - 1); grown by one item
    each time they are the numbers below n, n(n - 1)/2 items.
    """
    if factor == 0:
        count = capacity_bytes // item_bytes
        return count * (count - 1) / 2 * item_bytes
    return (capacity_bytes - first_bytes) / (factor - 1)
