# SPDX-License-Identifier: MIT
"""How the shapes write their events: rows of numbers become a trace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from alloclab.errors import UsageError
from alloclab.trace_builder import TraceBuilder
from alloclab.traces import KINDS, Trace

MOST = 1 << 28


class Script:
    """Events of a shape in the making: blocks by number, in the order they are asked for."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, int]] = []
        self.objects = 0

    def allocate(self, size: int, thread: int = 0) -> int:
        """Appends an allocation; returns the block's number."""
        self._rows.append((KINDS["allocate"], self.objects, size, thread))
        self.objects += 1
        return self.objects - 1

    def free(self, block: int, thread: int = 0) -> None:
        """Appends the free of a block."""
        self._rows.append((KINDS["free"], block, 0, thread))

    def write(self, path: str | Path, name: str, parameters: Mapping[str, Any]) -> Trace:
        """Writes the trace of these events, with the parameters in its metadata."""
        rows = np.array(self._rows, np.uint64).reshape(-1, 4)
        origin = {"generator": f"alloclab.synthetic.{name}", **parameters}
        with TraceBuilder(path, image=name, origin=origin) as builder:
            builder.append(kind=rows[:, 0], object=rows[:, 1], size=rows[:, 2], thread=rows[:, 3])
            return builder.finish()


def check_counts(**counts: int) -> None:
    """Checks that these parameters are whole numbers from 1 on, and no more than anybody wants.

    Raises:
        UsageError: one is not; names it.
    """
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
            raise UsageError(f"{name}: a whole number from 1 to {MOST:,}, not {count!r}")


def check_sizes(sizes: tuple[int, int]) -> tuple[int, int]:
    """Returns a range of sizes, checked: the smallest and the largest, in bytes."""
    low, high = sizes
    check_counts(smallest_size=low, largest_size=high)
    if low > high:
        raise UsageError(f"sizes: {low} to {high} is no range")
    return low, high
