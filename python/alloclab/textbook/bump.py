# SPDX-License-Identifier: MIT
"""The allocator that never takes anything back."""

from __future__ import annotations


class Bump:
    """Places each block behind the last one; only a reset gives anything back.

    >>> bump = Bump()
    >>> bump.allocate(24, 16), bump.allocate(8, 16), bump.allocate(8, 16)
    (0, 32, 48)
    """

    def __init__(self, capacity: int = 1 << 40) -> None:
        self.capacity = capacity
        self.reset()

    def reset(self) -> None:
        self.top = 0

    def allocate(self, size: int, alignment: int) -> int | None:
        offset = -(-self.top // alignment) * alignment
        if offset + size > self.capacity:
            return None
        self.top = offset + size
        return offset

    def deallocate(self, offset: int) -> None:
        pass
