# SPDX-License-Identifier: MIT
"""Recordings for the exporters' tests, and what any of their files must agree with."""

from __future__ import annotations

from pathlib import Path

import pytest

from alloclab import _native
from alloclab.record import record
from alloclab.traces import Trace
from support.recorded_programs import Programs, environment

# Of tests/programs/calls.c, counted in its source: what it calls with success, all on one thread.
CALLS = {
    "malloc": 6,
    "calloc": 2,
    "realloc of null": 1,
    "reallocarray of null": 1,
    "posix_memalign": 1,
    "aligned_alloc": 1,
    "memalign": 1,
    "valloc": 1,
    "pvalloc": 1,
    "realloc": 2,
    "reallocarray": 1,
    "realloc to zero": 1,
    "free": 14,
    "free of null": 1,
}
CALLS_ALLOCATIONS = 15
CALLS_FAILED = 3  # malloc, calloc and posix_memalign of a wrong alignment
CALLS_FAILED_REALLOCATIONS = 1
CALLS_ALLOCATED_BYTES = (
    (24 + 25 + 504 + 512 + 100_000)  # malloc, and malloc(0)
    + (3 * 8 + 100 * 100)  # calloc
    + (40 + 4_000 + 400_000)  # realloc
    + (5 * 5 + 50 * 50)  # reallocarray
    + (100 + 512 + 10 + 10 + 10)  # aligned
)


class Recordings:
    """Recordings of the test programs with call stacks, each made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs = Programs(folder / "programs")
        self._programs.folder.mkdir()

    def __call__(self, name: str, *arguments: str) -> Trace:
        output = self._folder / "-".join([name, *arguments])
        found = list(output.glob("*.alloctrace"))
        if found:
            return Trace(found[0])
        # Without built-ins free(NULL) and malloc without a use stay calls.
        flags = ["-g", "-fno-builtin", "-I", str(_native.include_dir())]
        command = [self._programs(name, *flags), *arguments]
        given = environment(MARKS_RECORDED="1")
        return record(command, output=output, env=given, sites="stack").largest()


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    return Recordings(tmp_path_factory.mktemp("recordings"))
