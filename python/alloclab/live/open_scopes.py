# SPDX-License-Identifier: MIT
"""The scopes open now, per thread and task: the last one opened is the first one to close."""

from __future__ import annotations

import sys
import threading
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING

from alloclab.errors import ScopeOrderError

if TYPE_CHECKING:
    from alloclab.live.allocator import LiveAllocator


class ScopeStack:
    """The scopes the running thread or task has open, outermost first.

    A task begins with a copy of its maker's context, and so would hold scopes that may end while it
    runs: who opened them stands beside them, and nobody else sees them.
    """

    def __init__(self, name: str) -> None:
        self._open: ContextVar[tuple[object, tuple[LiveAllocator, ...]]] = ContextVar(
            name, default=(None, ())
        )

    def get(self) -> tuple[LiveAllocator, ...]:
        """Returns the open scopes."""
        owner, scopes = self._open.get()
        return scopes if scopes and owner == _running() else ()

    def set(self, scopes: tuple[LiveAllocator, ...]) -> None:
        """Makes these the open ones."""
        self._open.set((_running(), scopes))


def _running() -> object:
    """Returns what tells this thread and this task of asyncio from all others."""
    asyncio = sys.modules.get("asyncio")
    thread = threading.get_ident()
    if asyncio is None:
        return thread, None
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs
        task = None
    return thread, None if task is None else weakref.ref(task)


_open = ScopeStack("alloclab_open_scopes")


def all_open() -> tuple[LiveAllocator, ...]:
    """Returns the open scopes, outermost first."""
    return _open.get()


def push(scope: LiveAllocator) -> None:
    """Makes the scope the innermost one.

    Raises:
        ScopeOrderError: it is open or closed already.
    """
    if scope.is_closed or scope in _open.get():
        state = "closed" if scope.is_closed else "open already"
        raise ScopeOrderError(f"{scope.name!r} cannot be entered: it is {state}")
    _open.set((*_open.get(), scope))


def check_innermost(scope: LiveAllocator) -> None:
    """Refuses to close a scope while one opened within it is open.

    Raises:
        ScopeOrderError: names those that have to be closed first.
    """
    scopes = _open.get()
    if scope in scopes and scopes[-1] is not scope:
        inner = ", ".join(repr(each.name) for each in scopes[scopes.index(scope) + 1 :])
        raise ScopeOrderError(f"{scope.name!r} cannot end before what was opened in it: {inner}")


def pop(scope: LiveAllocator) -> None:
    """Takes the innermost scope off.

    Raises:
        ScopeOrderError: another one is the innermost, or it was opened in another context.
    """
    if scope not in _open.get():
        raise ScopeOrderError(f"{scope.name!r} was not opened in this thread or task")
    check_innermost(scope)
    _open.set(_open.get()[:-1])
