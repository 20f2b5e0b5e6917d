# SPDX-License-Identifier: MIT
"""Allocators of your own: a C++ source compiled on first use, or a library that is ready."""

from __future__ import annotations

import hashlib
import re
import shlex
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from alloclab.allocators.elf import exported_symbols
from alloclab.allocators.own import Composed
from alloclab.allocators.spec import Allocator, Json, Launch
from alloclab.compile import compile_library
from alloclab.errors import CompileError, UsageError

SOURCE_SUFFIXES = (".cpp", ".cc", ".cxx")
ENTRY_POINT = "alloclab_plugin"
_OWN_FIELDS = ("path", "source", "class_name", "flags", "options", "library")
_LIBRARY_NAME = re.compile(r".*\.so(\.\d+)*")


def _read_text(value: Any) -> str:
    return str(value)


def _read_flags(value: Any) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(value) if isinstance(value, str) else (str(v) for v in value))
    except (TypeError, ValueError):
        raise UsageError(f"not a list of compiler flags: {value!r}") from None


def _read_options(value: Any) -> tuple[tuple[str, str], ...]:
    pairs = value.items() if isinstance(value, Mapping) else value
    try:
        options = tuple(sorted((str(name), _option_text(each)) for name, each in pairs))
    except (TypeError, ValueError):
        raise UsageError(f"not a mapping of names to values: {value!r}") from None
    for name, text in options:
        if name in _OWN_FIELDS or not name or "\0" in name + text:
            raise UsageError(f"not an option a plugin can have: {name!r}")
    return options


def _option_text(value: Any) -> str:
    if isinstance(value, Allocator):
        raise TypeError
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Plugin(Composed):
    """An allocator of your own, loaded by the replay child only: a crash costs one run.

    A C++ source is compiled on first use by `$CXX` (by default c++) against the installed headers
    and kept; it says `ALLOCLAB_PLUGIN(MyClass);`, or the class is named here. A library exports
    `alloclab_plugin` as plugin.h has it, whatever language it is written in.

    Args:
        path: a .cpp, .cc or .cxx, or a .so.
        source: the C++ itself, in place of a path.
        class_name: the class, where the source does not say it.
        flags: what the compiler is given beside the standard flags.
        options: settings of the allocator, as a mapping; given to it as text.
    """

    name = "plugin"
    is_child_only: ClassVar[bool] = True
    path: str | Path = field(default="", metadata={"read": _read_text})
    source: str = field(default="", metadata={"read": _read_text}, repr=False)
    class_name: str = field(default="", metadata={"read": _read_text})
    flags: Any = field(default=(), metadata={"read": _read_flags})
    options: Any = field(default=(), metadata={"read": _read_options})

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.path) == bool(self.source):
            raise UsageError("plugin: give the path of a source or library, or a source")
        if self.path and not (_is_source(self.path) or _LIBRARY_NAME.fullmatch(str(self.path))):
            kinds = ", ".join((*SOURCE_SUFFIXES, ".so"))
            raise UsageError(f"plugin: {self.path}: not one of {kinds}")
        if self.path and not _is_source(self.path) and (self.class_name or self.flags):
            raise UsageError(f"plugin: {self.path}: a library takes no class_name and no flags")

    def __str__(self) -> str:
        settings = [f"{name}={text}" for name, text in self.options]
        if self.flags:
            settings.insert(0, f"flags={shlex.join(self.flags)}")
        if self.source:
            given = hashlib.sha256(self.source.encode("utf-8", "surrogatepass")).hexdigest()
            head = f"{self.class_name or 'plugin'}#{given[:8]}"
        else:
            head = str(self.path) if _is_source(self.path) else self.name
            settings[:0] = [f"class_name={self.class_name}"] if self.class_name else []
            settings[:0] = [] if _is_source(self.path) else [f"path={self.path}"]
        return f"{head}:{','.join(settings)}" if settings else head

    def to_json(self) -> Json:
        return {**super().to_json(), "flags": list(self.flags), "options": dict(self.options)}

    @classmethod
    def from_fields(cls, values: Mapping[str, Any]) -> Self:
        """As every spec; a name that is not a field's is an option of the allocator."""
        fields = {name: value for name, value in values.items() if name in cls.field_names()}
        more = {name: value for name, value in values.items() if name not in fields}
        options = dict(_read_options(fields.pop("options", ())))
        return cls(**fields, options={**options, **more})

    def library(self) -> Path:
        """Returns the library, compiled where that has not been done.

        Raises:
            CompileError: the source does not compile, or makes no plugin.
            NotInstalled: there is no C++ compiler.
            UsageError: there is no such file, or it is no library with a plugin.
        """
        if self.source:
            return self._compiled(self.source, "<source>", Path.cwd())
        path = Path(self.path).absolute()
        if not path.is_file():
            raise UsageError(f"{self.path}: no such file")
        if not _is_source(path):
            if not is_plugin_library(path):
                raise UsageError(f"{self.path}: not a library that exports {ENTRY_POINT}")
            return path
        text = path.read_text("utf-8", "surrogateescape")
        return self._compiled(text, str(self.path), path.parent)

    def _compiled(self, text: str, name: str, folder: Path) -> Path:
        library = compile_library(
            text, name=name, folder=folder, class_name=self.class_name, flags=self.flags
        )
        if not is_plugin_library(library):
            raise CompileError(
                [
                    f"{name}: makes no plugin: end it with ALLOCLAB_PLUGIN(YourClass);, or name "
                    'the class: class_name="YourClass"'
                ],
                file=name,
            )
        return library

    def core_spec(self) -> Json:
        options = {"library": str(self.library()), **dict(self.options)}
        return {"allocator": self.name, "options": options}

    def kernel(self) -> Launch:
        launch = super().kernel()
        return replace(launch, library=self.library())


def compile_plugin(
    source: str,
    *,
    class_name: str = "",
    flags: str | Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Plugin:
    """Compiles the C++ source of an allocator and returns it as a spec that holds the source.

    Args:
        source: the text; it may leave out includes of the lab's when `class_name` is given.
        class_name: the class, where the source does not say `ALLOCLAB_PLUGIN(MyClass);`.
        flags: what the compiler is given beside the standard flags.
        options: settings of the allocator.

    Raises:
        CompileError: with the file, line and column of the first error, and what it says.
        NotInstalled: there is no C++ compiler.

    Example:
        >>> bump = al.compile(text, class_name="Bump")  # doctest: +SKIP
        >>> al.replay(trace, bump)["type_erased_ns_per_event"]  # doctest: +SKIP
    """
    plugin = Plugin(source=source, class_name=class_name, flags=flags, options=options or {})
    plugin.library()
    return plugin


def is_plugin_library(path: Path) -> bool:
    """Whether a file is a shared library with the entry point of a plugin."""
    try:
        return ENTRY_POINT.encode() in exported_symbols(path.read_bytes())
    except (OSError, ValueError, IndexError, struct.error):
        return False


def _is_source(path: str | Path) -> bool:
    return str(path).endswith(SOURCE_SUFFIXES)
