# SPDX-License-Identifier: MIT
"""Allocators as values, their registry, and the two ways a spec is read: JSON and text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alloclab.allocators.own import Arena, Freelist, Null, OwnAllocator, Pool
from alloclab.allocators.peers import Glibc, Jemalloc, Mimalloc, Peer, Preload, Tcmalloc
from alloclab.allocators.spec import Allocator, Launch
from alloclab.errors import UsageError

__all__ = [
    "KNOWN",
    "Allocator",
    "Arena",
    "Freelist",
    "Glibc",
    "Jemalloc",
    "Launch",
    "Mimalloc",
    "Null",
    "OwnAllocator",
    "Peer",
    "Pool",
    "Preload",
    "Tcmalloc",
    "from_json",
    "parse",
]

KNOWN: dict[str, type[Allocator]] = {
    each.name: each
    for each in (Glibc, Jemalloc, Mimalloc, Tcmalloc, Pool, Arena, Freelist, Null, Preload)
}


def from_json(document: Mapping[str, Any]) -> Allocator:
    """Builds a spec from what `to_json` gave.

    Raises:
        UsageError: an unknown allocator or setting; the message names it and the known ones.
    """
    values = dict(document)
    return _known(values.pop("allocator", None)).from_fields(values)


def parse(text: str) -> Allocator:
    """Builds a spec from the command line's form.

    `glibc`, `jemalloc:narenas=1`, `arena:initial=1MiB,growth=1.5`, or the path of a library.

    Raises:
        UsageError: as `from_json`.
    """
    if "/" in text.partition(":")[0] or text.endswith(".so"):
        return Preload(text)
    name, _, rest = text.partition(":")
    kind = _known(name)
    if kind is Preload:
        return Preload(rest)
    values = {}
    for part in rest.split(",") if rest else ():
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise UsageError(f"{name}: not a setting: {part!r} (write name=value)")
        values[key.strip()] = value.strip()
    return kind.from_fields(values)


def _known(name: object) -> type[Allocator]:
    kind = KNOWN.get(name) if isinstance(name, str) else None
    if kind is None:
        raise UsageError(
            f"unknown allocator {name!r}: known are {', '.join(KNOWN)}, or the path of a .so"
        )
    return kind
