# SPDX-License-Identifier: MIT
"""Finds a peer's shared library: an override, the loader's cache, then the usual folders."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from alloclab.errors import NotInstalled, UsageError

_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64", "/lib", "/opt/lib")


def find_library(peer: str, names: Sequence[str], how: str) -> Path:
    """Finds the library of a peer.

    Args:
        peer: its name; `ALLOCLAB_<PEER>_LIBRARY` in the environment overrides the search.
        names: file names, best first, for instance ("libjemalloc.so.2",).
        how: the command that installs it, for the error.

    Raises:
        NotInstalled: no library of these names is on this machine.
        UsageError: the override names no file.
    """
    variable = f"ALLOCLAB_{peer.upper()}_LIBRARY"
    override = os.environ.get(variable)
    if override:
        path = Path(override)
        if not path.is_file():
            raise UsageError(f"{variable} names no file: {override}")
        return path.resolve()
    cached = _loader_cache()
    for name in names:
        if name in cached:
            return cached[name]
        for folder in _folders():
            path = folder / name
            if path.is_file():
                return path.resolve()
    raise NotInstalled(peer, how)


def _folders() -> list[Path]:
    folders = []
    for each in _FOLDERS:
        folders.append(Path(each))
        folders.extend(sorted(Path(each).glob(f"{os.uname().machine}-linux-gnu*")))
    return folders


@functools.cache
def _loader_cache() -> dict[str, Path]:
    """Returns what ldconfig knows for this machine's word size; empty where it cannot be asked."""
    ldconfig = shutil.which("ldconfig") or "/sbin/ldconfig"
    try:
        listing = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    found: dict[str, Path] = {}
    for line in listing.stdout.splitlines():
        name, separator, target = line.strip().partition(" => ")
        if separator and ("x86-64" in name or "AArch64" in name or "64bit" in name):
            path = Path(target)
            if path.is_file():
                found.setdefault(name.split(" ", 1)[0], path.resolve())
    return found
