# SPDX-License-Identifier: MIT
"""Whole programs under the pool's malloc: what only a preloaded library can show."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest

from alloclab import _native


@pytest.fixture(scope="module")
def program(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C program that tries one thing at a time."""
    binary = tmp_path_factory.mktemp("programs") / "pool_malloc"
    source = checkout / "tests" / "programs" / "pool_malloc.c"
    options = ["-std=gnu11", "-O1", "-w", "-fno-builtin", "-pthread"]
    subprocess.run(["cc", *options, str(source), "-o", str(binary)], check=True)
    return binary


def run(program: Path, what: str, options: str = "", address_bytes: int | None = None) -> int:
    def limit() -> None:
        if address_bytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (address_bytes, address_bytes))

    environment = {
        "LD_PRELOAD": str(_native.malloc_library("pool")),
        "ALLOCLAB_MALLOC_OPTIONS": options,
    }
    return subprocess.run(
        [str(program), what], env=environment, preexec_fn=limit, timeout=120
    ).returncode


def test_realloc_refuses_foreign_memory_and_free_leaves_it(program: Path) -> None:
    assert run(program, "foreign") == 0


def test_a_background_thread_gives_an_idle_programs_memory_back(program: Path) -> None:
    assert run(program, "idle", "background=on decay_ms=80") == 0


@pytest.mark.parametrize("options", ["", "background=on decay_ms=8"])
def test_children_of_fork_find_no_lock_held(program: Path, options: str) -> None:
    assert run(program, "fork", options) == 0


def test_little_address_space_is_used_by_half_at_least(program: Path) -> None:
    assert run(program, "limited", address_bytes=512 << 20) == 0
