# SPDX-License-Identifier: MIT
"""Measures the shelf: every workload under every malloc, against its program, and made again.

    .venv/bin/python ci/benchmark_shelf.py [replays|recordings|validations|models|imports]

Without a word it does all five and writes them into docs/benchmarks.md, each between marks of its
own. `recordings` and `validations` run the programs: a package that is missing is a row that says
so. Nothing else should run meanwhile; the whole takes some forty minutes on two cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import alloclab as al
import benchmark_import
import benchmark_model
from alloclab.workloads.recording import COUNTS, differences, record_workload
from alloclab.workloads.validation import MALLOCS, validate
from benchmark_rows import PEERS, ROOT, WORKLOADS, Row

PAGE = ROOT / "docs" / "benchmarks.md"


def lists(smallest: int, largest: int, step: int) -> al.Allocator:
    """A free list for each size of a range, `step` bytes apart."""
    return al.Bucketizer(al.Freelist(), min=smallest, max=largest, step=step)


def small_lists(large: al.Allocator) -> al.Allocator:
    """Free lists up to 1 KiB, steps that widen; the rest from `large`."""
    spec = al.Segregator(1024, small=lists(257, 1024, 128), large=large)
    return al.Segregator(256, small=lists(1, 256, 16), large=spec)


FITS: dict[str, tuple[str, al.Allocator]] = {
    "lists": ("free lists to 1 KiB, TLSF above", small_lists(al.Tlsf())),
    "pool+pages": (
        "Pool to 256 KiB, a mapping each above",
        al.Segregator("256 KiB", small=al.Pool(), large=al.PageAllocator()),
    ),
    "pool+tlsf": (
        "Pool to 2 KiB, TLSF above",
        al.Segregator(2048, small=al.Pool(), large=al.Tlsf()),
    ),
}
"""Composed allocators, with what they are."""
FIT_OF = {
    "freeciv": "pool+pages",
    "minetest": "pool+pages",
    "redis": "pool+tlsf",
    "openttd": "pool+tlsf",
    "tcc": "pool+pages",
    "clang": "pool+tlsf",
    "rustc": "pool+tlsf",
}
"""Which of them fits a workload; "lists", small objects that come and go, fits the others."""


def replays(repeats: int) -> str:
    """Every workload under every malloc and under the composition that fits it."""
    columns = [*(str(peer) for peer in PEERS), "pool", "fit"]
    lines = [
        "Peak footprint as a ratio to glibc's, and nanoseconds an event above the null replay. The",
        "last column is a composition and runs type-erased, not behind malloc: "
        + "; ".join(f"*{name}* is {what}" for name, (what, _) in FITS.items())
        + ".",
        "",
        f"| workload | events | glibc's peak | {' | '.join(columns)} |",
        "|---|---|---|" + "---|" * len(columns),
    ]
    for workload in al.workloads(WORKLOADS):
        print(f"replaying {workload.name}", file=sys.stderr, flush=True)
        fit = FIT_OF.get(workload.name, "lists")
        specs = [*PEERS, al.Pool(), FITS[fit][1]]
        found = al.compare(workload.trace_path, specs, repeats=repeats, progress=False)
        base = f"{found['glibc']['peak_footprint_bytes'] / 1e6:.2f} MB"
        cells = [replay_cell(found, spec) for spec in specs]
        cells[-1] = f"{fit}: {cells[-1]}"
        events = workload.open().summary()["events"]
        lines.append(f"| {workload.name} | {events:,} | {base} | {' | '.join(cells)} |")
    return "\n".join(lines)


def replay_cell(found: al.Comparison, spec: al.Allocator) -> str:
    """A malloc's ratio of footprint and time an event, or why there is none."""
    row = found[spec]
    if row.problem is not None:
        return str(row.problem)
    peak = row["peak_footprint_bytes"] / found["glibc"]["peak_footprint_bytes"]
    for metric in ("ns_per_event", "type_erased_ns_per_event"):
        try:
            return f"{peak:.2f}x, {row[metric]:.1f} ns"
        except al.NotMeasured:
            continue
    return f"{peak:.2f}x, n/m"


