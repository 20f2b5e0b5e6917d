# SPDX-License-Identifier: MIT
"""The lab's main job, start to end: record a compile, replay it under six allocators, compare; then
the same comparison for the two recordings that ship with the lab. `ci/first.sh` runs it.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import alloclab as al

WORKLOADS = Path(__file__).resolve().parent
COMPILE = ["g++", "-std=c++17", "-O2", "-c", "big.cpp", "-o", "big.o"]
ALLOCATORS = [al.Glibc(), al.Jemalloc(), al.Mimalloc(), al.Tcmalloc(), al.Pool(), al.Arena()]


def record_compile(folder: Path) -> al.Trace:
    """Records the compile of `big.cpp`; returns the trace of the compiler proper."""
    scratch = folder / "scratch"
    recording = folder / "recording"
    for each in (scratch, recording):
        shutil.rmtree(each, ignore_errors=True)
    scratch.mkdir(parents=True)
    shutil.copy(WORKLOADS / "inputs" / "big.cpp", scratch)
    print(f"Recording: {' '.join(COMPILE)}", flush=True)
    capture = al.record(COMPILE, output=recording, cwd=scratch)
    for warning in capture.warnings:
        print(f"  warning: {warning}")
    for trace in capture:
        print(f"  {trace!r}")
    return capture["cc1plus"]


def compare_and_show(trace: al.Trace, title: str, folder: Path, stems: tuple[str, str]) -> None:
    """Prints the comparison of one trace and writes its figures and its plot."""
    print(f"\n{title}", flush=True)
    comparison = al.compare(trace, ALLOCATORS)
    print(comparison.table(), flush=True)
    figures, plot = folder / f"{stems[0]}.json", folder / f"{stems[1]}.png"
    comparison.save(figures)
    comparison.plot_footprint().savefig(plot, dpi=120)
    print(f"wrote {figures} and {plot}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("compare"), help="folder for what is written"
    )
    folder = parser.parse_args().output
    trace = record_compile(folder.resolve())
    compare_and_show(trace, "cc1plus, just recorded", folder, ("compare", "footprint"))
    for name in ("clang", "freeciv"):
        shipped = al.open_trace(WORKLOADS / f"{name}.alloctrace")
        title = f"{name}, the recording in workloads/"
        compare_and_show(shipped, title, folder, (f"{name}-compare", f"{name}-footprint"))


if __name__ == "__main__":
    main()
