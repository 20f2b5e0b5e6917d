# SPDX-License-Identifier: MIT
"""Traces made call by call, small enough to work out by hand."""

from __future__ import annotations

from pathlib import Path

import alloclab as al
from alloclab.traces import KINDS


class Calls:
    """Collects events, one a millisecond; a block's number is what `allocate` returned."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, int]] = []  # kind, thread, object, size
        self.created = 0

    def say(self, kind: str, thread: int = 0, number: int = 0, size: int = 0) -> None:
        self.rows.append((KINDS[kind], thread, number, size))

    def allocate(self, size: int, thread: int = 0) -> int:
        return self._create("allocate", size, thread)

    def map(self, size: int) -> int:
        return self._create("map", size, 0)

    def free(self, number: int, thread: int = 0) -> None:
        self.say("free", thread, number)

    def _create(self, kind: str, size: int, thread: int) -> int:
        self.say(kind, thread, self.created, size)
        self.created += 1
        return self.created - 1

    def trace(self, path: Path, image: str = "made") -> al.Trace:
        """Writes the events as a trace."""
        kind, thread, number, size = zip(*self.rows, strict=True)
        with al.TraceBuilder(path, image=image) as builder:
            builder.intern("a mark")
            time_ns = [1_000_000 * at for at in range(len(self.rows))]
            builder.append(kind=kind, thread=thread, object=number, size=size, time_ns=time_ns)
            return builder.finish()
