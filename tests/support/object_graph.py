# SPDX-License-Identifier: MIT
"""The object graph a trace tells of, followed event by event: what its roots reach at any time."""

from __future__ import annotations

from collections.abc import Iterator

from alloclab.traces import KINDS
from support.model_trace import ModelTrace

ALLOCATE, FREE = KINDS["allocate"], KINDS["free"]
REFERENCE = KINDS["reference"]
ROOT_PUSH, ROOT_POP, ROOT_SET = KINDS["root_push"], KINDS["root_pop"], KINDS["root_set"]


class ObjectGraph:
    """Live objects, the references between them, and the stack of roots; -1 for no object."""

    def __init__(self, model: ModelTrace) -> None:
        self._events = model.events
        self.live: set[int] = set()
        self.slots: dict[int, dict[int, int]] = {}
        self.roots: list[int] = []

    def follow(self, first: int, last: int) -> Iterator[int]:
        """Applies the events from `first` up to `last`; yields the objects freed."""
        for event in range(first, last):
            kind = int(self._events["kind"][event])
            subject = int(self._events["object"][event])
            one, two = (int(each) for each in self._events["value"][event][:2])
            if kind == ALLOCATE:
                self.live.add(subject)
            elif kind == FREE:
                self.live.discard(subject)
                self.slots.pop(subject, None)
                yield subject
            elif kind == REFERENCE:
                self.slots.setdefault(subject, {})[one] = two - 1
            elif kind == ROOT_PUSH:
                self.roots.append(one - 1)
            elif kind == ROOT_POP:
                del self.roots[len(self.roots) - one :]
            elif kind == ROOT_SET:
                self.roots[one] = two - 1

    def reachable(self) -> set[int]:
        """Returns the objects that the roots reach."""
        found: set[int] = set()
        pending = [root for root in self.roots if root >= 0]
        while pending:
            subject = pending.pop()
            if subject not in found:
                found.add(subject)
                pending += [each for each in self.slots.get(subject, {}).values() if each >= 0]
        return found
