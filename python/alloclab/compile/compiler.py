# SPDX-License-Identifier: MIT
"""Finds the C++ compiler: `$CXX` as a shell would read it, or the usual names."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from alloclab.errors import NotInstalled, UsageError

_USUAL = ("c++", "g++", "clang++")
_INSTALL = "apt-get install g++"
_ANSWER_TIMEOUT_S = 20


@dataclass(frozen=True)
class Compiler:
    """A compiler as it is called, and what tells one version of it from another."""

    words: tuple[str, ...]
    identity: str

    @property
    def is_gcc(self) -> bool:
        """Whether it is GCC, under whatever name."""
        return "clang" not in self.identity and "Free Software Foundation" in self.identity

    def plain_flags(self) -> list[str]:
        """Returns what makes it write errors without colours and pictures of the source."""
        is_clang = "clang" in self.identity
        picture = "-fno-caret-diagnostics" if is_clang else "-fno-diagnostics-show-caret"
        return ["-fno-diagnostics-color" if not is_clang else "-fno-color-diagnostics", picture]


def find_compiler() -> Compiler:
    """Returns the compiler `$CXX` names (it may carry arguments), or the first that is there.

    Raises:
        NotInstalled: there is none.
        UsageError: `$CXX` is no command, or does not say its version.
    """
    wanted = os.environ.get("CXX", "")
    try:
        words = shlex.split(wanted)
    except ValueError as error:
        raise UsageError(f"CXX is not a command: {wanted!r}: {error}") from None
    if not words:
        usual = next((name for name in _USUAL if shutil.which(name)), None)
        if usual is None:
            raise NotInstalled("a C++ compiler", _INSTALL)
        words = [usual]
    if shutil.which(words[0]) is None:
        raise NotInstalled(f"the C++ compiler that CXX names, {words[0]!r},", _INSTALL)
    return identify(words)


def identify(words: Sequence[str]) -> Compiler:
    """Returns a compiler that is called by these words: a program, and arguments if any.

    Raises:
        NotInstalled: there is no such program.
        UsageError: it does not say its version.
    """
    path = shutil.which(words[0])
    if path is None:
        raise NotInstalled(f"the compiler {words[0]!r}", _INSTALL)
    stat = os.stat(path)  # noqa: PTH116 - a name as the search gave it
    return _identify(tuple(words), path, stat.st_mtime_ns, stat.st_size)


def ask(words: Sequence[str], question: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a compiler with an option that makes it answer, in English, and waits for the answer.

    Raises:
        UsageError: it cannot be run, or does not end.
    """
    try:
        return subprocess.run(
            [*words, question],
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWER_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{shlex.join(words)} {question}: {error}") from None


@functools.lru_cache(maxsize=16)
def _identify(words: tuple[str, ...], path: str, _modified_ns: int, _size_bytes: int) -> Compiler:
    answer = ask(words, "--version")
    version = answer.stdout.decode("utf-8", "replace")
    if answer.returncode != 0 or not version:
        said = (answer.stderr.decode("utf-8", "replace").splitlines() or ["no answer"])[0]
        raise UsageError(f"{shlex.join(words)} --version: {said}: not a C++ compiler?")
    return Compiler(words, f"{path}\n{version}")
