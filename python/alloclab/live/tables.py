# SPDX-License-Identifier: MIT
"""Tables that grow in a live allocator, of items of one NumPy type."""

from __future__ import annotations

import operator
from collections.abc import Sized
from typing import Any, NoReturn, SupportsIndex

import numpy as np
import numpy.typing as npt

from alloclab import _core
from alloclab.live.allocator import LiveAllocator, byte_type


class _Table:
    """A table's allocator and type. Its memory is looked at as long as it lives, as an array's is:
    a reset, a rewind or the end of the allocator raises ArenaEscapeError.
    """

    def __init__(self, allocator: LiveAllocator, dtype: npt.DTypeLike) -> None:
        self.allocator = allocator
        self.dtype = byte_type(dtype)

    def __copy__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is one thing: it cannot be copied or pickled")

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        self.__copy__()

    def __reduce__(self) -> NoReturn:
        self.__copy__()

    def _items(self, values: npt.ArrayLike) -> bytes:
        return np.asarray(values, self.dtype).tobytes()

    def _array(self, items: bytes) -> npt.NDArray[Any]:
        return np.frombuffer(bytearray(items), self.dtype)


class ScratchStack(_Table):
    """A stack of spans, used by one piece of work after another: remember the top, append, read
    back, cut off. The capacity stays, so the next piece allocates nothing.

        mark = stack.top
        stack.append([1, 2, 3])
        found = stack.span_from(mark)
        stack.clear_from(mark)

    Args:
        allocator: where its array lives.
        dtype: of the items: 1, 2, 4, 8, 12, 16, 24, 32, 48 or 64 bytes.

    Raises:
        UsageError: the type has another size, holds Python objects, or nothing.
    """

    def __init__(self, allocator: LiveAllocator, dtype: npt.DTypeLike) -> None:
        super().__init__(allocator, dtype)
        self._core = _core.ScratchStack(allocator._heap, self.dtype.itemsize)

    @property
    def top(self) -> int:
        """How many items there are: the mark to come back to."""
        return self._core.top

    @property
    def capacity(self) -> int:
        """How many items there can be before it grows."""
        return self._core.capacity

    def append(self, values: npt.ArrayLike) -> None:
        """Appends one item, or all of an array in its order.

        Raises:
            MemoryError: the allocator refuses; nothing was appended.
        """
        self._core.append(self._items(values))

    def reserve_hint(self, more: int) -> bool:
        """Makes room for so many items and returns whether there is: a hint, that never raises
        MemoryError.
        """
        return self._core.reserve_hint(more)

    def span_from(self, mark: int) -> npt.NDArray[Any]:
        """Returns a copy of what was appended since the mark."""
        return self._array(self._core.span_from(mark))

    def clear_from(self, mark: int) -> None:
        """Cuts off what was appended since the mark; the capacity stays."""
        self._core.clear_from(mark)

    def free_capacity(self) -> None:
        """Cuts off everything and gives the memory back as well."""
        self._core.free_capacity()

    def __len__(self) -> int:
        return self._core.top


class ChunkedStore(_Table):
    """An append-only table in chunks that double: nothing moves, an id leads to its item for ever.

    Args:
        allocator: where its chunks live.
        dtype: of the items: 1, 2, 4, 8, 12, 16, 24, 32, 48 or 64 bytes.

    Raises:
        UsageError: the type has another size, holds Python objects, or nothing.
    """

    def __init__(self, allocator: LiveAllocator, dtype: npt.DTypeLike) -> None:
        super().__init__(allocator, dtype)
        self._core = _core.ChunkedStore(allocator._heap, self.dtype.itemsize)

    def append(self, value: npt.ArrayLike) -> int:
        """Appends one item and returns its id; ids count up from 0.

        Raises:
            MemoryError: the allocator refuses; the items there are untouched.
            ValueError: it is not one item.
        """
        return self._core.append(self._items(value))

    def __getitem__(self, item_id: SupportsIndex) -> Any:
        """Returns a copy of the item. Raises: IndexError where no item has the id."""
        return self._array(self._core.item(_within(self, item_id)))[0]

    def address_of(self, item_id: SupportsIndex) -> int:
        """Returns where the item is, as long as the table lives."""
        return self._core.address_of(_within(self, item_id))

    @property
    def chunk_count(self) -> int:
        """How many chunks there are; each holds twice as many items as the one before."""
        return self._core.chunk_count

    def __len__(self) -> int:
        return self._core.size


