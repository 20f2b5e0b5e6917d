# SPDX-License-Identifier: MIT
"""Measures every figure the lab promises and writes them into docs/benchmarks.md.

    .venv/bin/python ci/benchmarks.py [--repeats 9] [--only NAME ...] [--json FILE]

All ratios are taken in one run, from interleaved repeats; a figure that misses what is asked of it
is written like the others. Needs the lab installed in this Python, its peers, and for the loops
google-benchmark. A part of the page is a function here or in a `benchmark_<part>.py` beside it, and
a line in `PARTS`. Takes half an hour on two cores; nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import alloclab as al
import benchmark_arena
import benchmark_combine
import benchmark_debug
import benchmark_leaves
import benchmark_live
import benchmark_parallel
import benchmark_plugin
import benchmark_pool
import benchmark_recorder
import benchmark_simulate
from benchmark_rows import PEERS, ROOT, SHIPPED, WORKLOADS, Row, child

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def driver(repeats: int) -> list[Row]:
    """What the replay's own driver costs: decoding, and the null replay."""
    rows = []
    for name in SHIPPED:
        trace = WORKLOADS / f"{name}.alloctrace"
        answers = [child(trace, "null_replay", "time") for _ in range(repeats)]
        rates = [each["events"] / each["decode_ns"] * 1e3 for each in answers]
        nulls = [each["cpu_ns"] / each["replayed_events"] for each in answers]
        rate, null = statistics.median(rates), statistics.median(nulls)
        rows.append(
            Row(
                f"decoding {name} for replay",
                ">= 100 M events/s",
                f"{rate:.0f} M events/s (best {max(rates):.0f})",
                rate >= 100,
            )
        )
        rows.append(
            Row(
                f"null replay of {name}",
                "<= 2.0 ns/event" if name == "cc1plus" else "",
                f"{null:.2f} ns/event (best {min(nulls):.2f})",
                null <= 2.0 if name == "cc1plus" else None,
            )
        )
    return rows


def comparisons(repeats: int) -> tuple[list[Row], str]:
    """Pool against the peers on the shipped recordings, and how near replays come."""
    rows, tables = [], []
    for name in SHIPPED:
        trace = al.open_trace(WORKLOADS / f"{name}.alloctrace")
        comparison = al.compare(trace, [*PEERS, al.Pool(), al.Arena()], repeats=repeats)
        tables.append(f"### {name}\n\n```text\n{comparison.table()}\n```\n")
        pool, mimalloc = comparison["pool"], comparison["mimalloc"]
        for metric, unit, scale in (
            ("ns_per_event", "ns/event", 1.0),
            ("peak_footprint_bytes", "MB", 1e6),
        ):
            ours, theirs = pool[metric] / scale, mimalloc[metric] / scale
            rows.append(
                Row(
                    f"Pool replaying {name}, {unit}",
                    "<= mimalloc",
                    f"{ours:.2f} against {theirs:.2f} ({ours / theirs:.2f}x)",
                    ours <= theirs,
                )
            )
        rows.extend(nearness(name, comparison.fidelity))
    return rows, "\n".join(tables)


def nearness(name: str, found: Any) -> list[Row]:
    """How near the replay under glibc comes to the recorded program itself."""
    if isinstance(found, al.NotMeasured):
        return [Row(f"fidelity, {name}", "within 5 % and 20 %", str(found), False)]
    rows = []
    for what, ratio, limit in (
        ("peak above data, bss and stack", found.peak_ratio, 0.05),
        ("anonymous page faults", found.faults_ratio, 0.20),
    ):
        if isinstance(ratio, al.NotMeasured):
            measured, is_met = f"not measured: {ratio.reason}", None
        else:
            measured, is_met = f"{ratio.value - 1:+.1%}", abs(ratio.value - 1) <= limit
        rows.append(Row(f"fidelity, {name}: {what}", f"within {limit:.0%}", measured, is_met))
    return rows


def render(rows: list[Row], details: list[str]) -> str:
    """Returns the measured part of the page."""
    machine = al.results.environment.fingerprint()
    known = ", ".join(f"{key} {value}" for key, value in machine.items() if isinstance(value, str))
    lines = [
        BEGIN,
        "",
        f"Measured on {time.strftime('%Y-%m-%d')}: {known or platform.platform()}.",
        "",
        "| what | must | measured | met |",
        "|---|---|---|---|",
        *(row.markdown() for row in rows),
        "",
        *details,
        END,
    ]
    return "\n".join(lines)


def write_page(rows: list[Row], details: list[str], missing: list[str]) -> None:
    """Writes the measured part of the page; after every part, so that a run that is stopped has
    what it measured, and says what it did not.
    """
    if missing:
        details = [f"Not measured in this run, which was stopped: {', '.join(missing)}.", *details]
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + render(rows, details) + after, encoding="utf-8")


PARTS: dict[str, Callable[[int], Any]] = {
    "pool": benchmark_pool.pool,
    "pool_replays": benchmark_pool.pool_replays,
    "arena": benchmark_arena.arena,
    "leaves": benchmark_leaves.leaves,
    "combine": benchmark_combine.combine,
    "debug": benchmark_debug.debug,
    "simulate": benchmark_simulate.simulate,
    "plugin": benchmark_plugin.plugin,
    "live": benchmark_live.live,
    "parallel": benchmark_parallel.parallel,
    "pool_programs": benchmark_pool.pool_programs,
    "comparisons": comparisons,
    "driver": driver,
    "recorder": benchmark_recorder.recorder,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--only", nargs="+", choices=PARTS, help="print these, write nothing")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rows: list[Row] = []
    details: list[str] = []
    done: list[str] = []
    for name in arguments.only or PARTS:
        found = PARTS[name](arguments.repeats)
        more, detail = found if isinstance(found, tuple) else (found, "")
        rows += more
        details += [detail] if detail else []
        for row in more:
            print(row.markdown(), flush=True)
        done.append(name)
        if not arguments.only:
            write_page(rows, details, [part for part in PARTS if part not in done])
    if arguments.json:
        arguments.json.write_text(json.dumps([vars(row) for row in rows], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
