# SPDX-License-Identifier: MIT
"""What parallel order gives and keeps: speed, footprint, whole blocks. Imported by benchmarks.py.

    python ci/benchmark_parallel.py [REPEATS [TRACE...]]

prints the rows for programs of tests/programs it records first, and for the traces named.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import alloclab as al
from alloclab.errors import NotMeasured
from alloclab.record import record
from benchmark_cores import Hammer
from benchmark_rows import ROOT, Row

CHECKED_RUNS = 50
LEAST_SPEED_UP = 1.5
MOST_FOOTPRINT_OFF = 0.1
# Below this a trace's own order leaves nothing to gain on two processors.
PARALLEL_TRACE = 1.9
MOST_ROUNDS = 4  # of pairs for each that is asked for, where a second core seldom is free
RUSTC = Path("/usr/bin/rustc")  # Debian's: that of rustup brings an allocator of its own
# Threads, rounds, and every how many a block goes to another thread.
PROGRAMS = {
    "2 threads that seldom share": ("2", "1000000", "10000"),
    "8 threads that seldom share": ("8", "200000", "1000"),
    "8 threads that share often": ("8", "200000", "16"),
}


def record_programs(folder: Path) -> dict[str, Path]:
    """Records tests/programs/exchange.c, and rustc where Debian's is installed; returns traces."""
    program = folder / "exchange"
    source = ROOT / "tests" / "programs" / "exchange.c"
    subprocess.run(["cc", "-O1", "-pthread", str(source), "-o", str(program)], check=True)
    traces = {}
    for name, arguments in PROGRAMS.items():
        recording = record([str(program), *arguments], output=folder / name.replace(" ", "-"))
        traces[name] = Path(recording.traces[0].path)
    if RUSTC.exists():
        source = ROOT / "workloads" / "inputs" / "hello.rs"
        command = [str(RUSTC), "-O", str(source), "-C", "linker=gcc", "-o", str(folder / "hello")]
        recording = record(command, output=folder / "rustc")
        traces["rustc"] = Path(recording.largest().path)
    return traces


@dataclass
class Pair:
    """A replay in exact order and one in parallel order, one after the other."""

    ratio: float  # of their wall times
    parallel: al.Run
    has_free_core: bool  # before and after


def take_pairs(trace: Path, repeats: int, hammer: Hammer) -> list[Pair]:
    """Takes so many pairs, and more of them until so many found a free core, within reason."""
    pairs: list[Pair] = []
    free = hammer.finds_free_core()
    while len(pairs) < MOST_ROUNDS * repeats and sum(p.has_free_core for p in pairs) < repeats:
        exact = al.replay(trace, al.Glibc(), measure="time")
        parallel = al.replay(trace, al.Glibc(), measure="time", order="parallel")
        ratio = exact.answers["time"][0]["wall_ns"] / parallel.answers["time"][0]["wall_ns"]
        was_free, free = free, hammer.finds_free_core()
        pairs.append(Pair(ratio, parallel, was_free and free))
    return pairs


def speed(name: str, trace: Path, repeats: int, hammer: Hammer) -> Row:
    """Wall time of exact over that of parallel order under glibc, while two cores are there."""
    pairs = take_pairs(trace, repeats, hammer)
    free = [pair for pair in pairs if pair.has_free_core]
    counted = free or pairs
    ratios = [pair.ratio for pair in counted]
    medians = {
        metric: statistics.median(float(pair.parallel[metric]) for pair in counted)
        for metric in ("wall_ns_per_event", "null_wall_ns_per_event", "busy_processors")
    }
    ratio = statistics.median(ratios)
    parallelism = float(pairs[0].parallel["trace_parallelism"])
    is_parallel = parallelism >= PARALLEL_TRACE
    measured = (
        f"{ratio:.2f}x ({min(ratios):.2f} to {max(ratios):.2f}; {len(free)} of {len(pairs)} pairs "
        f"had a free core); {medians['wall_ns_per_event']:.1f} ns/event, the null's "
        f"{medians['null_wall_ns_per_event']:.1f}; {medians['busy_processors']:.1f} processors "
        f"busy, trace {parallelism:.1f}; {pairs[-1].parallel['allocator_sleeps']:,.0f} sleeps in "
        "glibc"
    )
    return Row(
        f"parallel over exact order, wall time: {name}",
        f">= {LEAST_SPEED_UP}x (aim 1.8x)" if is_parallel else "",
        measured,
        ratio >= LEAST_SPEED_UP if is_parallel else None,
    )


def footprint(name: str, trace: Path) -> Row:
    """Peak footprint under glibc in parallel order against the recorded program's own."""
    shares = {}
    for order in ("parallel", "exact"):
        comparison = al.compare(trace, [al.Glibc()], repeats=1, order=order, progress=False)
        share = None if isinstance(comparison.fidelity, NotMeasured) else comparison.fidelity
        ratio = None if share is None else share.peak_ratio
        shares[order] = None if ratio is None or isinstance(ratio, NotMeasured) else ratio.value
    found = shares["parallel"]
    written = {order: "n/m" if each is None else f"{each:.3f}" for order, each in shares.items()}
    return Row(
        f"peak footprint over the program's own: {name}",
        f"within {MOST_FOOTPRINT_OFF:.0%}",
        f"{written['parallel']}; exact order {written['exact']}",
        found is not None and abs(found - 1) <= MOST_FOOTPRINT_OFF,
    )


def checked(name: str, trace: Path) -> Row:
    """Replays with stamped blocks, again and again: none may hang or find a damaged block."""
    damaged = 0
    for _ in range(CHECKED_RUNS):
        run = al.replay(trace, al.Glibc(), measure="check", order="parallel", timeout=300)
        damaged += int(run["damaged_blocks"])
    measured = f"{damaged} damaged blocks in {CHECKED_RUNS} runs, none hung"
    return Row(f"checked replays in parallel order: {name}", "0", measured, damaged == 0)


def parallel(repeats: int, traces: tuple[Path, ...] = ()) -> list[Row]:
    """Every row, of the test programs and of further traces."""
    with tempfile.TemporaryDirectory(prefix="alloclab-parallel-") as folder:
        named = record_programs(Path(folder)) | {each.stem: each for each in traces}
        rows = []
        hammer = Hammer(Path(folder))
        for name, trace in named.items():
            rows += [speed(name, trace, repeats, hammer), footprint(name, trace)]
            rows.append(checked(name, trace))
        return rows


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for row in parallel(count, tuple(Path(each) for each in sys.argv[2:])):
        print(row.markdown())
