# SPDX-License-Identifier: MIT
"""Record a program's heap, replay it under any allocator, compare, and keep the result."""

from alloclab._core import version as __version__
from alloclab.allocators import (
    Allocator,
    Arena,
    Freelist,
    Glibc,
    Jemalloc,
    Mimalloc,
    Null,
    Pool,
    Preload,
    Tcmalloc,
)
from alloclab.captures import Capture, seal
from alloclab.errors import (
    ChildFailed,
    Error,
    NotComparable,
    NotInstalled,
    NotMeasured,
    TraceError,
    UsageError,
)
from alloclab.gate import VerdictFailed, check
from alloclab.record import record
from alloclab.replay import METRICS, Run, replay
from alloclab.sweep import Comparison, compare, load_comparison
from alloclab.traces import Trace, open_trace
from alloclab.traces_diff import TraceDiff, diff

__all__ = [
    "METRICS",
    "Allocator",
    "Arena",
    "Capture",
    "ChildFailed",
    "Comparison",
    "Error",
    "Freelist",
    "Glibc",
    "Jemalloc",
    "Mimalloc",
    "NotComparable",
    "NotInstalled",
    "NotMeasured",
    "Null",
    "Pool",
    "Preload",
    "Run",
    "Tcmalloc",
    "Trace",
    "TraceDiff",
    "TraceError",
    "UsageError",
    "VerdictFailed",
    "__version__",
    "check",
    "compare",
    "diff",
    "load_comparison",
    "open_trace",
    "record",
    "replay",
    "seal",
]
