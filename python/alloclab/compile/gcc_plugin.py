# SPDX-License-Identifier: MIT
"""The GCC plugin, built on this machine against the headers of the GCC that is to load it."""

from __future__ import annotations

import hashlib
import json
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

from alloclab import _native
from alloclab.compile import DEFAULT_TIMEOUT_S, cache, read_dependencies, run_compiler
from alloclab.compile.compiler import Compiler, ask, identify
from alloclab.errors import NotInstalled, UsageError

# GCC is compiled without exceptions and type information; what is not needed is not linked, the C++
# library above all.
PLUGIN_FLAGS = (
    "-std=c++17",
    "-O2",
    "-fPIC",
    "-shared",
    "-fno-rtti",
    "-fno-exceptions",
    "-Wl,--as-needed",
)


def gcc_plugin(compiler: str | Sequence[str] = "g++") -> Path:
    """Returns the plugin that makes a GCC tell a recorder what it is doing; builds it at need.

    Args:
        compiler: a driver of GCC (gcc, g++, a path), with words before or behind it if any. The
            plugin serves every language of that very version.

    Raises:
        NotInstalled: the compiler or its plugin headers are missing; names the package.
        UsageError: it is not GCC.
        CompileError: the plugin does not compile against its headers.
    """
    words = [compiler] if isinstance(compiler, str) else list(compiler)
    found = identify(words)
    if not found.is_gcc:
        raise UsageError(f"{' '.join(words)} is not GCC: it cannot load a plugin of GCC's")
    source = _native.gcc_plugin_source()
    text = source.read_text("utf-8")
    include = plugin_include_dir(found)
    command = [*found.words, *PLUGIN_FLAGS, "-isystem", str(include), "-x", "c++", "-"]
    entry = cache.Entry(_key(text, command, found))
    library = entry.find()
    if library is None:
        with tempfile.TemporaryDirectory(prefix="compile-", dir=cache.folder()) as work:
            made, needed = Path(work) / "plugin.so", Path(work) / "plugin.d"
            dependencies = ["-MD", "-MF", str(needed), "-MT", "plugin"]
            run_compiler(
                [*command, *dependencies, "-o", str(made)],
                text,
                str(source),
                Path(work),
                DEFAULT_TIMEOUT_S,
            )
            library = entry.store(made, read_dependencies(needed.read_text("utf-8"), Path(work)))
    return library


def plugin_include_dir(compiler: Compiler) -> Path:
    """Returns where a GCC's plugin headers are.

    Raises:
        NotInstalled: they are not there; names the package.
    """
    folder = Path(_ask(compiler, "-print-file-name=plugin")) / "include"
    if not (folder / "gcc-plugin.h").is_file():
        major = _ask(compiler, "-dumpversion").partition(".")[0]
        raise NotInstalled(
            f"the plugin headers of {' '.join(compiler.words)}",
            f"apt-get install gcc-{major}-plugin-dev",
        )
    return folder


def _ask(compiler: Compiler, question: str) -> str:
    answer = ask(compiler.words, question)
    if answer.returncode != 0:
        raise UsageError(f"{shlex.join(compiler.words)} {question}: exit code {answer.returncode}")
    return answer.stdout.decode("utf-8", "surrogateescape").strip()


def _key(text: str, words: Sequence[str], compiler: Compiler) -> str:
    content = json.dumps([text, list(words), compiler.identity])
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]
