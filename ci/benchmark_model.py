# SPDX-License-Identifier: MIT
"""How near the size-lifetime model of each shipped recording comes to it, with two seeds."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import alloclab as al
from alloclab import synthetic
from benchmark_rows import ROOT, Row

SEEDS = (1, 2)
HEADER = """\
| recording | events | seed | peak requested | sizes | lifetimes | never freed | footprint, glibc \
| misses | JSON | fit | generated |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def judge(path: Path, scratch: Path) -> tuple[list[Row], list[str]]:
    """Fits a model to one recording; returns a row and the lines of the table, a seed each."""
    trace = al.open_trace(path)
    before = time.perf_counter()
    text = al.model(trace).to_json()
    fit_s = time.perf_counter() - before
    model = al.Model.from_json(text)
    lines, misses, worst = [], [], []
    for seed in SEEDS:
        before = time.perf_counter()
        generated = model.generate(None, seed, scratch / "generated.alloctrace")
        generate_s = time.perf_counter() - before
        found = synthetic.likeness(generated, trace)
        misses += [f"{miss} (seed {seed})" for miss in found.misses]
        footprint = found.footprint_ratio
        off = str(footprint) if isinstance(footprint, al.NotMeasured) else f"{footprint - 1:+.1%}"
        worst.append(
            f"peak {found.peak_ratio - 1:+.1%}, sizes {found.size_distance:.3f}, lifetimes "
            f"{found.lifetime_distance:.3f}, footprint {off}"
        )
        lines.append(
            f"| {path.stem} | {model.events:,} | {seed} | {found.peak_ratio - 1:+.1%} | "
            f"{found.size_distance:.3f} | {found.lifetime_distance:.3f} | "
            f"{found.never_freed_difference:+.4f} | {off} | {', '.join(found.misses) or 'none'} | "
            f"{len(text):,} | {fit_s:.1f} s | {generate_s:.1f} s |"
        )
    must = (
        f"peak {synthetic.PEAK_LIMIT:.0%}, distances < {synthetic.DISTANCE_LIMIT}, "
        f"footprint {synthetic.FOOTPRINT_LIMIT:.0%}, 64 KiB"
    )
    is_met = not misses and len(text) <= 65_536
    return [Row(f"model of {path.stem}", must, "; ".join(worst), is_met)], lines


def model(repeats: int) -> tuple[list[Row], str]:
    """All shipped recordings; two seeds whatever `repeats` is, as nothing but the times varies."""
    rows, lines = [], [HEADER]
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted((ROOT / "workloads").glob("*.alloctrace")):
            more, table = judge(path, Path(scratch))
            rows += more
            lines += table
    return rows, "### Models of the shipped recordings\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(model(1)[1])
