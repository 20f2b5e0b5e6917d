# SPDX-License-Identifier: MIT
"""Where a trace is, whatever stands for it: its path, an open trace, a workload of the shelf."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

from alloclab.errors import UsageError


class WorkloadPath(Protocol):
    """A program on the shelf, as far as opening its recording needs it."""

    @property
    def trace_path(self) -> Path: ...


def path_of(source: Any) -> Path:
    """Returns where a trace is: a path as it is, an open trace's, or that of a workload.

    Raises:
        UsageError: it is none of these.
    """
    if isinstance(source, str | os.PathLike):
        return Path(source)
    for name in ("path", "trace_path"):
        where = getattr(source, name, None)
        if isinstance(where, str | os.PathLike):
            return Path(where)
    raise UsageError(f"{source!r} is neither a trace, nor the path of one, nor a workload")


def is_absent(path: Path) -> bool:
    """Whether there is nothing of that name; False where nobody can tell."""
    try:
        return not path.exists()
    except OSError:  # the reader finds the words for it
        return False
