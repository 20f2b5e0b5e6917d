# SPDX-License-Identifier: MIT
"""Records the shipped workloads anew and writes what they hold into their .toml.

    .venv/bin/python ci/record_workloads.py [NAME ...]

Run it only when a recording must change: every committed baseline rests on these very traces.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import alloclab as al

WORKLOADS = Path(__file__).resolve().parents[1] / "workloads"
MEASURED = "# Written by ci/record_workloads.py; the rest of this file is by hand."
SMALLEST = 19  # zstd's level: recordings are shipped once and read often
NOBODY = "65534"


def command_of(workload: dict[str, Any], scratch: Path) -> list[str]:
    """Returns the command to run: its placeholders filled in, and not as root where it refuses."""
    words = [word.replace("{scratch}", str(scratch)) for word in workload["command"]]
    if workload.get("refuses_root") and os.geteuid() == 0:
        become = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
        return [*become, *words]
    return words


@dataclass
class Job:
    """A workload ready to run: its command in a folder of its own that every user can reach."""

    command: list[str]
    scratch: Path
    environment: dict[str, str]
    image: str


def prepare_workload(name: str, scratch: Path) -> Job:
    """Puts a workload's inputs into a folder and says how to run it there."""
    workload = tomllib.loads((WORKLOADS / f"{name}.toml").read_text(encoding="utf-8"))
    scratch.chmod(0o777)
    for each in workload["inputs"]:
        shutil.copy(WORKLOADS / each, scratch)
    environment = {
        "PATH": f"{os.environ['PATH']}:/usr/games",
        "HOME": str(scratch),
        "LC_ALL": "C.UTF-8",
    }
    return Job(command_of(workload, scratch), scratch, environment, workload["image"])


@contextmanager
def without_output() -> Iterator[None]:
    """Sends what programs write to standard output nowhere: servers say a lot."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def record_workload(name: str) -> Path:
    """Records one workload; returns the sealed trace, in its place."""
    destination = WORKLOADS / f"{name}.alloctrace"
    with tempfile.TemporaryDirectory(prefix="workload-") as folder:
        job = prepare_workload(name, Path(folder))
        recording = job.scratch / "recording"
        with without_output():
            left = al.record(
                job.command, output=recording, cwd=job.scratch, env=job.environment, seal=False
            )
        if left.returncode != 0:
            raise SystemExit(f"{name}: the program ended with {left.returncode}")
        capture = al.seal(recording, level=SMALLEST)
        shutil.copyfile(capture[job.image].path, destination)
    return destination


def write_measured(name: str) -> None:
    """Replaces the measured part of the workload's .toml by what its trace holds."""
    trace_path = WORKLOADS / f"{name}.alloctrace"
    toml_path = WORKLOADS / f"{name}.toml"
    content = trace_path.read_bytes()
    lines = [
        MEASURED,
        "[trace]",
        f'file = "{trace_path.name}"',
        f"bytes = {len(content)}",
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
        "",
        "[summary]",
        *(f"{key} = {value}" for key, value in al.open_trace(trace_path).summary().items()),
    ]
    by_hand = toml_path.read_text(encoding="utf-8").partition(MEASURED)[0].rstrip("\n")
    toml_path.write_text("\n".join([by_hand, "", *lines, ""]), encoding="utf-8")


def main(names: list[str]) -> None:
    known = sorted(path.stem for path in WORKLOADS.glob("*.toml"))
    for name in names or known:
        if name not in known:
            raise SystemExit(f"unknown workload {name}: known are {', '.join(known)}")
        path = record_workload(name)
        write_measured(name)
        print(f"{name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
