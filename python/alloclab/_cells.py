# SPDX-License-Identifier: MIT
"""What an IPython shell tells of a recording: each cell that runs is a scope and a tag.

Nothing here needs IPython to be installed: a shell is there, or it is not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol

from alloclab import _recording

SCOPE_KIND = "task"


class Events(Protocol):
    """What is used of a shell's events."""

    def register(self, event: str, function: Callable[[Any], None]) -> None: ...
    def unregister(self, event: str, function: Callable[[Any], None]) -> None: ...


class DisplayHook(Protocol):
    """What shows results; IPython's releases differ in when they count a cell, this does not."""

    prompt_count: int


class Shell(Protocol):
    """What is used of IPython's shell."""

    displayhook: DisplayHook
    events: Events


def running_shell() -> Shell | None:
    """Returns the IPython shell this code runs in, if it does."""
    ipython = sys.modules.get("IPython")
    shell: Shell | None = None if ipython is None else ipython.get_ipython()
    return shell


class Cells:
    """Follows a shell's cells while a recording is open, from the running one to the running one.

    Args:
        shell: the shell.
        before_each: called before each cell, in its context.
    """

    def __init__(self, shell: Shell, before_each: Callable[[], None]) -> None:
        self._shell = shell
        self._before_each = before_each
        self._scope = 0
        self._tag = 0
        self._is_in_cell = False

    def start(self) -> None:
        self._shell.events.register("pre_run_cell", self._enter)
        self._shell.events.register("post_run_cell", self._leave)
        self._enter(None)

    def stop(self) -> None:
        self._shell.events.unregister("pre_run_cell", self._enter)
        self._shell.events.unregister("post_run_cell", self._leave)
        self._leave(None)

    def _enter(self, info: Any) -> None:
        if self._is_in_cell:  # a cell that a cell runs belongs to that one
            return
        self._is_in_cell = True
        self._before_each()
        name = f"cell {self._shell.displayhook.prompt_count}"
        self._scope = _recording.enter_scope(SCOPE_KIND, name)
        self._tag = _recording.set_tag(name)

    def _leave(self, result: Any) -> None:
        if self._is_in_cell:
            self._is_in_cell = False
            _recording.restore_tag(self._tag)
            _recording.exit_scope(self._scope)
