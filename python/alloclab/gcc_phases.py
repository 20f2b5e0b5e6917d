# SPDX-License-Identifier: MIT
"""Makes a compile tell the recorder its phases, passes and functions: the command is all it takes.

GCC takes plugins from its command line only, so a build is told through its own flags:

    alloclab record -- make CXXFLAGS="-O2 -fplugin=$(alloclab compile --gcc-plugin)"
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alloclab.compile.gcc_plugin import gcc_plugin
from alloclab.errors import UsageError

_DRIVER = re.compile(r"(?:[\w.]+-)*(?:gcc|g\+\+|cc|c\+\+|c89|c99)(?:-[\d.]+)?")
_CACHED = "ccache answers from its cache without compiling: CCACHE_DISABLE=1 makes it compile"


@dataclass(frozen=True)
class PhasedCommand:
    """A command that loads the plugin, and what its user should know."""

    words: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def add_gcc_phases(command: Sequence[str], *, path: str | None = None) -> PhasedCommand:
    """Returns a command of GCC's driver with the plugin added.

    Args:
        command: a driver of GCC and its arguments, behind `ccache` or not.
        path: where programs are looked for; this process's `PATH` by default.

    Raises:
        UsageError: the command is no driver of GCC.
        NotInstalled: the compiler or its plugin headers are missing; names the package.
        CompileError: the plugin does not compile against its headers.
    """
    words = list(command)
    if not words:
        raise UsageError("no command to record")
    is_cached = Path(words[0]).name == "ccache"
    at = 1 if is_cached and len(words) > 1 else 0
    name = Path(words[at]).name
    if not _DRIVER.fullmatch(name):
        raise UsageError(
            f"{name} is no driver of GCC; give a build the plugin by its flags: "
            'CXXFLAGS="-fplugin=$(alloclab compile --gcc-plugin)"'
        )
    found = shutil.which(words[at], path=path)
    driver = [*words[:at], found or words[at]]
    plugin = gcc_plugin(driver)
    is_cached = is_cached or (found is not None and Path(found).resolve().name == "ccache")
    return PhasedCommand(
        (*words[: at + 1], f"-fplugin={plugin}", *words[at + 1 :]),
        (_CACHED,) if is_cached else (),
    )
