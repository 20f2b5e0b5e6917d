# SPDX-License-Identifier: MIT
"""The leaf allocators: speed in loops, memory, locality, and what recordings cost under them."""

from __future__ import annotations

import json
import os
import subprocess

import alloclab as al
from benchmark_rows import PEERS, SHIPPED, WORKLOADS, Row, build_target, child, loop_times

BATCH_BLOCKS, SCATTERED_BLOCKS, LITTERED_NODES = 1000, 180_000, 60_000


def leaves(repeats: int) -> tuple[list[Row], str]:
    """Every figure of the leaves, and a table of replays."""
    rows = [
        *_speed(repeats),
        *_after_random_frees(repeats),
        *_memory(),
        *_mapping_each(),
        *_workers(repeats),
    ]
    return rows, _replays(min(repeats, 3))


def _speed(repeats: int) -> list[Row]:
    """Pairs of calls in loops against an inline bump (rows W10, S34)."""
    pattern = "^(bulk|churn)<(InlineBump|Tlsf|Buddy|Slab|Platform|Freelist|ErasedFree|PageAlloc)"
    times = loop_times(pattern, repeats)
    rows = []
    for allocator, sizes, loop, limit in (
        ("Freelist<>", "EqualSizes", "bulk", 2.2),
        ("Freelist<>", "EqualSizes", "churn", None),
        ("ErasedFreelist", "EqualSizes", "bulk", 4.0),
        ("ErasedFreelist", "EqualSizes", "churn", None),
        ("Slab<>", "EqualSizes", "bulk", None),
        ("Slab<>", "EqualSizes", "churn", None),
        ("Tlsf<>", "MixedSizes", "bulk", 21.0),
        ("Tlsf<>", "MixedSizes", "churn", 21.0),
        ("Buddy<>", "MixedSizes", "bulk", None),
        ("Buddy<>", "MixedSizes", "churn", None),
        ("Platform", "MixedSizes", "bulk", None),
        ("PageAllocator<>", "MixedSizes", "bulk", None),
    ):
        ns = times[f"{loop}<{allocator}, {sizes}>"]
        ratio = ns / times[f"bulk<InlineBump, {sizes}>"]
        aim = " (aim 2.0x)" if limit == 2.2 else ""
        rows.append(
            Row(
                f"{_label(allocator)}, {loop}, {sizes}",
                "" if limit is None else f"<= {limit}x an inline bump{aim}",
                f"{ratio:.2f}x ({ns / BATCH_BLOCKS:.1f} ns a pair)",
                None if limit is None else ratio <= limit,
            )
        )
    return rows


def _after_random_frees(repeats: int) -> list[Row]:
    own = loop_times("^(scattered|littered)<(Tlsf|Buddy|Slab|Freelist|Pool|Arena)", repeats)
    rows = []
    mimalloc = _preloaded(al.Mimalloc(), "^scattered<ProcessMalloc", repeats)
    theirs = mimalloc["scattered<ProcessMalloc, EqualSizes>"] / SCATTERED_BLOCKS
    for allocator in ("Freelist<>", "Slab<>", "Tlsf<>"):
        ns = own[f"scattered<{allocator}, EqualSizes>"] / SCATTERED_BLOCKS
        is_bound = allocator == "Freelist<>"
        rows.append(
            Row(
                f"{_label(allocator)}, 90 % of 200 k blocks freed at random, as many allocated",
                "< 4x mimalloc" if is_bound else "",
                f"{ns:.1f} ns a pair against {theirs:.1f} ({ns / theirs:.2f}x)",
                ns < 4 * theirs if is_bound else None,
            )
        )
    found = {_label(name): ns for name, ns in own.items() if name.startswith("littered")}
    for peer in PEERS:
        times = _preloaded(peer, "^littered<ProcessMalloc", repeats)
        found[peer.name] = times["littered<ProcessMalloc, MixedSizes>"]
    text = ", ".join(
        f"{name} {ns / LITTERED_NODES:.1f}"
        for name, ns in sorted(found.items(), key=lambda item: item[1])
    )
    rows.append(Row("walking 60 k nodes after 600 k blocks, 90 % freed: ns a node", "", text, None))
    return rows


