# SPDX-License-Identifier: MIT
"""A live allocator: built from a spec, used through blocks that know when they have ended."""

from __future__ import annotations

import itertools
import json
import math
import operator
import os
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Literal, NamedTuple, NoReturn, Self, SupportsIndex

import numpy as np
import numpy.typing as npt

from alloclab._core import (
    Block,
    LiveHeap,
    LiveMark,
    leak_text,
    live_rows,
    statistics_text,
    tag_rows,
    tag_text,
)
from alloclab.allocators import Allocator
from alloclab.errors import ArenaEscapeError, Error, UsageError
from alloclab.live import open_scopes
from alloclab.live.capability import capability

DEFAULT_ALIGNMENT = 16
OnEscape = Literal["error", "extend"]
Shape = SupportsIndex | Iterable[SupportsIndex]

# What `kind` says of an event.
EVENT_KINDS = (
    "allocate",
    "allocate_failed",
    "deallocate",
    "resize",
    "resize_refused",
    "reset",
)


class LiveRow(NamedTuple):
    """A live block of a traced allocator."""

    address: int
    size: int
    alignment: int
    tag: str | None
    file: str | None
    line: int


# Of every allocator and scope; never reused.
next_id = itertools.count(1)


class LiveAllocator:
    """An allocator at work in this process. `live` and `arena` make one.

    Blocks are freed when their last reference goes, or by `deallocate`; a block that was freed,
    reset or rewound away raises when it is used. Memory that is looked at, by an array or a
    memoryview, is never taken away: what would, raises ArenaEscapeError.

    What an allocator cannot do is no attribute of it: `hasattr(a, "reset")` tells. What a part of
    it (Guard, Quarantine, Trace) finds wrong raises MemoryDefect from the call that found it.

    Everything runs under the GIL. An allocator that is not thread-safe serves the thread that made
    it; blocks may be dropped anywhere.
    """

    def __init__(
        self,
        spec: Allocator,
        *,
        name: str | None = None,
        on_escape: OnEscape = "error",
        traced: bool = False,
        on_events: Callable[[npt.NDArray[Any]], None] | None = None,
        heap: LiveHeap | None = None,
    ) -> None:
        if on_escape not in ("error", "extend"):
            raise UsageError(f'on_escape is "error" or "extend", not {on_escape!r}')
        if heap is None:
            spec.check_live()
        self.spec = spec
        self.name = spec.name if name is None else name
        self.id = next(next_id)
        self.on_escape = on_escape
        if heap is None:
            heap = _build(spec, traced, on_events)
        self._heap = heap
        self.capabilities = frozenset(self._heap.capabilities)
        self._last_stats: dict[str, int] = {}

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"{self._heap.live_count} blocks"
        named = "" if self.name == self.spec.name else f" {self.name!r}"
        return f"<LiveAllocator{named} {self.spec}: {state}>"

    def __copy__(self) -> NoReturn:
        raise TypeError("a live allocator is one thing: it cannot be copied")

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        self.__copy__()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a live allocator belongs to its process: it cannot be pickled")

    # Blocks

    def allocate(
        self,
        size: int,
        alignment: int = DEFAULT_ALIGNMENT,
        tag: str | None = None,
        *,
        zeroed: bool = False,
    ) -> Block:
        """Returns a block of at least `size` bytes at a multiple of `alignment`.

        A memoryview of it is its memory. The tag, and the line of this call, reach allocators that
        keep them (Trace). The text of a tag is kept for the life of the process, once for all
        blocks that have it: a tag is a kind of block, not the name of one.

        Raises:
            MemoryError: the allocator refuses.
        """
        return self._heap.allocate(size, alignment, tag, zeroed)

    def deallocate(self, block: Block) -> None:
        """Frees a block now.

        Raises:
            BlockEnded: it has been freed already, or reset away.
            ArenaEscapeError: an array or a memoryview still looks at it.
        """
        self._heap.deallocate(block)

    def array(
        self,
        shape: Shape,
        dtype: npt.DTypeLike = np.float64,
        *,
        tag: str | None = None,
        alignment: int = DEFAULT_ALIGNMENT,
        zeroed: bool = False,
    ) -> npt.NDArray[Any]:
        """Returns an array in a block of its own, which is freed when the last view of it dies.

        Raises:
            MemoryError: the allocator refuses.
            UsageError: the type holds Python objects, or nothing.
        """
        kind = byte_type(dtype)
        extents = extents_of(shape)
        bytes_wanted = math.prod(extents) * kind.itemsize
        block = self._heap.allocate(bytes_wanted, max(alignment, kind.alignment), tag, zeroed)
        # NumPy holds a memoryview, and so the look, as the base of this and all its views. Given
        # as `buffer=`, it would only hold the block.
        return np.asarray(memoryview(block)).view(kind).reshape(extents)

    def reallocate(self, block: Block, new_size: int) -> Block:
        """Returns the block with another size: itself where that can be had in place, otherwise a
        new one with the old one's bytes, which is then ended. A block older than a mark is
        always moved, and the new one ends when that mark is rewound to.

        Raises:
            MemoryError: the allocator refuses; the block is as it was.
        """
        if "resize" in self.capabilities and self._heap.resize(block, new_size):
            return block
        moved = self._heap.allocate(new_size, block.alignment, block.tag, False)
        kept = min(block.size, new_size)
        with memoryview(block) as old, memoryview(moved) as new:
            new[:kept] = old[:kept]
        self._heap.deallocate(block)
        return moved

    def allocate_address(
        self, size: int, alignment: int = DEFAULT_ALIGNMENT, tag: str | None = None
    ) -> int | None:
        """Returns a block as a bare address, or None. Nothing is checked from here on: it is for
        `ctypes` and other languages, and closing ends it unasked.
        """
        return self._heap.allocate_address(size, alignment, tag)

    def deallocate_address(
        self, address: int, size: int, alignment: int = DEFAULT_ALIGNMENT
    ) -> None:
        """Frees what `allocate_address` gave for the same size and alignment."""
        self._heap.deallocate_address(address, size, alignment)

    # What only some allocators can

    @capability("resize")
    def resize(self, block: Block, new_size: int) -> bool:
        """Changes a block's size where it stands; returns False, having changed nothing, where
        that cannot be. A block older than a mark keeps its size.
        """
        return self._heap.resize(block, new_size)

    @capability("reset")
    def reset(self) -> None:
        """Ends every block at once.

        Raises:
            ArenaEscapeError: something still looks at one; nothing has changed.
        """
        self._refuse_escapes("reset", 0)
        self._heap.reset()

    @capability("mark")
    def mark(self) -> LiveMark:
        """Remembers this point for `rewind`."""
        return self._heap.mark()

    @capability("mark")
    def rewind(self, to: LiveMark) -> None:
        """Ends every block allocated since the mark, which stays good.

        Raises:
            ArenaEscapeError: something still looks at one; nothing has changed.
            Error: the mark is another allocator's, or an older one or a reset went past it.
        """
        self._refuse_escapes("rewind", to.next_serial)
        self._heap.rewind(to)

    @capability("owns")
    def owns(self, block: Block | int) -> bool:
        """Whether memory of this allocator stands at a block, or an address."""
        return self._heap.owns(block if isinstance(block, int) else block.address)

    @capability("usable_size")
    def usable_size(self, block: Block) -> int:
        """How many bytes the block really has."""
        return self._heap.usable_size(block)

    # What only traced ones can

    @capability("trace")
    def leak_report(self, most_rows: int = 10) -> str:
        """Returns the text of what has not been freed, largest first; empty where all has."""
        return leak_text(self._heap, most_rows)

    @capability("trace")
    def tag_report(self) -> str:
        """Returns the table of tags as text."""
        return tag_text(self._heap)

    @capability("trace")
    def statistics_report(self) -> str:
        """Returns what was allocated, is in use, and was at most, as text."""
        return statistics_text(self._heap, self.name)

    @capability("trace")
    def tags(self) -> npt.NDArray[Any]:
        """Returns a row for every tag: tag, count, current_bytes, peak_bytes. The blocks without
        one have the tag "".
        """
        rows = [(tag or "", *figures) for tag, *figures in tag_rows(self._heap)]
        longest = max((len(str(row[0])) for row in rows), default=0)
        kinds = [("tag", f"U{max(longest, 1)}"), ("count", "i8")]
        return np.array(rows, [*kinds, ("current_bytes", "i8"), ("peak_bytes", "i8")])

    @capability("trace")
    def live_blocks(self) -> list[LiveRow]:
        """Returns every live block, oldest first, with the line that asked for it."""
        return [LiveRow(*row) for row in live_rows(self._heap)]

    # The whole

    def stats(self) -> dict[str, int]:
        """Returns every figure the allocator keeps, those of its parts added up by name; after the
        end, what they were then.
        """
        return self._last_stats if self.is_closed else self._heap.stats()

    @property
    def live_count(self) -> int:
        """How many blocks with a handle live."""
        return self._heap.live_count

    @property
    def is_closed(self) -> bool:
        """Whether it has ended for new blocks."""
        return self._heap.is_closed

    def adopt_thread(self) -> None:
        """Makes the calling thread the one that may use this allocator."""
        self._heap.adopt_thread()

    def on_failure(self, callback: Callable[[int], None]) -> None:
        """Calls `callback` with the size of each request that is refused from now on, before
        MemoryError is raised: what a budget (Limit) refuses, for instance.
        """
        self._heap.on_failure(callback)

    def flush_events(self) -> None:
        """Hands the events not yet told to `on_events`."""
        self._heap.flush_events()

    def escapes(self) -> list[tuple[int, str | None]]:
        """Returns (bytes, tag) of every block that an array or a memoryview looks at now."""
        rows = [(size, tag) for size, tag, _ in self._heap.exported()]
        if self._heap.foreign_count:
            rows.append((self._heap.foreign_bytes, "numpy"))
        return rows

    def close(self) -> None:
        """Ends every block and gives the memory back. Once closed it does nothing.

        Raises:
            ArenaEscapeError: arrays or memoryviews still look at blocks. Those blocks, and only
                those, stay valid until they die, and the memory is given back then. With
                `on_escape="extend"` that is no error.
            ScopeOrderError: a scope opened within this one is still open.
        """
        if self.is_closed:
            return
        open_scopes.check_innermost(self)
        found = self._end()
        if found:
            raise self._escape_error("ends", found)

    def __enter__(self) -> Self:
        open_scopes.push(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        open_scopes.pop(self)
        if self.is_closed:
            return
        found = self._end()
        if not found:
            return
        escaped = self._escape_error("ends", found)
        if error is None:
            raise escaped
        # Its traceback may be what looks: the first error is the one to tell.
        error.add_note(str(escaped))

    def _end(self) -> list[tuple[int, str | None]]:
        found = self.escapes()
        self._last_stats = self._heap.stats()
        self._heap.close()
        return [] if self.on_escape == "extend" else found

    def _refuse_escapes(self, what: str, first_serial: int) -> None:
        rows = [(size, tag) for size, tag, _ in self._heap.exported(first_serial)]
        if self._heap.foreign_count:
            rows.append((self._heap.foreign_bytes, "numpy"))
        if rows:
            raise self._escape_error(f"cannot {what}", rows)

    def _escape_error(self, what: str, rows: list[tuple[int, str | None]]) -> ArenaEscapeError:
        return ArenaEscapeError.of(self.name, what, rows)


def _build(
    spec: Allocator, traced: bool, on_events: Callable[[npt.NDArray[Any]], None] | None
) -> LiveHeap:
    core_spec = json.dumps(spec.core_spec())
    try:
        return LiveHeap(core_spec, traced, on_events)
    except Error as error:
        missing = [
            f"{name}={value}"
            for name, value in spec.part_environment().items()
            if value not in os.environ.get(name, "").split(":")
        ]
        if not missing:
            raise
        raise UsageError(
            f"{spec} is live only in a process that was started with {' '.join(missing)}: {error}"
        ) from error


def byte_type(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Returns the type, whose items are nothing but their bytes.

    Raises:
        UsageError: it holds Python objects, or nothing.
    """
    kind = np.dtype(dtype)
    if kind.hasobject or kind.itemsize == 0:
        raise UsageError(f"an array of {kind!r} does not hold bytes")
    return kind


def extents_of(shape: Shape) -> tuple[int, ...]:
    """Returns the shape as NumPy reads it: a whole number of any kind, or several."""
    if isinstance(shape, Iterable):
        return tuple(operator.index(each) for each in shape)
    return (operator.index(shape),)


def live(
    spec: Allocator,
    name: str | None = None,
    *,
    on_escape: OnEscape = "error",
    traced: bool = False,
    on_events: Callable[[npt.NDArray[Any]], None] | None = None,
) -> LiveAllocator:
    """Builds the allocator a spec describes, in this process.

    Args:
        spec: any of the lab's own allocators, alone or composed.
        name: how messages call it; the spec's own name otherwise.
        on_escape: what leaving it does with arrays that still look at its memory: "error" raises
            ArenaEscapeError, "extend" keeps their memory until they die, unasked.
        traced: remember every live block with its tag and its line of Python. What is freed wrongly
            by its address raises MemoryDefect, and the reports say what is live.
        on_events: called with arrays of what happened: `kind` (an index into EVENT_KINDS), `block`,
            `size`, `old_size`, `alignment`. Some hundred at a time, after a call, and at `close`;
            what ends later, with the last look at it, `flush_events` tells. An allocator with it
            has no marks.

    Raises:
        UsageError: the spec is a whole process's malloc, or needs an environment this process was
            not started with.
    """
    return LiveAllocator(spec, name=name, on_escape=on_escape, traced=traced, on_events=on_events)
