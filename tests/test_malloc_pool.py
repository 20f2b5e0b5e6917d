# SPDX-License-Identifier: MIT
"""Whole programs under the pool's malloc: what only a preloaded library can show."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest

import alloclab as al
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


@pytest.mark.parametrize(
    ("spec", "threads"),
    [(al.Pool(), 1), (al.Pool(background=False), 1), (al.Pool(background=True), 2)],
    ids=str,
)
def test_a_spec_decides_whether_there_is_a_background_thread(spec: al.Pool, threads: int) -> None:
    launch = spec.launch()
    environment = {**launch.environment, "LD_PRELOAD": ":".join(map(str, launch.preload))}
    shown = subprocess.run(
        ["ls", "/proc/self/task"], env=environment, capture_output=True, text=True, check=True
    )
    assert len(shown.stdout.split()) == threads
    assert shown.stderr == ""


def test_a_background_thread_is_the_malloc_librarys_only() -> None:
    spec = al.Pool(background=True)
    assert spec.kernel() is None
    assert al.Pool(background=False).kernel() is not None
    for use in (
        lambda: al.live(spec),
        lambda: al.live(al.Locked(spec)),
        lambda: al.Limit(spec, "1 MiB").kernel(),
    ):
        with pytest.raises(al.UsageError, match="background is a thread of the malloc library"):
            use()


@pytest.mark.parametrize("options", ["", "background=on decay_ms=8"])
def test_children_of_fork_find_no_lock_held(program: Path, options: str) -> None:
    assert run(program, "fork", options) == 0


def test_little_address_space_is_used_by_half_at_least(program: Path) -> None:
    assert run(program, "limited", address_bytes=512 << 20) == 0
