# SPDX-License-Identifier: MIT
"""What the debugging blocks cost, one by one and all together, templated and through malloc."""

from __future__ import annotations

from alloclab import _native
from benchmark_rows import Row, loop_times

LAYERS = {"Guarded": "Guard", "Quarantined": "Quarantine", "Traced": "Trace"}
STACK_LIMITS_NS = {"bulk": 10, "churn": 35}


def debug(repeats: int) -> list[Row]:
    """The full stack's bounds are in nanoseconds: the bump beside them says how fast it was."""
    names = "|".join((*LAYERS, "DebugStack", "Pool<>", "InlineBump"))
    times = loop_times(rf"^(bulk|churn)<({names}), MixedSizes>", repeats)
    environment = {"LD_PRELOAD": str(_native.malloc_library()), "ALLOCLAB_MALLOC": "debug"}
    through = loop_times(r"^(bulk|churn)<ProcessMalloc, MixedSizes>", repeats, environment)
    bump = times["bulk<InlineBump, MixedSizes>"] / 1000
    rows = []
    for loop, limit in STACK_LIMITS_NS.items():
        pool = times[f"{loop}<Pool<>, MixedSizes>"] / 1000
        for layer, title in LAYERS.items():
            own = times[f"{loop}<{layer}, MixedSizes>"] / 1000
            rows.append(Row(f"{title} over Pool, {loop}", "", f"+{own - pool:.1f} ns a pair", None))
        for path, found in (
            ("templated", times[f"{loop}<DebugStack, MixedSizes>"]),
            ("through malloc", through[f"{loop}<ProcessMalloc, MixedSizes>"]),
        ):
            measured = found / 1000
            rows.append(
                Row(
                    f"debug stack, {path}, {loop}",
                    f"<= {limit} ns a pair",
                    f"{measured:.1f} ns (an inline bump {bump:.2f})",
                    measured <= limit,
                )
            )
    return rows
