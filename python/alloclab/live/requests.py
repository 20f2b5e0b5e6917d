# SPDX-License-Identifier: MIT
"""Request scopes: an arena a request, opened and closed by id."""

from __future__ import annotations

import threading
from typing import NewType

from alloclab._core import Block
from alloclab.allocators import Allocator, Arena, Locked, Pool
from alloclab.errors import ScopeOrderError
from alloclab.live.allocator import DEFAULT_ALIGNMENT, LiveAllocator
from alloclab.live.open_scopes import ScopeStack

ScopeId = NewType("ScopeId", int)


class RequestScopes:
    """Opens and closes an arena for each request.

    Each thread, and each task of asyncio, starts with no scope open, also when it is begun within
    one. Ids grow and are never reused.

    Args:
        spec: the arena of a request.
        strict: closing a scope that is not the innermost raises; otherwise an unknown id is passed
            over, and closing an outer scope closes those within it too.
    """

    def __init__(self, spec: Allocator | None = None, *, strict: bool = True) -> None:
        self.spec = Arena() if spec is None else spec
        self.strict = strict
        self.heap_fallback_count = 0
        self._open = ScopeStack("requests")
        self._heap: LiveAllocator | None = None
        self._heap_lock = threading.Lock()

    def enter_request_scope(self, name: str = "request") -> ScopeId:
        """Opens a scope within the innermost one and returns its id."""
        scope = LiveAllocator(self.spec, name=name)
        self._open.set((*self._open.get(), scope))
        return ScopeId(scope.id)

    def exit_request_scope(self, scope_id: ScopeId) -> None:
        """Closes a scope and gives its memory back.

        Raises:
            ScopeOrderError: it is not the innermost open one (strict only).
            ArenaEscapeError: an array outlives it; the scope is closed all the same.
        """
        scopes = self._open.get()
        place = next((n for n, scope in enumerate(scopes) if scope.id == scope_id), None)
        if place is None:
            if self.strict:
                raise ScopeOrderError(f"no open request scope has the id {scope_id}")
            return
        if self.strict and place != len(scopes) - 1:
            raise ScopeOrderError(
                f"request scope {scope_id} cannot end before {scopes[-1].id}, opened in it"
            )
        self._open.set(scopes[:place])
        _close_all(scopes[place:])

    @property
    def current(self) -> LiveAllocator | None:
        """The innermost open scope's arena, or None."""
        scopes = self._open.get()
        return scopes[-1] if scopes else None

    def allocate(
        self, size: int, alignment: int = DEFAULT_ALIGNMENT, tag: str | None = None
    ) -> Block:
        """Returns a block of the current request's arena; outside of every request one of the heap,
        counted in `heap_fallback_count`, which serves any thread.
        """
        scope = self.current or self._fall_back()
        return scope.allocate(size, alignment, tag)

    def _fall_back(self) -> LiveAllocator:
        with self._heap_lock:
            self.heap_fallback_count += 1
            if self._heap is None:
                self._heap = LiveAllocator(Locked(Pool()), name="outside requests")
            return self._heap


def _close_all(scopes: tuple[LiveAllocator, ...]) -> None:
    """Closes every scope, innermost first, and raises the first error afterwards."""
    first: Exception | None = None
    for scope in reversed(scopes):
        try:
            scope.close()
        except Exception as error:
            first = first or error
    if first is not None:
        raise first


_default = RequestScopes()


def enter_request_scope(name: str = "request") -> ScopeId:
    """Opens a request scope in the process's own `RequestScopes`."""
    return _default.enter_request_scope(name)


def exit_request_scope(scope_id: ScopeId) -> None:
    """Closes a request scope of the process's own `RequestScopes`, which is strict."""
    _default.exit_request_scope(scope_id)
