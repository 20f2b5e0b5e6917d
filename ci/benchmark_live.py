# SPDX-License-Identifier: MIT
"""What a call costs on an allocator that is used from Python. Imported by benchmarks.py."""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Callable

import numpy as np

import alloclab as al
from benchmark_rows import Row

CALLS = 50_000
MUST_NS = 1000.0


def nanoseconds(call: Callable[[], object], repeats: int) -> float:
    """The median over some runs of the time of one call, less that of an empty function's."""
    nothing = timeit.repeat(lambda: None, number=CALLS, repeat=repeats)
    times = timeit.repeat(call, number=CALLS, repeat=repeats)
    return (statistics.median(times) - statistics.median(nothing)) / CALLS * 1e9


def live(repeats: int) -> list[Row]:
    """The calls of a live Pool: blocks, addresses, arrays, traced ones; and NumPy's own data."""
    pool, traced = al.live(al.Pool()), al.live(al.Pool(), traced=True)
    scopes = al.RequestScopes()

    def address() -> None:
        pool.deallocate_address(pool.allocate_address(64) or 0, 64)

    def scope() -> None:
        scopes.exit_request_scope(scopes.enter_request_scope())

    bounded: dict[str, Callable[[], object]] = {
        "live: a block, allocated and dropped": lambda: pool.allocate(64),
        "live: an address, allocated and freed": address,
        "live: a traced block with its tag and line": lambda: traced.allocate(64, tag="a"),
    }
    unbounded: dict[str, Callable[[], object]] = {
        "live: an array of 1,000 doubles": lambda: pool.array(1000),
        "live: an empty request scope, entered and left": scope,
        "NumPy: an array of 1,000 doubles, its own memory": lambda: np.empty(1000),
    }
    rows = []
    for what, call in bounded.items():
        ns = nanoseconds(call, repeats)
        rows.append(Row(what, f"<= {MUST_NS:,.0f} ns", f"{ns:,.0f} ns", ns <= MUST_NS))
    for what, call in unbounded.items():
        rows.append(Row(what, "", f"{nanoseconds(call, repeats):,.0f} ns", None))
    with al.numpy_allocator(pool):
        ns = nanoseconds(lambda: np.empty(1000), repeats)
    rows.append(Row("NumPy: the same from a live Pool", "", f"{ns:,.0f} ns", None))
    return rows
