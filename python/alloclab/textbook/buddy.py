# SPDX-License-Identifier: MIT
"""Blocks of powers of two that split in halves and join with their other half.

Knowlton, "A Fast Storage Allocator", CACM 8(10), 1965; Knuth, volume 1, section 2.5.
"""

from __future__ import annotations


class Buddy:
    """Rounds up to a power of two and halves the smallest free block that is large enough.

    A block of 2^k bytes stands at a multiple of 2^k, so the offset of its other half is its own
    with bit k turned over.

    >>> buddy = Buddy(128)
    >>> buddy.allocate(16, 16), buddy.allocate(33, 16), buddy.allocate(16, 16)
    (0, 64, 16)
    >>> for offset in (0, 64, 16): buddy.deallocate(offset)
    >>> buddy.allocate(128, 16)  # all halves have joined again
    0
    """

    def __init__(self, capacity: int = 1 << 40, smallest: int = 16) -> None:
        self.largest = capacity.bit_length() - 1  # a capacity between two powers is cut down
        self.smallest = smallest.bit_length() - 1
        self.reset()

    def reset(self) -> None:
        # Offsets by log2 of the size; as a dict, which keeps its order and forgets in O(1).
        self.free: list[dict[int, None]] = [{} for _ in range(self.largest + 1)]
        self.free[self.largest][0] = None
        self.orders: dict[int, int] = {}

    def allocate(self, size: int, alignment: int) -> int | None:
        order = max((max(size, alignment) - 1).bit_length(), self.smallest)
        found = next((at for at in range(order, self.largest + 1) if self.free[at]), None)
        if found is None:
            return None
        offset, _ = self.free[found].popitem()
        for half in range(found - 1, order - 1, -1):
            self.free[half][offset + (1 << half)] = None
        self.orders[offset] = order
        return offset

    def deallocate(self, offset: int) -> None:
        order = self.orders.pop(offset)
        while order < self.largest and (offset ^ (1 << order)) in self.free[order]:
            del self.free[order][offset ^ (1 << order)]
            offset &= ~(1 << order)
            order += 1
        self.free[order][offset] = None

    def usable_size(self, offset: int) -> int:
        return 1 << self.orders[offset]
