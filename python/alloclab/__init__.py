# SPDX-License-Identifier: MIT
"""Record a program's heap, replay it under any allocator, compare, and keep the result."""

from alloclab import textbook
from alloclab._core import version as __version__
from alloclab.allocators import (
    Allocator,
    Arena,
    Buddy,
    Freelist,
    Glibc,
    Jemalloc,
    JemallocArena,
    Mimalloc,
    MimallocHeap,
    Null,
    PageAllocator,
    Platform,
    Pool,
    Preload,
    Slab,
    Tcmalloc,
    Tlsf,
)
from alloclab.captures import Capture, seal
from alloclab.errors import (
    ChildFailed,
    Error,
    NotComparable,
    NotInstalled,
    NotMeasured,
    SimulationError,
    TraceError,
    UsageError,
)
from alloclab.gate import VerdictFailed, check
from alloclab.record import record
from alloclab.replay import METRICS, Run, replay
from alloclab.simulate import Placement, njit_allocator, simulate
from alloclab.sweep import Comparison, compare, load_comparison
from alloclab.traces import Trace, open_trace
from alloclab.traces_diff import TraceDiff, diff

__all__ = [
    "METRICS",
    "Allocator",
    "Arena",
    "Buddy",
    "Capture",
    "ChildFailed",
    "Comparison",
    "Error",
    "Freelist",
    "Glibc",
    "Jemalloc",
    "JemallocArena",
    "Mimalloc",
    "MimallocHeap",
    "NotComparable",
    "NotInstalled",
    "NotMeasured",
    "Null",
    "PageAllocator",
    "Placement",
    "Platform",
    "Pool",
    "Preload",
    "Run",
    "SimulationError",
    "Slab",
    "Tcmalloc",
    "Tlsf",
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
    "njit_allocator",
    "open_trace",
    "record",
    "replay",
    "seal",
    "simulate",
    "textbook",
]