def not_measured(error: Exception) -> str:
    """Why there is no figure, in a line that stays in its cell: an error may quote a program."""
    words = " ".join(str(error).split()).replace("|", "\\|")
    return f"not measured: {words}"


def recordings(repeats: int) -> str:
    """How far a recording made now is from the shipped one, count by count."""
    lines = [
        "How far each count is from the shipped recording's. Where counts repeat they must be",
        "within 0.1 %; peaks of programs with threads, and all counts of the others, within twice",
        "what was measured when they were shipped.",
        "",
        f"| workload | {' | '.join(COUNTS)} | must | met |",
        "|---|" + "---|" * (len(COUNTS) + 2),
    ]
    for workload in al.workloads(WORKLOADS):
        print(f"recording {workload.name}", file=sys.stderr, flush=True)
        try:
            with tempfile.TemporaryDirectory() as folder:
                trace = record_workload(workload, Path(folder) / "again.alloctrace")
                rows = differences(workload, trace.summary())
        except al.Error as error:
            lines.append(f"| {workload.name} | {not_measured(error)} |")
            continue
        cells = [f"{row.ratio:.3%}" if row.is_within else f"**{row.ratio:.3%}**" for row in rows]
        must = "0.1 %" if workload.is_deterministic else "its spread"
        verdict = "yes" if all(row.is_within for row in rows) else "**no**"
        lines.append(f"| {workload.name} | {' | '.join(cells)} | {must} | {verdict} |")
    return "\n".join(lines)


def validations(repeats: int) -> str:
    """Each program under each malloc beside the replay of its recording under the same."""
    tables, lines = [], []
    for workload in al.workloads(WORKLOADS):
        print(f"validating {workload.name}", file=sys.stderr, flush=True)
        try:
            found = validate(workload, MALLOCS, repeats=repeats if workload.is_deterministic else 1)
        except al.Error as error:
            lines.append(f"- {workload.name}: {not_measured(error)}")
            continue
        head, *rows = found.table().splitlines()[:-1]
        tables += rows[1:] if tables else [head, *rows]
        lines.append(f"- {found.fidelity()}")
    said = [
        "Peaks are of anonymous memory; *apart* is how far the two differences to glibc are from",
        "each other, over the program's peak, and must be within 5 % where counts repeat.",
        "Seconds are of processor time, user and system: what the program saves, and what",
        "its replay says it saves.",
        "",
    ]
    return "\n".join([*said, *tables, "", *lines])


def models(repeats: int) -> str:
    """How near the size-lifetime model of each recording comes to it."""
    rows, table = benchmark_model.model(repeats)
    return f"{as_table(rows)}\n\n{table}"


def imports(repeats: int) -> str:
    """How fast foreign traces are read."""
    return as_table(benchmark_import.imports(max(repeats, 5)))


def as_table(rows: list[Row]) -> str:
    """Returns rows as a Markdown table."""
    head = ["| what | must | measured | met |", "|---|---|---|---|"]
    return "\n".join([*head, *(row.markdown() for row in rows)])


PARTS: dict[str, tuple[str, Callable[[int], str]]] = {
    "replays": ("Every workload under every malloc", replays),
    "recordings": ("Recordings made again", recordings),
    "validations": ("Programs under each malloc beside their replays", validations),
    "models": ("A model of each recording beside it", models),
    "imports": ("Foreign traces read", imports),
}


def write_part(name: str, text: str) -> None:
    """Writes one part between its marks; without marks, at the page's end."""
    begin, end = f"<!-- shelf {name}: begin -->", f"<!-- shelf {name}: end -->"
    page = PAGE.read_text(encoding="utf-8")
    if begin not in page:
        page = f"{page.rstrip()}\n\n{begin}\n{end}\n"
    before, _, rest = page.partition(begin)
    after = rest.partition(end)[2]
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    machine: dict[str, Any] = al.results.environment.fingerprint()
    for name in arguments.parts or PARTS:
        title, measure = PARTS[name]
        said = measure(arguments.repeats)
        today = f"Measured on {time.strftime('%Y-%m-%d')}, {machine['cpu_model']}."
        write_part(name, f"\n## {title}\n\n{today}\n\n{said}\n")
        print(said, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
