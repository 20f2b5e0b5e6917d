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
from pathlib import Path

HEADERS = "algorithm functional iostream map memory numeric regex string thread unordered_map"
SOURCE = "".join(f"#include <{name}>\n" for name in HEADERS.split()) + (
    'int main() { std::map<std::string, std::vector<int>> m; std::regex r("a+b");\n'
    "for (int n = 0; n < 10; n++) m[std::to_string(n)].push_back(n);\n"
    'std::cout << m.size() << std::regex_match("aab", r) << "\\n"; }\n'
)


def cpu_seconds(command: list[str], environment: dict[str, str], folder: Path) -> float:
    """Runs a command; returns its user and system time, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=environment, cwd=folder, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


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
        return given
    from alloclab import _native

    return _native.record_library()


def measure(command: list[str], library: Path, pairs: int, folder: Path) -> dict[str, object]:
    bare_environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    bare, recorded, sizes = [], [], []
    cpu_seconds(command, bare_environment, folder)  # warms the page cache
    for pair_idx in range(pairs):
        captures = folder / f"captures-{pair_idx}"
        captures.mkdir()
        environment = bare_environment | {
            "LD_PRELOAD": str(library),
            "ALLOCLAB_RECORD_DIR": str(captures),
        }
        bare.append(cpu_seconds(command, bare_environment, folder))
        recorded.append(cpu_seconds(command, environment, folder))
        sizes.append(sum(path.stat().st_size for path in captures.iterdir()))
        for path in captures.iterdir():
            path.unlink()
        if sys.stderr.isatty():
            print(f"\rpair {pair_idx + 1} of {pairs}", end="", file=sys.stderr)
    ratios = [r / b for b, r in zip(bare, recorded, strict=True)]
    return {
        "command": command,
        "pairs": pairs,
        "bare_cpu_s": bare,
        "recorded_cpu_s": recorded,
        "capture_bytes": statistics.median(sizes),
        "median_bare_cpu_s": statistics.median(bare),
        "median_recorded_cpu_s": statistics.median(recorded),
        "ratio_of_medians": statistics.median(recorded) / statistics.median(bare),
        "median_pair_ratio": statistics.median(ratios),
        "pair_ratios": ratios,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7, help="interleaved pairs (default 7)")
    parser.add_argument(
        "--source", type=Path, help="the C++ file to compile (default: a dozen headers)"
    )
    parser.add_argument("--library", type=Path, help="the recorder (default: the installed one)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("command", nargs="*", help="another command to measure, after --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = arguments.source.resolve() if arguments.source else None
        command = arguments.command or compile_command(folder, source)
        figures = measure(command, record_library(arguments.library), arguments.pairs, folder)
    print(f"{'':24}{'bare':>10}{'recorded':>10}{'ratio':>8}")
    print(
        f"{'user+sys, median, s':24}{figures['median_bare_cpu_s']:10.3f}"
        f"{figures['median_recorded_cpu_s']:10.3f}{figures['ratio_of_medians']:8.3f}"
    )
    print(
        f"median of the pairs' ratios {figures['median_pair_ratio']:.3f}, "
        f"capture {figures['capture_bytes'] / 1e6:.2f} MB"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
