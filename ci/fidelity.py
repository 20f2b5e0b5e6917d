# SPDX-License-Identifier: MIT
"""Runs the real programs under each malloc and sets what changes beside what replay says changes.

    .venv/bin/python ci/fidelity.py [--repeats 3] [--json FILE] [NAME ...]

For each shipped workload and each installed malloc, the program itself is run (recorded, with that
malloc preloaded) and its peak anonymous memory taken from its own samples; beside it stands the
replay of the shipped recording under the same malloc, the program's own mappings included. What
must agree is the difference to glibc: within 5 % of the program's peak.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import alloclab as al
from alloclab.allocators.peers import Peer
from alloclab.units import format_bytes
from record_workloads import WORKLOADS, prepare_workload, without_output

MALLOCS = (al.Glibc(), al.Jemalloc(), al.Mimalloc(), al.Tcmalloc())
LIMIT = 0.05


def real_peak(name: str, malloc: al.Allocator) -> float:
    """Runs a workload under a malloc; returns its peak anonymous bytes."""
    with tempfile.TemporaryDirectory(prefix="fidelity-") as folder:
        job = prepare_workload(name, Path(folder))
        if isinstance(malloc, Peer):
            job.environment["LD_PRELOAD"] = str(malloc.library())
        with without_output():
            capture = al.record(
                job.command, output=Path(folder) / "traces", cwd=job.scratch, env=job.environment
            )
        if capture.returncode != 0:
            raise SystemExit(f"{name} under {malloc} ended with {capture.returncode}")
        return float(capture[job.image].footprint()["anonymous_bytes"].max())


def replayed_peak(name: str, malloc: al.Allocator) -> float:
    """Replays the shipped recording under a malloc, with the program's own mappings."""
    run = al.replay(WORKLOADS / f"{name}.alloctrace", malloc, mapped=True)
    return float(run["peak_footprint_bytes"])


def judge(name: str, repeats: int) -> list[dict[str, Any]]:
    """Returns one row a malloc: real and replayed peaks, and how far their differences are off."""
    real: dict[str, list[float]] = {}
    replayed: dict[str, float] = {}
    for repeat in range(repeats):
        for malloc in MALLOCS:
            print(f"{name} under {malloc}, run {repeat + 1} of {repeats}", file=sys.stderr)
            real.setdefault(str(malloc), []).append(real_peak(name, malloc))
    for malloc in MALLOCS:
        replayed[str(malloc)] = replayed_peak(name, malloc)
    base = str(MALLOCS[0])
    base_peak = statistics.median(real[base])
    rows = []
    for malloc in map(str, MALLOCS):
        peak = statistics.median(real[malloc])
        real_difference = peak - base_peak
        replayed_difference = replayed[malloc] - replayed[base]
        rows.append(
            {
                "workload": name,
                "allocator": malloc,
                "real_peak_anonymous_bytes": peak,
                "replayed_peak_footprint_bytes": replayed[malloc],
                "real_difference_bytes": real_difference,
                "replayed_difference_bytes": replayed_difference,
                "off_ratio": (replayed_difference - real_difference) / base_peak,
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Returns the rows as a Markdown table."""
    lines = [
        "| workload | malloc | program's peak | to glibc | replay's peak | to glibc "
        "| apart, of the peak |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['workload']} | {row['allocator']} "
            f"| {format_bytes(row['real_peak_anonymous_bytes'])} "
            f"| {row['real_difference_bytes'] / 1e6:+.2f} MB "
            f"| {format_bytes(row['replayed_peak_footprint_bytes'])} "
            f"| {row['replayed_difference_bytes'] / 1e6:+.2f} MB | {row['off_ratio']:+.1%} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["freeciv", "clang"], metavar="NAME")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rows = [row for name in arguments.names for row in judge(name, arguments.repeats)]
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0 if all(abs(row["off_ratio"]) <= LIMIT for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
