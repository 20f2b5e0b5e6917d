# SPDX-License-Identifier: MIT
"""Heaps of existing mallocs, beside the process's own, that a stack or policy can route to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from alloclab.allocators.own import OwnAllocator
from alloclab.allocators.peers import Jemalloc, Mimalloc, Peer
from alloclab.allocators.spec import flag_option
from alloclab.errors import UsageError

# Debian's jemalloc keeps more thread storage than a library opened late may.
_ROOM_FOR_THREAD_STORAGE = "glibc.rtld.optional_static_tls=2048"


def _read_library(value: Any) -> str:
    text = str(value)
    if not text or "," in text or "(" in text or ")" in text:
        raise UsageError(f"not the path of a library: {text!r}")
    return text


@dataclass(frozen=True)
class PeerHeap(OwnAllocator):
    """A heap of its own in a malloc's library; where none is named, the peer's is looked for."""

    has_malloc_face: ClassVar[bool] = False
    peer: ClassVar[type[Peer]] = Peer
    library: str | Path | None = field(default=None, metadata={"read": _read_library})

    def settings(self) -> dict[str, str]:
        """Returns the settings, the library that was found included.

        Raises:
            NotInstalled: no library is named and the peer's is not on this machine.
            UsageError: the library named is no file.
        """
        path = self.peer.library() if self.library is None else Path(self.library).absolute()
        if not path.is_file():
            raise UsageError(f"{self.name}: library: no such file: {path}")
        return {**super().settings(), "library": str(path)}


@dataclass(frozen=True)
class JemallocArena(PeerHeap):
    """An arena of its own in jemalloc: all of jemalloc, and a reset.

    Live, the process must have been started with
    `GLIBC_TUNABLES=glibc.rtld.optional_static_tls=2048`; a replay's child is.

    Args:
        library: the path of the library; None looks for it.
        cache: whether the arena has a thread cache.
    """

    name = "jemalloc_arena"
    peer = Jemalloc
    cache: bool | None = flag_option("cache")

    def part_environment(self) -> dict[str, str]:
        return {"GLIBC_TUNABLES": _ROOM_FOR_THREAD_STORAGE}


@dataclass(frozen=True)
class MimallocHeap(PeerHeap):
    """A heap of its own in mimalloc, for the thread that makes it.

    Args:
        library: the path of the library; None looks for it.
    """

    name = "mimalloc_heap"
    peer = Mimalloc
