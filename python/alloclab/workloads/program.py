# SPDX-License-Identifier: MIT
"""What a workload's program takes by itself: its processor time, and its memory."""

from __future__ import annotations

import resource
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alloclab.allocators import Allocator
from alloclab.allocators.find import find_library
from alloclab.workloads.recording import recorded_trace
from alloclab.workloads.running import Job, check_ended_well, named


def bare_seconds(job: Job, environment: Mapping[str, str] | None = None) -> float:
    """Runs the program, not recorded; returns its user and system seconds with its children's.

    Args:
        job: where it runs; it may be run again and again.
        environment: what to set beyond the job's own, an LD_PRELOAD for instance.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with named(job.workload), job.log.open("ab") as log:
        ended = subprocess.run(
            job.command,
            cwd=job.scratch,
            env={**job.environment, **(environment or {})},
            stdout=log,
            stderr=log,
            check=False,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    check_ended_well(job, ended.returncode)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def recorded_peak(job: Job, environment: Mapping[str, str] | None = None) -> float:
    """Runs the program recorded, without call stacks; returns its peak of anonymous bytes."""
    with tempfile.TemporaryDirectory(prefix="recorded-", dir=job.scratch) as folder:
        trace = recorded_trace(
            job,
            Path(folder),
            environment=environment,
            options=_without_cost(job.workload.recording),
        )
        return float(trace.footprint()["anonymous_bytes"].max())


def preloading(malloc: Allocator) -> dict[str, str]:
    """Returns the environment that puts a malloc in front of all others under a program.

    For glibc that is the C library itself: a program may be linked with another malloc.
    """
    launch = malloc.launch()
    libraries = launch.preload or (find_library("glibc", ("libc.so.6",), "part of the system"),)
    return {**launch.environment, "LD_PRELOAD": " ".join(map(str, libraries))}


def _without_cost(recording: Mapping[str, Any]) -> dict[str, Any]:
    """What a workload is recorded with, less what would weigh on the program itself."""
    return {name: value for name, value in recording.items() if name not in ("gcc_phases", "sites")}
