# SPDX-License-Identifier: MIT
"""Compiles the programs under tests/programs and holds recordings of them against a counter."""

from __future__ import annotations

import os
import struct
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np

from alloclab.captures import Capture
from alloclab.record import record
from alloclab.traces import KINDS, Trace

SOURCES = Path(__file__).resolve().parents[1] / "programs"
COUNTED = (
    "allocations",
    "failed",
    "frees",
    "null_frees",
    "reallocations",
    "zero_reallocations",
    "aligned",
    "bytes",
)


class Programs:
    """The test programs, compiled on first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._compiler = os.environ.get("CC", "cc")

    def __call__(self, name: str, *flags: str) -> str:
        path = self.folder / name
        if not path.exists():
            source = next(SOURCES.glob(f"{Path(name).stem.removesuffix('_fixed')}.c*"))
            compiler = self._compiler if source.suffix == ".c" else os.environ.get("CXX", "c++")
            command = [compiler, "-O1", "-pthread", *flags, "-o", path, source, "-ldl"]
            subprocess.run(command, check=True)
        return str(path)

    def counter(self) -> str:
        return self("counter.so", "-shared", "-fPIC")


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C", **more}


def record_counted(
    programs: Programs, command: list[str], folder: Path
) -> tuple[Capture, dict[int, Counter[str]]]:
    """Records a command with the counter behind the recorder.

    Returns the recording, and the counts of each process, its images added up.
    """
    counts = folder / "counts"
    counts.mkdir()
    given = environment(LD_PRELOAD=programs.counter(), COUNTER_DIR=str(counts))
    capture = record(command, output=folder / "traces", env=given)
    by_process: dict[int, Counter[str]] = {}
    for path in counts.glob("*.counts"):
        values = struct.unpack(f"{len(COUNTED)}Q", path.read_bytes())
        process = by_process.setdefault(int(path.name.split("-")[0]), Counter())
        process.update(dict(zip(COUNTED, values, strict=True)))
    return capture, by_process


def kind_counts(trace: Trace) -> Counter[str]:
    """Counts a trace's events by kind; allocations of every call together."""
    numbers: Counter[int] = Counter()
    for chunk in trace.chunks():
        kinds, counts = np.unique(chunk.kind, return_counts=True)
        numbers.update(dict(zip(kinds.tolist(), counts.tolist(), strict=True)))
    names = {number: name for name, number in KINDS.items()}
    return Counter({names[number]: count for number, count in numbers.items()})


def as_counted(trace: Trace) -> Counter[str]:
    """Returns what the counter would have counted for this trace."""
    kinds = kind_counts(trace)
    return Counter(
        allocations=kinds["allocate"],
        failed=kinds["allocate_failed"] + kinds["reallocate_failed"],
        frees=kinds["free"] + trace.summary()["unknown_frees"],
        null_frees=kinds["free_null"],
        reallocations=kinds["reallocate"],
        zero_reallocations=kinds["reallocate_zero"],
    )
