# SPDX-License-Identifier: MIT
"""An arena in a file without a name: one process writes it, publishes it, and others read it."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, SupportsIndex

import numpy as np
import numpy.typing as npt

from alloclab._core import Block, SharedWriter, open_shared_arena
from alloclab.allocators import Allocator
from alloclab.allocators.spec import Json, Launch, size_option
from alloclab.errors import ArenaEscapeError, NotMeasured, SharedArenaError, UsageError
from alloclab.live.allocator import LiveAllocator, Shape, byte_type, extents_of
from alloclab.live.closing import ClosesAtExit

HEADER_BYTES = 64  # no offset is smaller


@dataclass(frozen=True)
class SharedArenaSpec(Allocator):
    """What the `spec` of a shared arena is: it has no replay and is no part of a stack."""

    name = "shared_arena"
    capacity: int | str = size_option("capacity_bytes", 0)

    def launch(self) -> Launch:
        raise NotMeasured("a shared arena is written once, live: nothing is replayed into it")

    def core_spec(self) -> Json:
        raise UsageError("shared_arena is a file of its own, made by al.SharedArena(capacity)")


class SharedArena(LiveAllocator):
    """A bump allocator whose memory other processes map and read once it is published.

        with al.SharedArena("64 MiB") as arena:
            root = arena.store(points)
            arena.publish(root)
            subprocess.run([...], pass_fds=[arena.fileno()])

    It is a live allocator: blocks, arrays and scopes are as everywhere. Offsets, not addresses,
    lead from one thing in it to another.

    Args:
        capacity: the most it can hold, for instance "64 MiB": address space, memory only as it is
            written.

    Raises:
        SharedArenaError: the system has no such file, or there is no room for a header.
    """

    def __init__(self, capacity: int | str, name: str = "shared arena") -> None:
        spec = SharedArenaSpec(capacity)
        self._writer = SharedWriter(int(spec.capacity))
        super().__init__(spec, name=name, heap=self._writer.heap)

    def fileno(self) -> int:
        """Returns the file's descriptor: to be inherited (`pass_fds`), or sent over a socket. It is
        closed with the arena.
        """
        return self._writer.file_descriptor

    def store(self, values: npt.ArrayLike) -> int:
        """Copies an array into the arena and returns its offset.

        Raises:
            MemoryError: no room.
            UsageError: it holds Python objects.
        """
        source = np.ascontiguousarray(values)
        copied = self.array(source.shape, source.dtype)
        copied[...] = source
        return self.offset_of(copied)

    def offset_of(self, what: Block | npt.NDArray[Any]) -> int:
        """Returns how many bytes behind the arena's beginning a block, or an array in one, stands:
        what readers find it by.

        Raises:
            UsageError: it is not in this arena.
        """
        address = what.address if isinstance(what, Block) else what.ctypes.data
        offset = self._writer.offset_of(address)
        if offset >= self._writer.used_bytes:
            raise UsageError(f"{what!r} is not in {self.name!r}")
        return offset

    def publish(self, root: Block | npt.NDArray[Any] | SupportsIndex | None = None) -> None:
        """Makes what is there readable to others and unchangeable to everyone, this process
        included. Every block ends; nothing can be allocated any more.

        Args:
            root: what readers start from: a block, or the offset of anything in the arena.

        Raises:
            ArenaEscapeError: arrays or memoryviews could still write. Note their offset with
                `offset_of`, delete them, and publish that.
            SharedArenaError: it is published already, or the system refuses; a child of fork that
                could write has to end first. Nothing has changed.
        """
        offset = (
            self.offset_of(root)
            if isinstance(root, Block | np.ndarray)
            else operator.index(root or 0)
        )
        self._refuse_escapes("publish", 0)
        self._writer.publish(offset)

    @property
    def is_published(self) -> bool:
        """Whether readers may open it, and nobody may write."""
        return self._writer.is_published

    @property
    def used_bytes(self) -> int:
        """How long it is, its header of 64 bytes included."""
        return self._writer.used_bytes

    @property
    def capacity_bytes(self) -> int:
        """How long it can get: whole pages."""
        return self._writer.capacity_bytes


class HasFileno(Protocol):
    """What has a file descriptor."""

    def fileno(self) -> int: ...


class SharedArenaView(ClosesAtExit):
    """A published arena as a reader has it. It is mapped as long as this, or an array from it, is
    there; nothing can be allocated.

        with al.SharedArenaView(descriptor) as view:
            points = view.array(view.root, (1000, 3), "f4")

    Args:
        file: a descriptor, or what has one. It stays the caller's and may be closed at once.

    Raises:
        SharedArenaError: the file is no published arena; the message names the problem. What is
            in a file is checked, never believed.
    """

    def __init__(self, file: int | HasFileno) -> None:
        self._reader = open_shared_arena(file if isinstance(file, int) else file.fileno())

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"{self.used_bytes:,} bytes"
        return f"<SharedArenaView: {state}>"

    def __copy__(self) -> NoReturn:
        raise TypeError("a view of a shared arena cannot be copied: open another one")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a view of a shared arena cannot be pickled: send the descriptor")

    @property
    def root(self) -> int | None:
        """The offset to start from, or None where the writer named none."""
        return self._reader.root or None

    @property
    def used_bytes(self) -> int:
        """How long the arena is, its header of 64 bytes included."""
        return self._reader.used_bytes

    def array(
        self, offset: SupportsIndex | None, shape: Shape, dtype: npt.DTypeLike = np.float64
    ) -> npt.NDArray[Any]:
        """Returns what stands at an offset as a read-only array, without a copy. What it is, only
        the writer knows: shape and type are the reader's to say.

        Raises:
            SharedArenaError: it would not be wholly in the arena, or not be aligned.
            UsageError: the type holds Python objects, or nothing.
        """
        kind = byte_type(dtype)
        extents = extents_of(shape)
        size = math.prod(extents) * kind.itemsize
        if offset is None:
            raise SharedArenaError("the arena was published without a root")
        first = operator.index(offset)
        is_within = HEADER_BYTES <= first <= self.used_bytes - size and size >= 0
        if not is_within or first % kind.alignment:
            what = "is not wholly in the arena" if not is_within else "is not aligned"
            raise SharedArenaError(
                f"{size:,} bytes of {kind} at offset {first} of {self.used_bytes:,}: {what}"
            )
        bytes_there = memoryview(self._reader)[first : first + size]
        return np.asarray(bytes_there).view(kind).reshape(extents)

    @property
    def is_closed(self) -> bool:
        """Whether it gives no more arrays."""
        return self._reader.is_closed

    def close(self) -> None:
        """Unmaps the arena. Once closed it does nothing.

        Raises:
            ArenaEscapeError: arrays still look at it; it stays mapped until the last of them dies.
        """
        if self.is_closed:
            return
        used_bytes = self.used_bytes
        self._reader.close()
        if self._reader.export_count:
            raise ArenaEscapeError.of("shared arena", "ends", [(used_bytes, None)])
