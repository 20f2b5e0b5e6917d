# SPDX-License-Identifier: MIT
"""Allocators as values, their registry, and the two ways a spec is read: JSON and text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alloclab.allocators.combinators import (
    Affix,
    Bucketizer,
    Callback,
    Deterministic,
    FailAfter,
    Fallback,
    Limit,
    Locked,
    Quantizer,
    Segregator,
    Stats,
    ThreadLocal,
)
from alloclab.allocators.debug import Debug, Guard, Quarantine, Traced
from alloclab.allocators.leaves import Buddy, PageAllocator, Platform, Slab, Tlsf
from alloclab.allocators.own import (
    Arena,
    Composed,
    DoubleEnded,
    FrameArena,
    Freelist,
    Null,
    OwnAllocator,
    Pool,
)
from alloclab.allocators.peer_heaps import JemallocArena, MimallocHeap, PeerHeap
from alloclab.allocators.peers import Glibc, Jemalloc, Mimalloc, Peer, Preload, Tcmalloc
from alloclab.allocators.plugin import SOURCE_SUFFIXES, Plugin, compile_plugin, is_plugin_library
from alloclab.allocators.spec import Allocator, Launch
from alloclab.errors import UsageError

__all__ = [
    "KNOWN",
    "Affix",
    "Allocator",
    "Arena",
    "Bucketizer",
    "Buddy",
    "Callback",
    "Composed",
    "Debug",
    "Deterministic",
    "DoubleEnded",
    "FailAfter",
    "Fallback",
    "FrameArena",
    "Freelist",
    "Glibc",
    "Guard",
    "Jemalloc",
    "JemallocArena",
    "Launch",
    "Limit",
    "Locked",
    "Mimalloc",
    "MimallocHeap",
    "Null",
    "OwnAllocator",
    "PageAllocator",
    "Peer",
    "PeerHeap",
    "Platform",
    "Plugin",
    "Pool",
    "Preload",
    "Quantizer",
    "Quarantine",
    "Segregator",
    "Slab",
    "Stats",
    "Tcmalloc",
    "ThreadLocal",
    "Tlsf",
    "Traced",
    "compile_plugin",
    "from_json",
    "parse",
]

# As deep as the core takes a stack of allocators.
MAX_DEPTH = 64

KNOWN: dict[str, type[Allocator]] = {
    each.name: each
    for each in (
        Glibc,
        Jemalloc,
        Mimalloc,
        Tcmalloc,
        Pool,
        Arena,
        FrameArena,
        DoubleEnded,
        Freelist,
        Null,
        Preload,
        Tlsf,
        Buddy,
        Slab,
        PageAllocator,
        Platform,
        JemallocArena,
        MimallocHeap,
        Plugin,
        Segregator,
        Bucketizer,
        Fallback,
        Affix,
        Quantizer,
        Stats,
        Limit,
        FailAfter,
        Locked,
        ThreadLocal,
        Callback,
        Deterministic,
        Guard,
        Quarantine,
        Traced,
        Debug,
    )
}


def from_json(document: Mapping[str, Any]) -> Allocator:
    """Builds a spec from what `to_json` gave.

    Raises:
        UsageError: an unknown allocator or setting; the message names it and the known ones.
    """
    values = {
        name: from_json(value) if isinstance(value, Mapping) and "allocator" in value else value
        for name, value in document.items()
    }
    return _known(values.pop("allocator", None)).from_fields(values)


def parse(text: str) -> Allocator:
    """Builds a spec from the command line's form.

    `glibc`, `jemalloc:narenas=1`, `arena:initial=1MiB,growth=1.5`, the path of a library, or of the
    source of a plugin with its options: `mine.cpp:limit=3`. An allocator within another stands in
    parentheses: `limit:bytes=1MiB,upstream=(pool)`.

    Raises:
        UsageError: as `from_json`.
    """
    name, _, rest = text.partition(":")
    if name.endswith(SOURCE_SUFFIXES):
        return Plugin.from_fields({"path": name, **_settings(name, rest)})
    if "/" in name or (text.endswith(".so") and "=" not in text):
        if is_plugin_library(Path(name)):
            return Plugin.from_fields({"path": name, **_settings(name, rest)})
        return Preload(text)
    kind = _known(name)
    if kind is Preload:
        return Preload(rest)
    return kind.from_fields(_settings(name, rest))


def _settings(name: str, rest: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for part in _split(name, rest) if rest else ():
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not key:
            raise UsageError(f"{name}: not a setting: {part!r} (write name=value)")
        is_nested = value.startswith("(") and value.endswith(")")
        values[key] = parse(value[1:-1]) if is_nested else value
    return values


def _split(name: str, text: str) -> list[str]:
    """Splits at the commas that stand outside all parentheses."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth < 0 or depth > MAX_DEPTH:
            break
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    if depth != 0:
        raise UsageError(f"{name}: parentheses do not match: {text!r}")
    return parts


def _known(name: object) -> type[Allocator]:
    kind = KNOWN.get(name) if isinstance(name, str) else None
    if kind is None:
        raise UsageError(
            f"unknown allocator {name!r}: known are {', '.join(KNOWN)}, or the path of a .so"
        )
    return kind
