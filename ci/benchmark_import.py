# SPDX-License-Identifier: MIT
"""How fast foreign traces are read, and whether every call arrives."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import alloclab as al
from benchmark_rows import WORKLOADS, Row

LEAST_RATE = 2e6  # events a second, wall time
RECORDINGS = ("freeciv", "rustc")
FILES = {"android": "x.android.txt", "heaptrack": "x.heaptrack.gz"}


def imports(repeats: int) -> list[Row]:
    """Shipped recordings written as a foreign format and read again, whole calls timed."""
    rows = []
    for name in RECORDINGS:
        trace = al.workload(name, WORKLOADS).open()
        for form, file in FILES.items():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / file
                al.export_trace(trace, path, format=form)
                rows.append(_timed(trace, form, path, repeats))
    return rows


def _timed(trace: al.Trace, form: str, path: Path, repeats: int) -> Row:
    seconds, summary = [], trace.summary()
    for number in range(repeats):
        output = path.with_name(f"{number}.alloctrace")
        before = time.perf_counter()
        found = al.import_trace(path, output, format=form).summary()
        seconds.append(time.perf_counter() - before)
    # heaptrack tells a reallocation as a free and an allocation.
    moved = summary["reallocations"] if form == "heaptrack" else 0
    is_exact = (
        found["allocations"] == summary["allocations"] + moved
        and found["frees"] == summary["frees"] + moved
        and found["reallocations"] == summary["reallocations"] - moved
    )
    rate = found["events"] / statistics.median(seconds)
    return Row(
        f"importing {trace.name} as {form}, {found['events']:,} events",
        ">= 2 M events/s, counts exact",
        f"{rate / 1e6:.1f} M events/s (best {found['events'] / min(seconds) / 1e6:.1f}), counts "
        + ("exact" if is_exact else "differ"),
        rate >= LEAST_RATE and is_exact,
    )
