# SPDX-License-Identifier: MIT
"""A model's recording as columns over the whole trace, and what its tests ask of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import alloclab as al
from alloclab.traces import KINDS

Rows = npt.NDArray[np.int64]
COLUMNS = ("kind", "object", "size", "value", "tag")


class ModelTrace:
    """One recording of a model; objects, scopes and events by their rows."""

    def __init__(self, trace: al.Trace) -> None:
        self.trace = trace
        self.names = trace.names
        self.objects = trace.objects()
        self.scopes = trace.scopes()
        chunks = list(trace.chunks())
        self.events: dict[str, npt.NDArray[Any]] = {
            name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in COLUMNS
        }

    def events_of(self, kind: str) -> Rows:
        """Returns the events of one kind, in order."""
        return np.flatnonzero(self.events["kind"] == KINDS[kind])

    def marks(self, name: str) -> Rows:
        """Returns the events of the marks of that name."""
        marks = self.trace.marks()
        is_it = [self.names[int(each)] == name for each in marks["name"]]
        return marks["event"][np.array(is_it, bool)].astype(np.int64)

    def tagged(self, *tags: str) -> Rows:
        """Returns the objects allocated under any of the tags."""
        wanted = [self.names.index(tag) for tag in tags if tag in self.names]
        return np.flatnonzero(np.isin(self.objects["tag"], wanted))

    def tags(self) -> set[str]:
        """Returns the tags there are."""
        return {self.names[int(tag)] for tag in np.unique(self.objects["tag"]) if tag >= 0}

    def label(self, scope: int) -> tuple[str, str]:
        """Returns a scope's kind and name."""
        return (
            self.names[int(self.scopes["kind"][scope])],
            self.names[int(self.scopes["name"][scope])],
        )

    def scopes_of(self, kind: str, name: str | None = None) -> list[int]:
        """Returns the scopes of a kind, or of a kind and name, in the order of entering."""
        labels = [self.label(scope) for scope in range(len(self.scopes["kind"]))]
        return [
            scope
            for scope, (its_kind, its_name) in enumerate(labels)
            if its_kind == kind and name in (None, its_name)
        ]

    def around(self, scope: int) -> list[tuple[str, str]]:
        """Returns the labels of the scopes around a scope, the innermost first."""
        found = []
        while (scope := int(self.scopes["parent"][scope])) >= 0:
            found.append(self.label(scope))
        return found

    def span(self, scope: int) -> tuple[int, int]:
        """Returns the events at which a scope was entered and left."""
        return int(self.scopes["enter"][scope]), int(self.scopes["exit"][scope])

    def born_in(self, scope: int) -> Rows:
        """Returns the objects whose innermost scope at birth was that one."""
        return np.flatnonzero(self.objects["scope"] == scope)

    def outlive(self, objects: Rows, event: int) -> Rows:
        """Returns those of the objects that are alive after an event."""
        death = self.objects["death"][objects]
        return objects[(death < 0) | (death > event)]

    def counts(self) -> dict[str, int]:
        """Returns the summary without what depends on time and on how threads took turns."""
        varying = {"duration_ns", "peak_requested_event", "peak_requested_live_bytes"}
        varying |= {"max_live_objects", "inversions", "events"}  # events: footprint samples
        return {name: each for name, each in self.trace.summary().items() if name not in varying}


def record_model(program: Path, folder: Path, *options: str | int) -> ModelTrace:
    """Records a model once and opens what it left."""
    words: Sequence[str] = [str(program), *map(str, options)]
    capture = al.record(words, output=folder)
    assert capture.returncode == 0
    assert not capture.warnings
    (trace,) = capture
    return ModelTrace(trace)
