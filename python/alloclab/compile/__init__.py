# SPDX-License-Identifier: MIT
"""Compiles a C++ allocator against the installed headers into a library the child can load."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from alloclab import _native
from alloclab.compile import cache
from alloclab.compile.compiler import Compiler, find_compiler
from alloclab.compile.diagnostics import compile_error, read_diagnostics
from alloclab.errors import CompileError, UsageError

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "STANDARD_FLAGS",
    "compile_library",
    "read_dependencies",
    "run_compiler",
]

# Optimised and without `assert`, as every allocator it is measured beside.
STANDARD_FLAGS = (
    "-std=c++20",
    "-O2",
    "-DNDEBUG",
    "-fPIC",
    "-shared",
    "-fvisibility=hidden",
)
DEFAULT_TIMEOUT_S = 120.0
_CLASS = re.compile(r"(::)?[A-Za-z_]\w*(::[A-Za-z_]\w*)*(<[\w:<>,.() ]*>)?")
_LINE_DIRECTIVE = re.compile(r'#line (\d+) "((?:[^"\\]|\\.)*)"\n')


def compile_library(
    text: str,
    *,
    name: str,
    folder: Path,
    class_name: str = "",
    flags: Sequence[str] = (),
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Path:
    """Compiles C++ source into a shared library, or finds it compiled before.

    Args:
        text: the source.
        name: what errors call it; a `#line` at the top of the source overrides it.
        folder: where its own includes are looked for.
        class_name: a class to make the plugin of, where the source does not say it itself.
        flags: what the compiler is given beside `STANDARD_FLAGS`.
        timeout_s: seconds the compiler may take.

    Raises:
        CompileError: the source does not compile.
        NotInstalled: there is no compiler.
        UsageError: `CXX`, the name of the class or the cache folder cannot be used.
    """
    if class_name and not _CLASS.fullmatch(class_name):
        raise UsageError(f"not the name of a C++ class: {class_name!r}")
    compiler = find_compiler()
    whole = _with_glue(text, name, class_name)
    words = _words(compiler, folder, flags, has_glue=bool(class_name))
    entry = cache.Entry(_key(whole, words, compiler))
    library = entry.find()
    if library is None:
        with tempfile.TemporaryDirectory(prefix="compile-", dir=cache.folder()) as work:
            made, needed = Path(work) / "plugin.so", Path(work) / "plugin.d"
            run_compiler(
                [*words, "-MMD", "-MF", str(needed), "-MT", "plugin", "-o", str(made)],
                whole,
                name,
                folder,
                timeout_s,
            )
            dependencies = {*read_dependencies(needed.read_text("utf-8"), folder), *_archives()}
            library = entry.store(made, dependencies)
    return library


def read_dependencies(text: str, folder: Path) -> list[Path]:
    """Returns the files a compiler's dependency file (make's syntax) names, but standard input."""
    _, _, listed = text.partition(":")
    joined = listed.replace("\\\n", " ")
    words = [word for word in re.split(r"(?<!\\)\s+", joined) if word]
    plain = [re.sub(r"\\([ #])", r"\1", word).replace("$$", "$") for word in words]
    return [folder / word for word in plain if word not in ("-", "<stdin>")]


def _with_glue(text: str, name: str, class_name: str) -> str:
    """Returns the source with its place named, and the plugin's macro at the class it is made of.

    An error of the macro then points to where the class begins.
    """
    given = _LINE_DIRECTIVE.match(text)
    shown = given[2] if given else name.replace("\\", "\\\\").replace('"', '\\"')
    first = int(given[1]) if given else 1
    body = text[given.end() :] if given else text
    whole = f'#line {first} "{shown}"\n{body}\n'
    if class_name:
        plain = re.escape(class_name.partition("<")[0].rpartition(":")[2])
        begins = re.search(rf"\b(?:class|struct|using)\s+{plain}\b", body)
        line = first + body.count("\n", 0, begins.start() if begins else len(body))
        whole += f'#line {line} "{shown}"\nALLOCLAB_PLUGIN({class_name});\n'
    return whole


def _words(compiler: Compiler, folder: Path, flags: Sequence[str], *, has_glue: bool) -> list[str]:
    include = ["-I", str(_native.include_dir()), "-iquote", str(folder)]
    glue = ["-include", "alloclab/plugin.hpp"] if has_glue else []
    source = ["-x", "c++", "-", "-x", "none", *(str(path) for path in _archives())]
    return [
        *compiler.words,
        *STANDARD_FLAGS,
        *compiler.plain_flags(),
        *include,
        *glue,
        *flags,
        *source,
        "-Wl,-z,defs",
    ]


def _archives() -> list[Path]:
    """Returns what the lab's own headers need where a source uses them, in link order."""
    return [_native.static_library(name) for name in ("alloc", "vm", "base")]


def _key(whole: str, words: Sequence[str], compiler: Compiler) -> str:
    content = json.dumps([whole, list(words), compiler.identity])
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def run_compiler(
    words: Sequence[str], text: str, name: str, folder: Path, timeout_s: float
) -> None:
    """Runs a compiler in a folder, with the source on its standard input.

    Raises:
        CompileError: the source does not compile, or not within `timeout_s`.
        UsageError: the compiler cannot be started.
    """
    try:
        ended = subprocess.run(
            words,
            input=text.encode("utf-8", "surrogateescape"),
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CompileError([f"{name}: not compiled within {timeout_s:g} s"]) from None
    except OSError as error:
        raise UsageError(f"cannot start {words[0]}: {error.strerror}") from None
    if ended.returncode != 0:
        output = ended.stderr.decode("utf-8", "replace")
        given = _LINE_DIRECTIVE.match(text)
        raise compile_error(read_diagnostics(output), given[2] if given else name, output)
