# SPDX-License-Identifier: MIT
"""What recordings of tests/programs/hostile.c are held against."""

from __future__ import annotations

import os

import pytest

from alloclab.captures import Capture
from alloclab.traces import Trace

CAME_THROUGH = 5
"""Its exit code when it, and each child it made, came to its end."""
ROUNDS = 150_000
"""How many blocks it allocates before it acts, and again after."""


def counts(trace: Trace) -> tuple[int, int, int]:
    """How many blocks were allocated before the act, after it, and how many events were lost."""
    sizes = [int((chunk.size == size).sum()) for size in (1001, 2002) for chunk in trace.chunks()]
    half = len(sizes) // 2
    return sum(sizes[:half]), sum(sizes[half:]), trace.summary()["lost_events"]


def parent_of(capture: Capture | None, name: str = "") -> Trace:
    assert capture is not None
    traces = [trace for trace in capture if not trace.metadata["forked_from"]]
    (trace,) = [trace for trace in traces if trace.name == (name or trace.name)]
    return trace


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
