# SPDX-License-Identifier: MIT
"""A trace with scopes, written down event by event, with the columns a sealed one has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from alloclab.traces import KINDS, Chunk


class ScopedTrace:
    """Events one a call; time is 10 ns an event; a scope's row is what `enter` returned.

    `chunk_events` cuts it into chunks, `threads` of allocations are given by each call.
    """

    def __init__(self, chunk_events: int = 1 << 18) -> None:
        self.chunk_events = chunk_events
        self.names: list[str] = []
        self.name = "made-up"
        self.events: list[tuple[int, int, int, int]] = []  # kind, thread, object, size
        self.rows: list[dict[str, int]] = []
        self.born: list[dict[str, int]] = []
        self.open: dict[int, list[int]] = {}
        self.samples: list[tuple[int, int]] = []

    def enter(self, kind: str, name: str, thread: int = 0) -> int:
        around = self.open.setdefault(thread, [])
        self.rows.append(
            {
                "instance": len(self.rows) + 1,
                "kind": self._intern(kind),
                "name": self._intern(name),
                "thread": thread,
                "parent": around[-1] if around else -1,
                "enter": len(self.events),
                "exit": -1,
                "enter_time_ns": 10 * len(self.events),
                "exit_time_ns": -1,
            }
        )
        around.append(len(self.rows) - 1)
        self._event("scope_enter", thread)
        return len(self.rows) - 1

    def exit(self, row: int) -> None:
        thread = self.rows[row]["thread"]
        assert self.open[thread].pop() == row
        self.rows[row] |= {"exit": len(self.events), "exit_time_ns": 10 * len(self.events)}
        self._event("scope_exit", thread)

    def allocate(self, size: int, thread: int = 0) -> int:
        return self._create("allocate", size, thread, is_region=False)

    def map(self, size: int, thread: int = 0) -> int:
        return self._create("map", size, thread, is_region=True)

    def split(self, number: int, at: int) -> int:
        made = self._create("split", at, 0, is_region=True)
        self.events[-1] = (KINDS["split"], 0, number, at)
        return made

    def end(self, number: int, kind: str = "free") -> None:
        self.born[number]["death"] = len(self.events)
        self._event(kind, 0, number)

    def resize(self, number: int, size: int, thread: int = 0) -> None:
        kind = "remap" if self.born[number]["is_region"] else "reallocate"
        self._event(kind, thread, number, size)

    def sample(self, anonymous_bytes: int) -> None:
        self.samples.append((len(self.events), anonymous_bytes))
        self._event("footprint", 0)

    def __len__(self) -> int:
        return len(self.events)

    def chunks(self) -> Iterator[Chunk]:
        for first in range(0, len(self.events), self.chunk_events):
            part = np.array(self.events[first : first + self.chunk_events], dtype=np.int64)
            zeros = np.zeros(len(part), np.uint64)
            columns: dict[str, Any] = dict.fromkeys(Chunk.__dataclass_fields__, zeros)
            columns |= {
                "first_event": first,
                "kind": part[:, 0].astype(np.uint8),
                "thread": part[:, 1].astype(np.uint32),
                "object": part[:, 2].astype(np.uint64),
                "size": part[:, 3].astype(np.uint64),
                "time_ns": 10 * np.arange(first, first + len(part), dtype=np.uint64),
            }
            yield Chunk(**columns)

    def objects(self) -> dict[str, Any]:
        names = ("size", "death", "scope", "is_region")
        return {each: np.array([row[each] for row in self.born]) for each in names}

    def scopes(self) -> dict[str, Any]:
        names = [
            "instance",
            "kind",
            "name",
            "thread",
            "parent",
            "enter",
            "exit",
            "enter_time_ns",
            "exit_time_ns",
        ]
        return {each: np.array([row[each] for row in self.rows], np.int64) for each in names}

    def footprint(self) -> dict[str, Any]:
        table = np.array(self.samples, dtype=np.int64).reshape(-1, 2)
        return {"event": table[:, 0], "anonymous_bytes": table[:, 1]}

    def _create(self, kind: str, size: int, thread: int, *, is_region: bool) -> int:
        around = self.open.get(thread, [])
        scope = around[-1] if around else -1
        self.born.append({"size": size, "death": -1, "scope": scope, "is_region": is_region})
        self._event(kind, thread, len(self.born) - 1, size)
        return len(self.born) - 1

    def _event(self, kind: str, thread: int, number: int = 0, size: int = 0) -> None:
        self.events.append((KINDS[kind], thread, number, size))

    def _intern(self, name: str) -> int:
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)
