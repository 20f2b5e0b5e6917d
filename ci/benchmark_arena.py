# SPDX-License-Identifier: MIT
"""The arena against a ten-line inline bump, and what ending a scope costs."""

from __future__ import annotations

from benchmark_rows import Row, loop_times

PLAIN = "PlainArena"  # its frees are nothing at all, as the bump's are


def arena(repeats: int) -> list[Row]:
    """The templated path in loops, all repeats interleaved in one process."""
    times = loop_times(
        "^(bulk|fill)<(InlineBump|Arena<>|PlainArena),|^end_|_scope|^traverse", repeats
    )
    rows = []
    for loop in ("bulk", "fill"):
        for name, what in (("Arena<>", "Arena"), (PLAIN, "Arena without reclaim")):
            for sizes in ("MixedSizes", "EqualSizes"):
                key = f"{loop}<{name}, {sizes}>"
                if key not in times:
                    continue
                bump_ns = times[f"{loop}<InlineBump, {sizes}>"]
                ratio = times[key] / bump_ns
                rows.append(
                    Row(
                        f"{what}, templated, {loop}, {sizes}",
                        "<= 1.15x an inline bump (aim 1.05)",
                        f"{ratio:.2f}x ({times[key] / 1000:.2f} ns a pair)",
                        ratio <= 1.15,
                    )
                )
    one_by_one, at_once = (
        times["end_one_by_one/iterations:2000"],
        times["end_at_once/iterations:2000"],
    )
    rows += [
        Row("entering and leaving an empty scope", "", f"{times['empty_scope']:.1f} ns", None),
        Row(
            "ending 1,000 blocks: one by one in Pool, against one reset",
            "",
            f"{one_by_one:.0f} ns against {at_once:.0f} ns",
            None,
        ),
    ]
    for chunks in (1, 16, 256):
        ns = times[f"end_of_scope/{chunks}/iterations:2000"]
        rows.append(Row(f"ending a scope of {chunks} chunks of 64 KiB", "", f"{ns:.0f} ns", None))
    for name in ("Arena<>", "Pool<>", "ProcessMalloc"):
        ns = times[f"traverse<{name}>"] / 200_000
        rows.append(Row(f"following a littered list, {name}", "", f"{ns:.2f} ns a node", None))
    return rows