class SealedBuilder(_Table):
    """A table that is built in one allocator and then sealed into another, exactly as long as it
    is: an arena never holds the arrays it outgrew.

        builder = al.SealedBuilder(heap, "i4")
        builder.append(names)
        table = builder.seal(arena)

    Args:
        allocator: where it is built; one that takes memory back.
        dtype: of the items: 1, 2, 4, 8, 12, 16, 24, 32, 48 or 64 bytes.

    Raises:
        UsageError: the type has another size, holds Python objects, or nothing.
    """

    def __init__(self, allocator: LiveAllocator, dtype: npt.DTypeLike) -> None:
        super().__init__(allocator, dtype)
        self._core = _core.SealedBuilder(allocator._heap, self.dtype.itemsize)

    def append(self, values: npt.ArrayLike) -> None:
        """Appends one item, or all of an array in its order.

        Raises:
            MemoryError: the allocator refuses; nothing was appended.
            Error: the table is sealed.
        """
        self._core.append(self._items(values))

    def seal(self, arena: LiveAllocator) -> npt.NDArray[Any]:
        """Copies the items into the arena and returns them as a read-only array there. What they
        were built in is freed; nothing can be appended any more.

        Raises:
            MemoryError: the arena refuses; the builder is as it was.
            Error: it is sealed already.
        """
        block = self._core.seal(arena._heap)
        there = memoryview(b"" if block is None else block).toreadonly()
        return np.asarray(there).view(self.dtype)

    @property
    def is_sealed(self) -> bool:
        """Whether nothing can be appended any more."""
        return self._core.is_sealed

    def restart(self) -> None:
        """Begins another table; what was sealed stays."""
        self._core.restart()

    def __len__(self) -> int:
        return self._core.size


class SideTable(_Table):
    """What changes of a sealed table after all: the sealed one is never written, reads look here
    first. It stays readable, and this keeps it.

        changed = al.SideTable(heap, table)
        changed[5] = 7

    Args:
        allocator: where the changes live.
        sealed: the table: one row of items of 1, 2, 4, 8, 12, 16, 24, 32, 48 or 64 bytes.

    Raises:
        UsageError: it is no such table.
    """

    def __init__(self, allocator: LiveAllocator, sealed: npt.NDArray[Any]) -> None:
        super().__init__(allocator, sealed.dtype)
        self.sealed = sealed
        self._core = _core.SideTable(allocator._heap, sealed)

    def __getitem__(self, place: SupportsIndex) -> Any:
        """Returns a copy of the item, changed or sealed. Raises: IndexError."""
        return self._array(self._core.item(_within(self, place)))[0]

    def __setitem__(self, place: SupportsIndex, value: npt.ArrayLike) -> None:
        """Changes an item here.

        Raises:
            MemoryError: the allocator refuses; what was changed before is there.
            IndexError, ValueError: no such item, or not one item.
        """
        self._core.set(_within(self, place), self._items(value))

    def clear(self) -> None:
        """Takes every change back."""
        self._core.clear()

    @property
    def changed_count(self) -> int:
        """How many items are not the sealed ones."""
        return self._core.changed_count

    def __len__(self) -> int:
        return self._core.size


def _within(table: Sized, place: SupportsIndex) -> int:
    index = operator.index(place)
    if not 0 <= index < len(table):
        raise IndexError(f"there is no item {index} in a table of {len(table)}")
    return index
