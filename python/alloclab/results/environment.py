# SPDX-License-Identifier: MIT
"""The machine a figure came from: what must be equal for two figures to be set side by side."""

from __future__ import annotations

import functools
import hashlib
import importlib
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from alloclab.allocators import Allocator
from alloclab.errors import Error, NotMeasured

_THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_ASLR = Path("/proc/sys/kernel/randomize_va_space")
_CPUINFO = Path("/proc/cpuinfo")


def fingerprint(allocators: Iterable[Allocator] = ()) -> dict[str, Any]:
    """Returns the processor, kernel, C library and settings, and each allocator's library.

    Libraries go by the allocator's text form: two settings of one peer may lie in two files. The
    two settings of the system stand beside what the children do about them: they turn address
    randomisation and transparent huge pages off for themselves.
    """
    libraries = {}
    for allocator in allocators:
        try:
            library = _library(allocator)
        except Error:
            continue
        if library is not None:
            libraries[str(allocator)] = describe_library(library)
    return {
        "cpu_model": cpu_model(),
        "cpu_count": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "c_library": c_library(),
        "system_transparent_huge_pages": transparent_huge_pages(),
        "system_address_randomisation": address_randomisation(),
        "child_transparent_huge_pages": "never",
        "child_address_randomisation": 0,
        "python": platform.python_version(),
        "alloclab": core_fact("version"),
        "build_type": core_fact("build_type"),
        "libraries": libraries,
    }


def _library(allocator: Allocator) -> Path | None:
    try:
        return allocator.launch().library
    except NotMeasured:  # without a malloc face
        kernel = allocator.kernel()
        return None if kernel is None else kernel.library


def describe_machine(facts: Mapping[str, Any]) -> str:
    """Returns the gist of a fingerprint as one line: processor, kernel, allocators' versions."""
    versions = [str(facts["c_library"])]
    for name, library in facts["libraries"].items():
        if library["version"]:
            versions.append(f"{name} {library['version']}")
    return f"{facts['cpu_model']}, Linux {facts['kernel']}; {', '.join(versions)}"


def core_fact(name: str) -> str:
    """Returns a constant of the compiled core, or "not built"."""
    try:
        core = importlib.import_module("alloclab._core")
    except ImportError:
        return "not built"
    return str(getattr(core, name, "unknown"))


def cpu_model() -> str:
    """Returns the processor's name as the kernel gives it."""
    for line in _read(_CPUINFO).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "Model", "Hardware"}:
            return value.strip()
    return platform.processor() or platform.machine()


def c_library() -> str:
    """Returns the C library and its version, for instance "glibc 2.36"."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "unknown"
    except (OSError, ValueError):
        return "unknown"


def transparent_huge_pages() -> str:
    """Returns the system's setting: always, madvise, never, or unknown."""
    text = _read(_THP)
    return text.partition("[")[2].partition("]")[0] or "unknown"


def address_randomisation() -> str:
    """Returns the system's setting: 0 off, 1 partly, 2 on, or unknown."""
    return _read(_ASLR).strip() or "unknown"


@functools.lru_cache(maxsize=64)
def describe_library(path: Path) -> dict[str, str | None]:
    """Returns where a library lies, its package's version, and the hash of its bytes."""
    return {
        "path": str(path),
        "version": package_version(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


@functools.lru_cache(maxsize=64)
def package_version(path: Path) -> str | None:
    """Returns the version of the Debian package a file belongs to, or None."""
    if shutil.which("dpkg-query") is None:
        return None
    resolved = path.resolve()
    # Debian's package lists know /lib by the name files were packed under.
    names = {str(resolved), str(resolved).removeprefix("/usr")}
    for name in sorted(names, key=len, reverse=True):
        owner = _output(["dpkg-query", "-S", name])
        if owner:
            package = owner.rpartition(": ")[0].split(",")[0]
            return _output(["dpkg-query", "-W", "-f", "${Version}", package]) or None
    return None


def _output(command: list[str]) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
