# SPDX-License-Identifier: MIT
"""How fast allocators written in Python are simulated, every check included."""

from __future__ import annotations

import statistics
import time
from typing import Any

import alloclab as al
from benchmark_rows import ROOT, Row

# Interpreted simulations get a part of the recording: a rate needs no more.
INTERPRETED_EVENTS = 1_000_000


class Bump:
    """The least an allocator can do: what is measured is the driver."""

    def __init__(self) -> None:
        self.top = 0

    def reset(self) -> None:
        self.top = 0

    def allocate(self, size: int, alignment: int) -> int:
        offset = -(-self.top // alignment) * alignment
        self.top = offset + size
        return offset

    def deallocate(self, offset: int) -> None:
        pass


def events_per_second(allocator: Any, repeats: int, events: int | None = None) -> list[float]:
    """Rates of whole calls of simulate: decoding, the allocator, every check, the figures."""
    trace = al.open_trace(ROOT / "workloads" / "cc1plus.alloctrace")
    al.simulate(trace, allocator, events=1000)  # compiles what is to be compiled
    rates = []
    for _ in range(repeats):
        before = time.perf_counter()
        placement = al.simulate(trace, allocator, events=events)
        rates.append(placement.events / (time.perf_counter() - before))
    return rates


def simulate(repeats: int) -> list[Row]:
    """A plain bump class, and the same compiled with Numba, on cc1plus."""
    rates = events_per_second(Bump(), repeats, INTERPRETED_EVENTS)
    rate = statistics.median(rates)
    rows = [
        Row(
            "simulating a plain bump class on cc1plus, checks included",
            ">= 300 k events/s",
            f"{rate / 1e3:,.0f} k events/s ({min(rates) / 1e3:,.0f} to {max(rates) / 1e3:,.0f})",
            rate >= 300e3,
        )
    ]
    try:
        compiled = al.njit_allocator(type("CompiledBump", (Bump,), {}))
    except al.NotInstalled as missing:
        return [*rows, Row("the same compiled with Numba", ">= 10 M events/s", str(missing), None)]
    rates = events_per_second(compiled(), repeats)
    rate = statistics.median(rates)
    rows.append(
        Row(
            "the same compiled with Numba, its compilation apart",
            ">= 10 M events/s",
            f"{rate / 1e6:.1f} M events/s ({min(rates) / 1e6:.1f} to {max(rates) / 1e6:.1f})",
            rate >= 10e6,
        )
    )
    return rows
