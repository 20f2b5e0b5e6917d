# SPDX-License-Identifier: MIT
"""Finds the compiled parts of the package: the children, the recorder, the malloc libraries.

They are installed beside the extension module, which an editable install puts in another folder
than the Python sources.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

from alloclab.errors import Error


def replay_executable() -> Path:
    """Returns the path of the process that measures."""
    return _part("bin/alloclab-replay")


def symbolize_executable() -> Path | None:
    """Returns the path of what names functions, or None: it is not built where libdw is missing."""
    path = _native_folder() / "bin/alloclab-symbolize"
    return path if path.exists() else None


def record_library() -> Path:
    """Returns the path of the library that records a program it is preloaded into."""
    return _part("lib/liballoclab_record.so")


def malloc_library(name: str = "") -> Path:
    """Returns the path of one of the lab's own allocators behind malloc ("pool", "arena").

    Without a name it is the library of two faces, which reads ALLOCLAB_MALLOC.
    """
    return _part(f"lib/liballoclab_malloc_{name}.so" if name else "lib/liballoclab_malloc.so")


def gcc_plugin_source() -> Path:
    """Returns the source of the GCC plugin, which is compiled for the GCC that is to load it."""
    return _part("share/gcc_plugin.cpp")


def include_dir() -> Path:
    """Returns the folder of the C++ headers."""
    return _part("include")


def workloads_dir() -> Path:
    """Returns the folder of the workloads that come with the lab."""
    return _part("share/workloads")


def static_library(layer: str) -> Path:
    """Returns the archive of a layer of the core ("alloc", "vm", "base"), for code that uses it."""
    return _part(f"lib/liballoclab_{layer}.a")


@functools.cache
def _native_folder() -> Path:
    found = importlib.util.find_spec("alloclab._core")
    if found is not None and found.origin is not None:
        return Path(found.origin).resolve().parent
    return Path(__file__).resolve().parent


def _part(relative: str) -> Path:
    path = _native_folder() / relative
    if not path.exists():
        raise Error(f"{path} is missing: the package was not built whole; install it again")
    return path