def _memory() -> list[Row]:
    found = {
        _label(name): _resident_ratio(name, {})
        for name in (
            "resident<Tlsf<>, MixedSizes>",
            "resident<Buddy<>, MixedSizes>",
            "resident<Pool<>, MixedSizes>",
            "resident<Slab<>, EqualSizes>",
        )
    }
    for peer in PEERS:
        found[peer.name] = _resident_ratio("resident<ProcessMalloc, MixedSizes>", _preload(peer))
    text = ", ".join(
        f"{name} {ratio:.3f}" for name, ratio in sorted(found.items(), key=lambda item: item[1])
    )
    return [Row("500 k blocks of 16 to 256 bytes: resident over requested", "", text, None)]


def _label(name: str) -> str:
    """`littered<Slab<>, EqualSizes>` as "Slab, equal sizes"; `Slab<>` as "Slab"."""
    inner = name.partition("<")[2].removesuffix(">") if ", " in name else name
    allocator, _, sizes = inner.partition(", ")
    allocator = allocator.removesuffix("<>").replace("ErasedFreelist", "Freelist, type-erased")
    return f"{allocator} (64 bytes)" if sizes == "EqualSizes" else allocator


def _preload(peer: al.Allocator) -> dict[str, str]:
    launch = peer.launch()
    return {"LD_PRELOAD": ":".join(str(path) for path in launch.preload)} if launch.preload else {}


def _preloaded(peer: al.Allocator, pattern: str, repeats: int) -> dict[str, float]:
    return loop_times(pattern, repeats, _preload(peer))


def _resident_ratio(name: str, environment: dict[str, str]) -> float:
    """Runs one loop in a process of its own; returns the counter it keeps."""
    build = build_target("alloclab_bench")
    answer = subprocess.run(
        [
            str(build / "cpp" / "bench" / "alloclab_bench"),
            f"--benchmark_filter=^{name}",
            "--benchmark_format=json",
        ],
        check=True,
        capture_output=True,
        env={**os.environ, **environment},
    )
    return float(json.loads(answer.stdout)["benchmarks"][0]["resident_ratio"])


def _mapping_each() -> list[Row]:
    """The baseline of a mapping for every allocation, on a recording."""
    trace = WORKLOADS / "freeciv.alloctrace"
    ns = {
        heap: answer["cpu_ns"] / answer["replayed_events"]
        for heap in ("page_allocator", "pool")
        for answer in [child(trace, heap, "time")]
    }
    measured = f"{ns['page_allocator']:.0f} ns/event, pool {ns['pool']:.0f}"
    return [Row("a mapping for every allocation, replaying freeciv", "", measured, None)]


def _workers(repeats: int) -> list[Row]:
    """What durable and temporary blocks cost under pairs of allocators, and what sharing does."""
    room = {"GLIBC_TUNABLES": al.JemallocArena().part_environment()["GLIBC_TUNABLES"]}
    tasks = loop_times("^worker_tasks", repeats, room)
    threads = loop_times("^(shared|own_)", repeats)
    pairs = {
        name.removeprefix("worker_tasks<").removesuffix(">").replace("<>", ""): ns / 1e3
        for name, ns in tasks.items()
    }
    each = ", ".join(f"({pair}) {us:.2f}" for pair, us in pairs.items())
    found = []
    for label, name in (
        ("one locked Tlsf", "shared<Locked<Tlsf<>>>"),
        ("a Tlsf each", "own_tlsf"),
        ("an arena each", "own_arena"),
    ):
        one, two = (threads[f"{name}/threads:{count}"] / BATCH_BLOCKS for count in (1, 2))
        found.append(f"{label} {one:.1f} to {two:.1f}")
    return [
        Row("a task of 200 blocks, 10 kept, (durable, temporary): us", "", each, None),
        Row("one thread to two, CPU ns a pair", "", ", ".join(found), None),
    ]


def _replays(repeats: int) -> str:
    """Whole recordings under the leaves that take any size."""
    leaf_specs = [al.Tlsf(), al.Buddy(), al.Platform(), al.JemallocArena(), al.MimallocHeap()]
    tables = []
    for name in SHIPPED:
        trace = al.open_trace(WORKLOADS / f"{name}.alloctrace")
        comparison = al.compare(trace, [al.Glibc(), al.Pool(), *leaf_specs], repeats=repeats)
        tables.append(f"### {name} under the leaves\n\n```text\n{comparison.table()}\n```\n")
    return "\n".join(tables)
