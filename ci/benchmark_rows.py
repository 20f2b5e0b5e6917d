# SPDX-License-Identifier: MIT
"""What the parts of the benchmarks share: a row of the page, a child, the C++ loops."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import alloclab as al
from alloclab import _native

ROOT = Path(__file__).resolve().parents[1]
WORKLOADS = ROOT / "workloads"
SHIPPED = ("cc1plus", "clang", "freeciv")
PEERS = (al.Glibc(), al.Jemalloc(), al.Mimalloc(), al.Tcmalloc())


@dataclass
class Row:
    """One promise and what was measured of it."""

    what: str
    must: str
    measured: str
    is_met: bool | None  # None: a figure without a bound

    def markdown(self) -> str:
        verdict = {True: "yes", False: "**no**", None: ""}[self.is_met]
        return f"| {self.what} | {self.must} | {self.measured} | {verdict} |"


def child(trace: Path, heap: str, measure: str, **environment: str) -> dict[str, Any]:
    """Runs the replay child once; returns its answer."""
    command = [str(_native.replay_executable()), "--trace", str(trace), "--heap", heap]
    answer = subprocess.run(
        [*command, "--measure", measure, "--cpu", "1"],
        capture_output=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", **environment},
    )
    return dict(json.loads(answer.stdout))


def build_target(target: str) -> Path:
    """Builds one target with the C++ benchmarks on; returns the build's folder."""
    build = ROOT / "build" / "bench"
    options = ["-G", "Ninja", "-DALLOCLAB_BENCH=ON"]
    for command in (
        ["cmake", "-S", str(ROOT), "-B", str(build), *options],
        ["cmake", "--build", str(build), "--target", target],
    ):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return build


def loop_times(
    pattern: str, repeats: int, environment: dict[str, str] | None = None
) -> dict[str, float]:
    """Runs the loops whose names match, interleaved; returns the median CPU ns of each by name.

    Many short repetitions in random order: a shared machine changes its speed within seconds, and
    each loop has to see all of its speeds.
    """
    build = build_target("alloclab_bench")
    answer = subprocess.run(
        [
            str(build / "cpp" / "bench" / "alloclab_bench"),
            f"--benchmark_repetitions={repeats * 5}",
            "--benchmark_enable_random_interleaving=true",
            "--benchmark_min_time=0.01",
            "--benchmark_format=json",
            f"--benchmark_filter={pattern}",
        ],
        check=True,
        capture_output=True,
        env=None if environment is None else {**os.environ, **environment},
    )
    return {
        each["run_name"]: each["cpu_time"]
        for each in json.loads(answer.stdout)["benchmarks"]
        if each.get("aggregate_name") == "median"
    }
