# SPDX-License-Identifier: MIT
"""Says whether a file is a shared library that can stand in for malloc, before a child runs it.

The loader ignores a library it cannot preload and goes on with the C library's malloc, so that an
unchecked one would be measured as glibc under another's name.
"""

from __future__ import annotations

import functools
import struct
import subprocess
from pathlib import Path

from alloclab.errors import UsageError

_NEEDED = (b"malloc", b"free")
_ELF_CLASS_64, _LITTLE_ENDIAN, _TYPE_SHARED, _SECTION_DYNSYM = 2, 1, 3, 11
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_PROBE_TIMEOUT_S = 20


def check_preloadable(path: Path) -> None:
    """Checks that a file is a 64-bit shared library that exports malloc and free and loads.

    Raises:
        UsageError: it is not; the message names the file and the reason.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    if " " in str(path) or ":" in str(path):
        raise UsageError(f"{path}: LD_PRELOAD takes no path with a space or a colon; move it")
    stat = path.stat()
    _check_once(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=64)
def _check_once(path: Path, _modified_ns: int, _size_bytes: int) -> None:
    try:
        exported = exported_symbols(path.read_bytes())
    except (ValueError, struct.error, IndexError) as error:
        raise UsageError(f"{path}: not a 64-bit shared library: {error}") from None
    missing = [name.decode() for name in _NEEDED if name not in exported]
    if missing:
        raise UsageError(f"{path}: exports no {' and no '.join(missing)}: not an allocator")
    _check_loads(path)


def exported_symbols(content: bytes) -> set[bytes]:
    """Returns the names of the symbols a shared library defines for others.

    Raises:
        ValueError: the bytes are no 64-bit little-endian shared library.
    """
    if content[:4] != b"\x7fELF":
        raise ValueError("no ELF header")
    ident, kind, _, _, _, _, table, _, _, _, _, entry_bytes, count, _ = _HEADER.unpack_from(content)
    if ident[4] != _ELF_CLASS_64 or ident[5] != _LITTLE_ENDIAN:
        raise ValueError("made for another machine")
    if kind != _TYPE_SHARED or entry_bytes != _SECTION.size:
        raise ValueError("no shared library")
    sections = [_SECTION.unpack_from(content, table + at * entry_bytes) for at in range(count)]
    names: set[bytes] = set()
    for section in sections:
        if section[1] == _SECTION_DYNSYM:
            strings = sections[section[6]]
            names |= _defined_names(content, section[4], section[5], strings[4])
    return names


def _defined_names(content: bytes, start: int, size: int, strings: int) -> set[bytes]:
    names = set()
    for at in range(start, min(start + size, len(content)) - _SYMBOL.size + 1, _SYMBOL.size):
        name, _, _, section, _, _ = _SYMBOL.unpack_from(content, at)
        if section != 0 and name != 0:
            names.add(content[strings + name : content.index(b"\0", strings + name)])
    return names


def _check_loads(path: Path) -> None:
    environment = {"LD_PRELOAD": str(path), "LC_ALL": "C"}
    try:
        probe = subprocess.run(
            ["/bin/true"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UsageError(f"{path}: a program that preloads it does not end") from None
    for line in probe.stderr.splitlines():
        if "cannot be preloaded" in line:
            raise UsageError(f"{path}: the loader refuses it: {line.split(': ', 2)[-1]}")
    if probe.returncode != 0:
        raise UsageError(f"{path}: a program that preloads it ends with {probe.returncode}")
