# SPDX-License-Identifier: MIT
"""What an allocator written in Python is: a class that places blocks in a simulated address space.

Nothing is stored in the blocks; an allocator keeps its books in Python. `allocate` returns the
offset of a block from the start of the address space, or None where it has no room.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from alloclab.errors import UsageError

DEFAULT_ALIGNMENT = 16
"""What a request gets that names none: malloc's on x86-64."""

REFUSED = -1
"""The offset of a request that was refused."""


class SimulatedAllocator(Protocol):
    """The two calls every simulated allocator has.

    `allocate(size, alignment)` returns an offset at a multiple of the alignment, or None. The size
    is at least 1: a request of nothing gets a byte, so that every live block has an offset of its
    own. `deallocate(offset)` takes back a live block.

    Three more are used where they exist. `resize(offset, new_size)` returns whether the live block
    now has the new size where it stands; where not, it is allocated anew and the old one taken
    back. `reset()` ends every block; it is called before a simulation begins. `usable_size(offset)`
    returns how many bytes the live block really has, at least what was asked for.
    """

    def allocate(self, size: int, alignment: int) -> int | None: ...

    def deallocate(self, offset: int) -> object: ...


@dataclass(frozen=True)
class Calls:
    """The calls of one allocator; None for what it does not have."""

    allocate: Callable[[int, int], int | None]
    deallocate: Callable[[int], object]
    resize: Callable[[int, int], bool] | None
    reset: Callable[[], object] | None
    usable_size: Callable[[int], int] | None


def instance_of(allocator: Any) -> Any:
    """Returns the allocator, made without arguments where its class was given.

    Raises:
        UsageError: it lacks a call that every allocator has.
    """
    if inspect.isclass(allocator):
        try:
            allocator = allocator()
        except TypeError as error:
            raise UsageError(f"{allocator.__name__}: give an allocator, made: {error}") from error
    for name in ("allocate", "deallocate"):
        if not callable(getattr(allocator, name, None)):
            raise UsageError(f"{type(allocator).__name__} is no allocator: it has no {name}")
    return allocator


def calls_of(allocator: Any) -> Calls:
    """Returns the calls of an allocator that `instance_of` has seen."""
    return Calls(
        allocator.allocate,
        allocator.deallocate,
        *(getattr(allocator, name, None) for name in ("resize", "reset", "usable_size")),
    )
