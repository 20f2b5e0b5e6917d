# SPDX-License-Identifier: MIT
"""The cell magics: `%%allocator Name` makes a cell of C++ an allocator of that name, and
`%%alloclab [NAME]` records a cell (see `_recording_magic`).

`%load_ext alloclab` calls `load_ipython_extension`; nothing here needs IPython to be imported.
"""

from __future__ import annotations

import shlex
from typing import Any, Protocol

from alloclab._recording_magic import CellResult, record_cell
from alloclab.allocators import Plugin, compile_plugin
from alloclab.errors import UsageError

_USAGE = "write %%allocator NAME [FLAG ...], and C++ with a class of that name below"


class Shell(Protocol):
    """What is used of IPython's shell."""

    user_ns: dict[str, Any]
    execution_count: int

    def register_magic_function(
        self, func: Any, magic_kind: str = ..., magic_name: str | None = ...
    ) -> None: ...

    def run_cell(self, raw_cell: str) -> CellResult: ...


def load_ipython_extension(shell: Shell) -> None:
    """Adds the magics to a shell; what `%load_ext alloclab` calls."""

    def allocator(line: str, cell: str) -> Plugin:
        """Compiles the cell; the name on the line becomes the spec of the class it defines."""
        plugin = compile_cell(line, cell, shell.execution_count)
        shell.user_ns[plugin.class_name or _name(line)[0]] = plugin
        return plugin

    def alloclab(line: str, cell: str) -> None:
        """Records the cell; a name on the line becomes its trace."""
        record_cell(shell, line, cell)

    shell.register_magic_function(allocator, magic_kind="cell", magic_name="allocator")
    shell.register_magic_function(alloclab, magic_kind="cell", magic_name="alloclab")


def compile_cell(line: str, cell: str, number: int) -> Plugin:
    """Compiles a cell; errors count its lines as the notebook does, the magic's own being 1.

    Args:
        line: what follows `%%allocator`: the name of the class, then flags for the compiler.
        cell: what stands below.
        number: the cell's, for errors to name it.

    Raises:
        CompileError: it does not compile.
        UsageError: there is no name.
    """
    name, flags = _name(line)
    has_macro = "ALLOCLAB_PLUGIN(" in cell
    source = f'#line 2 "In [{number}]"\n{cell}'
    return compile_plugin(source, class_name="" if has_macro else name, flags=flags)


def _name(line: str) -> tuple[str, list[str]]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"%%allocator: {error}: {_USAGE}") from None
    if not words or not words[0].isidentifier():
        raise UsageError(f"%%allocator: no name: {_USAGE}")
    return words[0], words[1:]
