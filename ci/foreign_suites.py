# SPDX-License-Identifier: MIT
"""Runs the malloc tests of others under each of the lab's libraries, and counts.

    .venv/bin/python ci/foreign_suites.py [--glibc FOLDER] [--security FOLDER]

The suites are not part of the lab. FOLDER holds their programs, already built: of glibc's own
`malloc/tst-*.c` those named below, which ask nothing of a malloc that only glibc's has; of
mimalloc-bench `bench/security`, a program for each test and size. A test of the first passes by
exiting with 0; of the second a mistake counts as caught when the program does not print
NOT_CAUGHT.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from alloclab import _native

GENERIC = (
    *("aligned-alloc", "calloc", "free-errno", "malloc", "malloc-backtrace"),
    *("malloc-fork-deadlock", "malloc-random", "malloc-thread-exit", "malloc-thread-fail"),
    *("malloc-too-large", "mallocalign1", "mallocfork", "mallocfork2", "mallocfork3", "memalign"),
    *("obstack", "posix_memalign", "pvalloc", "realloc", "reallocarray", "valloc"),
)
Verdict = Callable[[int, bytes], bool]


def libraries() -> dict[str, dict[str, str]]:
    """The environments to run under, by name; the C library's own malloc first."""
    library = str(_native.malloc_library())
    chosen = {name: {"LD_PRELOAD": library, "ALLOCLAB_MALLOC": name} for name in ("pool", "debug")}
    return {"glibc": {}, **chosen}


def passes(program: Path, environment: dict[str, str], verdict: Verdict) -> bool:
    """Runs one program in a folder of its own; a program that hangs has failed."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [str(program)],
                env={**os.environ, **environment},
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=120,
            )
        except subprocess.TimeoutExpired:
            return False
    return verdict(done.returncode, done.stdout)


def count(programs: Iterable[Path], environment: dict[str, str], verdict: Verdict) -> list[str]:
    """Returns the names of those that did not pass."""
    return [each.name for each in programs if not passes(each, environment, verdict)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--glibc", type=Path, metavar="FOLDER")
    parser.add_argument("--security", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    suites: list[tuple[str, list[Path], Verdict]] = []
    if arguments.glibc:
        programs = [arguments.glibc / f"tst-{name}" for name in GENERIC]
        suites.append(("glibc's tests passed", programs, lambda code, _: code == 0))
    if arguments.security:
        programs = sorted(each for each in arguments.security.iterdir() if os.access(each, os.X_OK))
        suites.append(("mistakes caught", programs, lambda _, said: b"NOT_CAUGHT" not in said))
    print("| suite | library | passed | not |\n|---|---|---|---|")
    for title, programs, verdict in suites:
        for name, environment in libraries().items():
            failed = count(programs, environment, verdict)
            passed = f"{len(programs) - len(failed)} of {len(programs)}"
            print(f"| {title} | {name} | {passed} | {', '.join(failed)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
