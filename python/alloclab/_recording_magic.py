# SPDX-License-Identifier: MIT
"""The cell magic `%%alloclab [NAME]`: records the one cell and shows what it allocated.

`%load_ext alloclab` registers it; nothing here needs IPython to be imported.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, Protocol

from alloclab.errors import NotInstalled, UsageError
from alloclab.recording import recording
from alloclab.traces import Trace
from alloclab.views import plot_live

_USAGE = "write %%alloclab or %%alloclab NAME, and the code to record below"


class CellResult(Protocol):
    """What is used of the outcome of a cell."""

    def raise_error(self) -> None: ...


class CellShell(Protocol):
    """What is used of IPython's shell."""

    user_ns: dict[str, Any]

    def run_cell(self, raw_cell: str) -> CellResult: ...


def record_cell(shell: CellShell, line: str, cell: str) -> None:
    """Runs a cell and records it; shows the trace's summary and its live bytes as a figure.

    Args:
        shell: where to run it.
        line: what follows `%%alloclab`: a name for the trace in the notebook, or nothing.
        cell: what stands below.

    Raises:
        UsageError: the line is no name, or a recording is open.
        Exception: whatever the cell raises, after what it allocated was shown.
    """
    name = line.strip()
    if name and not name.isidentifier():
        raise UsageError(f"%%alloclab: {name!r} is no name: {_USAGE}")
    with recording() as open_recording:
        result = shell.run_cell(cell)
    for warning in open_recording.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    trace = open_recording.trace
    if name:
        shell.user_ns[name] = trace
    _show(trace)
    result.raise_error()


def _show(trace: Trace) -> None:
    display: Callable[[object], None] = importlib.import_module("IPython.display").display
    display(trace)
    try:
        display(plot_live(trace))
    except NotInstalled as error:
        print(error)
