# SPDX-License-Identifier: MIT
"""What recording costs, threads, bytes an event. Imported by benchmarks.py.

    python ci/benchmark_recorder.py [REPEATS]

prints the rows.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import alloclab as al
from alloclab.workloads.running import output_to
from benchmark_cores import LEAST_GAIN, Hammer
from benchmark_rows import Row
from recorder_overhead import Variant, compile_command, measure, of_sites, record_library

BIG = Path(__file__).resolve().parents[1] / "workloads" / "inputs" / "big.cpp"
PLUGIN = "scopes of the GCC plugin"
MOST_RATIOS = {
    "sites none": (1.06, 1.02),
    "sites caller": (1.10, 1.05),
    "sites stack:16": (1.7, 1.4),
    PLUGIN: (1.15, 1.08),
}
EDGE_INTERVAL = 1_000_000

ROUNDS = 4_000_000


def scaling(repeats: int, library: Path, folder: Path) -> list[dict[str, float]]:
    """Millions of events a second with one and with two threads, recorded and bare, in turns."""
    hammer = Hammer(folder)
    return [
        {
            "bare_one": hammer.rate(1, ROUNDS),
            "one": hammer.rate(1, ROUNDS, library),
            "two": hammer.rate(2, ROUNDS, library),
            "bare_two": hammer.rate(2, ROUNDS),
        }
        for _ in range(repeats)
    ]


def sealed(command: list[str], folder: Path, **switches: Any) -> tuple[Path, Any]:
    """Records a command once; returns its largest capture, and the trace it seals into."""
    captures = Path(tempfile.mkdtemp(dir=folder))
    with output_to(folder / "output.log"):
        al.record(command, output=captures, cwd=folder, seal=False, **switches)
    capture = max(captures.glob("*.capture"), key=lambda path: path.stat().st_size)
    return capture, al.captures.seal_file(capture, captures / "sealed.alloctrace")


def overhead(repeats: int, library: Path, folder: Path) -> list[Row]:
    """What each way of recording a compile adds to its user and system time."""
    command = compile_command(folder, BIG)
    variants = {f"sites {kind}": of_sites(kind) for kind in ("none", "caller", "stack:16")}
    variants[PLUGIN] = Variant(words=(f"-fplugin={al.gcc_plugin()}",))
    found = measure(command, library, max(repeats, 15), folder, variants)["variants"]
    rows = []
    for name, (most, aim) in MOST_RATIOS.items():
        ratios = found[name]["pair_ratios"]
        ratio = found[name]["median_pair_ratio"]
        rows.append(
            Row(
                f"recorder on cc1plus, {name}, user+sys",
                f"<= {most}x (aim {aim}x)",
                f"{ratio:.3f}x ({len(ratios)} pairs, {min(ratios):.3f} to {max(ratios):.3f})",
                ratio <= most,
            )
        )
    return rows


def edges(repeats: int, library: Path, folder: Path) -> list[Row]:
    """What searching clang's heap for references costs."""
    command = ["clang++-14", "-std=c++17", "-O2", "-c", str(BIG), "-o", str(folder / "x.o")]
    variants = {"edges": Variant(f"edges={EDGE_INTERVAL}\n")}
    found = measure(command, library, max(3, repeats // 2), folder, variants)
    ratio = found["variants"]["edges"]["median_user_ratio"]
    return [
        Row(
            f"recorder on clang, edges every {EDGE_INTERVAL:,} events, user time",
            "<= 4x (aim 2x)",
            f"{ratio:.2f}x",
            ratio <= 4,
        )
    ]


def sizes(folder: Path) -> list[Row]:
    """Bytes an event of captures and traces, and how fast the one becomes the other."""
    command = compile_command(folder, BIG)
    capture, trace = sealed(command, folder)
    _, stacks = sealed(command, folder, sites="stack:16")
    rates = []
    for _ in range(5):
        before = time.perf_counter()
        again = al.captures.seal_file(capture, folder / "again.alloctrace")
        rates.append(len(again) / (time.perf_counter() - before))
    small = al.captures.seal_file(capture, folder / "small.alloctrace", level=19)
    summary, rate = trace.summary(), statistics.median(rates)
    per_capture = capture.stat().st_size / len(trace)
    per_event = trace.path.stat().st_size / len(trace)
    per_small = small.path.stat().st_size / len(small)
    per_stack = stacks.path.stat().st_size / len(stacks)
    return [
        Row("capture, bytes an event", "<= 4.0 (aim 2.0)", f"{per_capture:.2f}", per_capture <= 4),
        Row(
            "sealed, bytes an event",
            "<= 0.45 (aim 0.25)",
            f"{per_event:.3f} (level {al.captures.DEFAULT_LEVEL}); {per_small:.3f} (level 19)",
            per_event <= 0.45,
        ),
        Row(
            "sealed with stack:16, bytes an event",
            "<= 1.2 (aim 0.8)",
            f"{per_stack:.3f} ({stacks.summary()['sites']:,} call stacks)",
            per_stack <= 1.2,
        ),
        Row(
            "unknown frees, cc1plus",
            "0",
            f"{summary['unknown_frees']:,} of {summary['frees']:,}",
            summary["unknown_frees"] == 0,
        ),
        Row("sealing", ">= 10 M events/s", f"{rate / 1e6:.1f} M events/s", rate >= 10e6),
    ]


def scaling_row(rounds: list[dict[str, float]]) -> Row:
    """Counts the rounds in which a second core was free: where two bare threads found one."""
    what, must = "two threads recorded, of one", ">= 1.7x (aim 1.9x)"
    free = [each for each in rounds if each["bare_two"] >= LEAST_GAIN * each["bare_one"]]
    if not free:
        return Row(what, must, f"not measured: no free core in {len(rounds)} rounds", None)
    gain = statistics.median(each["two"] / each["one"] for each in free)
    rates = [statistics.median(each[name] for each in free) for name in ("one", "two")]
    measured = (
        f"{gain:.2f}x ({rates[0]:.0f} and {rates[1]:.0f} M events/s; "
        f"{len(free)} of {len(rounds)} rounds had a free core)"
    )
    return Row(what, must, measured, gain >= 1.7)


def recorder(repeats: int) -> list[Row]:
    """What recording costs a program, and what it leaves behind."""
    library = record_library(None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [
            *overhead(repeats, library, folder),
            *edges(repeats, library, folder),
            *sizes(folder),
            scaling_row(scaling(2 * max(repeats, 5), library, folder)),
        ]


if __name__ == "__main__":
    for row in recorder(int(sys.argv[1]) if len(sys.argv) > 1 else 7):
        print(row.markdown())
