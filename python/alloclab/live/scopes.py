# SPDX-License-Identifier: MIT
"""Named arenas that live as long as a block of code."""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import Any

from alloclab.allocators import Allocator, Arena
from alloclab.errors import ScopeOrderError
from alloclab.live import open_scopes
from alloclab.live.allocator import LiveAllocator, OnEscape


class UnusedArena(UserWarning):
    """A scope ended without a single allocation."""


class _ArenaScope(LiveAllocator):
    """A scope that tells when nothing was ever allocated in it."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None and self._heap.allocation_count == 0 and not self.is_closed:
            warnings.warn(
                f"arena {self.name!r} ended without an allocation: use it or remove it",
                UnusedArena,
                stacklevel=2,
            )
        super().__exit__(kind, error, traceback)


def arena(
    name: str = "arena",
    spec: Allocator | None = None,
    *,
    on_escape: OnEscape = "error",
    **settings: Any,
) -> LiveAllocator:
    """Opens a scope: everything allocated in it ends with the `with` block.

        with al.arena("frame") as frame:
            block = frame.allocate(64, tag="ast")
            points = frame.array((1000, 2), "f8")
            ...
            del points

    An array still alive at the end raises ArenaEscapeError and stays valid. Scopes nest: the inner
    one ends first. A scope nothing was allocated in warns (UnusedArena).

    Args:
        name: how messages and `current_scope` call it.
        spec: the allocator behind it; an Arena otherwise.
        on_escape: as for `live`.
        settings: the Arena's, for instance `initial="1 MiB"`.
    """
    chosen = Arena.from_fields(settings) if spec is None else spec
    return _ArenaScope(chosen, name=name, on_escape=on_escape)


def current_scope(name: str | None = None) -> LiveAllocator:
    """Returns the innermost open scope, or the innermost one of that name: any open scope can be
    allocated from.

    Raises:
        ScopeOrderError: there is none.
    """
    for scope in reversed(open_scopes.all_open()):
        if name is None or scope.name == name:
            return scope
    raise ScopeOrderError(
        "no scope is open" if name is None else f"no open scope is named {name!r}"
    )
