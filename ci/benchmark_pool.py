# SPDX-License-Identifier: MIT
"""The pool's rows: its loops, two threads, what it gives back, replays and real programs under it.

Mallocs built elsewhere take part in the replays where `ALLOCLAB_BENCH_LIBRARIES` names them:
`name=/path/to/library.so`, several separated by spaces.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from typing import Any

import alloclab as al
from alloclab.workloads.program import bare_seconds, preloading, recorded_peak
from alloclab.workloads.running import prepared
from benchmark_rows import PEERS, SHIPPED, WORKLOADS, Row, build_target, loop_times

POOL = al.Pool()
LIBRARIES = "ALLOCLAB_BENCH_LIBRARIES"
OTHERS = ("mimalloc3", "snmalloc", "rpmalloc")  # what the page wants to see beside the pool
PROGRAMS = ("cc1plus", "clang", "freeciv")
MALLOCS = (*PEERS, POOL)


def pool(repeats: int) -> list[Row]:
    """The pool in loops, under threads, after a peak, and its size classes."""
    return [*in_loops(repeats), *in_threads(repeats), after_a_peak(), *spacings()]


def in_loops(repeats: int) -> list[Row]:
    """Against a ten-line bump, and once blocks are scattered against mimalloc."""
    times = loop_times("^bulk<(InlineBump|Pool<>)", repeats)
    rows = []
    for sizes in ("MixedSizes", "EqualSizes"):
        ratio = times[f"bulk<Pool<>, {sizes}>"] / times[f"bulk<InlineBump, {sizes}>"]
        rows.append(
            Row(
                f"Pool, sized free, templated, bulk, {sizes}",
                "<= 2.2x an inline bump (aim 2.0x)",
                f"{ratio:.2f}x",
                ratio <= 2.2,
            )
        )
    found: dict[str, list[float]] = {"templated": [], "preloaded": [], "mimalloc": []}
    for _ in range(repeats):  # in turns, so that each sees the same machine
        found["templated"] += loop_times("^random_free<Pool", 2).values()
        for name, malloc in (("preloaded", POOL), ("mimalloc", al.Mimalloc())):
            found[name] += loop_times("^random_free<Process", 2, preloading(malloc)).values()
    peer = statistics.median(found["mimalloc"])
    for name, must in (("templated", "<= 1.2x mimalloc (aim 1.0x)"), ("preloaded", "")):
        ratio = statistics.median(found[name]) / peer
        rows.append(
            Row(
                f"Pool, {name}: 200,000 blocks of 64 bytes freed at random and allocated again",
                must,
                f"{ratio:.2f}x",
                ratio <= 1.2 if must else None,
            )
        )
    return rows


def program(target: str, malloc: al.Allocator, *words: str) -> dict[str, Any]:
    """Runs a program of the benchmarks under a malloc; returns its answer."""
    build = build_target(target)
    answer = subprocess.run(
        [str(build / "cpp" / "bench" / target), *words],
        check=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"], **preloading(malloc)},
    )
    return dict(json.loads(answer.stdout))


def in_threads(repeats: int) -> list[Row]:
    """Two threads that share blocks, against mimalloc; and whether memory grows with time."""
    rows = []
    for shape in ("larson", "remote", "pipe"):
        answers: dict[str, list[dict[str, Any]]] = {}
        for _ in range(repeats):
            for malloc in (POOL, al.Mimalloc()):
                answers.setdefault(str(malloc), []).append(
                    program("alloclab_malloc_threads", malloc, shape)
                )
        walls = {
            name: statistics.median(each["wall_ns"] for each in found)
            for name, found in answers.items()
        }
        peaks = {
            name: max(each["peak_rss_kib"] for each in found) for name, found in answers.items()
        }
        rounds = answers["pool"][0]["rounds"] * 8
        longer = program("alloclab_malloc_threads", POOL, shape, str(rounds))["peak_rss_kib"]
        ratio = walls["pool"] / walls["mimalloc"]
        rows.append(
            Row(
                f"two threads, {shape}",
                "<= 1.1x mimalloc (aim 0.9x), peak not growing with time",
                f"{ratio:.2f}x; peak {peaks['pool']} KiB (mimalloc {peaks['mimalloc']}), "
                f"eight times as long {longer}",
                ratio <= 1.1 and longer <= peaks["pool"] * 1.25,
            )
        )
    return rows


def after_a_peak() -> Row:
    """What has gone back a second after a peak of 256 MiB, by the real clock."""
    shares = {}
    for malloc in MALLOCS:
        answer = program("alloclab_malloc_decay", malloc)
        given = answer["peak_kib"] - answer["after_kib"]
        shares[str(malloc)] = given / (answer["peak_kib"] - answer["before_kib"])
    others = ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if name != "pool")
    return Row(
        "given back within a second of calls after a peak of 256 MiB",
        ">= 90 %",
        f"{shares['pool']:.1%} ({others})",
        shares["pool"] >= 0.9,
    )


def spacings() -> list[Row]:
    """What a recording loses inside blocks, and takes, by the spacing of classes (row S51)."""
    rows = []
    for name in SHIPPED:
        found = []
        for per_doubling in (1, 2, 4, 8, 16):
            spec = al.Pool(classes_per_doubling=per_doubling)
            run = al.replay(WORKLOADS / f"{name}.alloctrace", spec, measure=("timeline", "blocks"))
            inside, peak = run["internal_fragmentation_ratio"], run["peak_footprint_bytes"]
            found.append(f"{per_doubling}: {inside:.1%}, {peak / 1e6:.2f} MB")
        what = f"pool replaying {name}: lost inside blocks, peak footprint, by classes a doubling"
        rows.append(Row(what, "", "; ".join(found), None))
    return rows


def others() -> dict[str, al.Allocator]:
    """Returns the mallocs built elsewhere, by name."""
    named = (word.partition("=") for word in os.environ.get(LIBRARIES, "").split())
    return {name: al.Preload(path) for name, _, path in named}


def pool_replays(repeats: int) -> list[Row]:
    """The pool as a malloc on every shipped recording, against the best of its peers."""
    rows = []
    extra = others()
    for name in SHIPPED:
        trace = al.open_trace(WORKLOADS / f"{name}.alloctrace")
        mallocs = [*PEERS, POOL, *extra.values()]
        comparison = al.compare(trace, mallocs, repeats=repeats)
        ours, glibc = comparison["pool"], comparison["glibc"]
        peers = [comparison[str(each)] for each in PEERS if each != al.Glibc()]
        best_ns = min(each["ns_per_event"] for each in peers)
        best_peak = min(each["peak_footprint_bytes"] for each in peers)
        ns, peak = ours["ns_per_event"], ours["peak_footprint_bytes"]
        to_glibc = peak / glibc["peak_footprint_bytes"]
        rows += [
            Row(
                f"malloc of the pool replaying {name}, ns/event",
                "<= 0.97x the best of three (aim 0.85x)",
                f"{ns:.2f} against {best_ns:.2f} ({ns / best_ns:.2f}x)",
                ns <= 0.97 * best_ns,
            ),
            Row(
                f"malloc of the pool replaying {name}, peak footprint",
                "<= the smallest of three, <= 1.07x glibc (aim 1.0x)",
                f"{peak / 1e6:.2f} MB against {best_peak / 1e6:.2f}; {to_glibc:.3f}x glibc",
                peak <= best_peak and to_glibc <= 1.07,
            ),
        ]
        for other in dict.fromkeys([*OTHERS, *extra]):
            what = f"malloc of the pool replaying {name}, against {other}"
            malloc = extra.get(other)
            if malloc is None:
                rows.append(Row(what, "no slower", f"not measured: not in {LIBRARIES}", None))
                continue
            theirs = comparison[str(malloc)]["ns_per_event"]
            measured = f"{ns:.2f} against {theirs:.2f} ({ns / theirs:.2f}x)"
            rows.append(Row(what, "no slower", measured, ns <= theirs))
    return rows


def run_program(name: str, malloc: al.Allocator) -> float:
    """Runs a workload under a malloc; returns its CPU seconds, children included."""
    with prepared(al.workload(name, WORKLOADS)) as job:
        return bare_seconds(job, preloading(malloc))


def peak_of_program(name: str, malloc: al.Allocator) -> float:
    """Runs a workload under a malloc, recorded; returns its peak anonymous bytes."""
    with prepared(al.workload(name, WORKLOADS)) as job:
        return recorded_peak(job, preloading(malloc))


def pool_programs(repeats: int) -> list[Row]:
    """CPU seconds and peak memory of whole programs under each malloc, interleaved."""
    rows = []
    for name in PROGRAMS:
        seconds: dict[str, list[float]] = {}
        for _ in range(repeats):
            for malloc in MALLOCS:
                seconds.setdefault(str(malloc), []).append(run_program(name, malloc))
        peaks = {str(malloc): peak_of_program(name, malloc) for malloc in MALLOCS}
        medians = {malloc: statistics.median(found) for malloc, found in seconds.items()}
        for what, found, unit, scale in (
            ("CPU seconds", medians, "s", 1.0),
            ("peak anonymous memory", peaks, "MB", 1e6),
        ):
            rest = {malloc: value for malloc, value in found.items() if malloc != "pool"}
            best = min(rest, key=lambda malloc: rest[malloc])
            listed = ", ".join(f"{malloc} {value / scale:.2f}" for malloc, value in rest.items())
            rows.append(
                Row(
                    f"{name} under the pool, {what}",
                    "no worse than under any of four",
                    f"{found['pool'] / scale:.2f} {unit} ({listed})",
                    found["pool"] <= rest[best],
                )
            )
    return rows
