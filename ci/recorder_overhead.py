#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what recording costs: bare and recorded runs, interleaved, and the size of the capture.

Prints a table and, with --json, writes the figures. Defaults to GCC's own compiler on a C++ file
with a dozen standard headers.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEADERS = "algorithm functional iostream map memory numeric regex string thread unordered_map"
SOURCE = "".join(f"#include <{name}>\n" for name in HEADERS.split()) + (
    'int main() { std::map<std::string, std::vector<int>> m; std::regex r("a+b");\n'
    "for (int n = 0; n < 10; n++) m[std::to_string(n)].push_back(n);\n"
    'std::cout << m.size() << std::regex_match("aab", r) << "\\n"; }\n'
)


def cpu_seconds(
    command: list[str], environment: dict[str, str], folder: Path
) -> tuple[float, float]:
    """Runs a command; returns its user and its system time, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command,
        check=True,
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime


def compile_command(folder: Path, source: Path | None) -> list[str]:
    """The compiler proper: the driver's own time would dilute the figure."""
    path = source or folder / "big.cpp"
    if source is None:
        path.write_text(SOURCE, encoding="utf-8")
    fixed = ["-quiet", "-D_GNU_SOURCE", "-O2", "-std=c++17"]
    multiarch = ask_driver("-print-multiarch")
    places = ["-imultiarch", multiarch] if multiarch else []
    return [ask_driver("-print-prog-name=cc1plus"), *fixed, *places, str(path), "-o", "x.s"]


def ask_driver(question: str) -> str:
    answer = subprocess.run(["g++", question], check=True, capture_output=True, text=True)
    return answer.stdout.strip()


def record_library(given: Path | None) -> Path:
    if given is not None:
        return given.resolve()
    from alloclab import _native

    return _native.record_library()


@dataclass(frozen=True)
class Variant:
    """A way of recording: lines of the recorder's options, and words more of the command."""

    options: str = ""
    words: tuple[str, ...] = ()


def of_sites(kind: str) -> Variant:
    return Variant("" if kind == "none" else f"sites={kind}\n")


@dataclass
class Runs:
    """What each round of one way of running gave."""

    user_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    capture_bytes: list[int] = field(default_factory=list)

    def add(self, times: tuple[float, float]) -> None:
        self.user_s.append(times[0])
        self.cpu_s.append(sum(times))


def run_once(
    command: list[str], library: Path | None, variant: Variant, folder: Path, runs: Runs
) -> None:
    """Runs the command bare, or under a recorder that is to record so."""
    environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    if library is None:
        runs.add(cpu_seconds(command, environment, folder))
        return
    with tempfile.TemporaryDirectory(dir=folder) as name:
        captures = Path(name)
        if variant.options:
            (captures / "options").write_text(variant.options, encoding="utf-8")
        environment |= {"LD_PRELOAD": str(library), "ALLOCLAB_RECORD_DIR": name}
        runs.add(cpu_seconds([*command, *variant.words], environment, folder))
        runs.capture_bytes.append(sum(path.stat().st_size for path in captures.glob("*.capture")))


def measure(
    command: list[str], library: Path, pairs: int, folder: Path, variants: dict[str, Variant]
) -> dict[str, Any]:
    """Runs the command bare and in each way, in turns."""
    bare = Runs()
    recorded = {name: Runs() for name in variants}
    run_once(command, None, Variant(), folder, Runs())  # warms the page cache
    for pair_idx in range(pairs):
        run_once(command, None, Variant(), folder, bare)
        for name, runs in recorded.items():
            run_once(command, library, variants[name], folder, runs)
        if sys.stderr.isatty():
            print(f"\rround {pair_idx + 1} of {pairs}", end="", file=sys.stderr)
    return {
        "command": command,
        "pairs": pairs,
        "bare_cpu_s": bare.cpu_s,
        "median_bare_cpu_s": statistics.median(bare.cpu_s),
        "variants": {name: figures_of(runs, bare) for name, runs in recorded.items()},
    }


def figures_of(runs: Runs, bare: Runs) -> dict[str, Any]:
    ratios = [r / b for b, r in zip(bare.cpu_s, runs.cpu_s, strict=True)]
    user_ratios = [r / b for b, r in zip(bare.user_s, runs.user_s, strict=True)]
    median_s = statistics.median(runs.cpu_s)
    return {
        "recorded_cpu_s": runs.cpu_s,
        "capture_bytes": statistics.median(runs.capture_bytes),
        "median_recorded_cpu_s": median_s,
        "ratio_of_medians": median_s / statistics.median(bare.cpu_s),
        "median_pair_ratio": statistics.median(ratios),
        "pair_ratios": ratios,
        "median_user_ratio": statistics.median(user_ratios),
        "user_ratios": user_ratios,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7, help="interleaved pairs (default 7)")
    parser.add_argument(
        "--source", type=Path, help="the C++ file to compile (default: a dozen headers)"
    )
    parser.add_argument("--library", type=Path, help="the recorder (default: the installed one)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument(
        "--sites",
        default="none",
        help="what to record of call sites, in turns: a list of none, caller, stack:DEPTH",
    )
    parser.add_argument("command", nargs="*", help="another command to measure, after --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = arguments.source.resolve() if arguments.source else None
        command = arguments.command or compile_command(folder, source)
        figures = measure(
            command,
            record_library(arguments.library),
            arguments.pairs,
            folder,
            {kind: of_sites(kind) for kind in arguments.sites.split(",")},
        )
    print(f"bare: user+sys {figures['median_bare_cpu_s']:.3f} s, median of {arguments.pairs}")
    print(f"{'sites':12}{'recorded, s':>12}{'ratio':>8}{'of pairs':>10}{'capture, MB':>13}")
    for kind, row in figures["variants"].items():
        print(
            f"{kind:12}{row['median_recorded_cpu_s']:12.3f}{row['ratio_of_medians']:8.3f}"
            f"{row['median_pair_ratio']:10.3f}{row['capture_bytes'] / 1e6:13.2f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
