# SPDX-License-Identifier: MIT
"""Free runs in lists by their size: good fit without a search.

Segregated fits as Wilson, Johnstone, Neely and Boles tell them apart in "Dynamic Storage
Allocation: A Survey and Critical Review", IWMM 1995, section 3.6; lists by powers of two.
"""

from __future__ import annotations

from alloclab.textbook.holes import align_up

GRANULE_BYTES = 16


class SegregatedFit:
    """Takes a run from the list of its size, or of the next larger one that has any, and cuts it.

    >>> fit = SegregatedFit(256)
    >>> a, b, c, d = [fit.allocate(size, 16) for size in (32, 16, 16, 16)]
    >>> fit.deallocate(a); fit.deallocate(c)  # runs of 32, 16 and 176 bytes: three lists
    >>> fit.allocate(16, 16), fit.allocate(33, 16)
    (48, 80)
    """

    def __init__(self, capacity: int = 1 << 40) -> None:
        self.capacity = capacity
        self.reset()

    def reset(self) -> None:
        # Starts of free runs by log2 of their size; and both ends of every run, by the other.
        self.lists: list[dict[int, None]] = [{} for _ in range(self.capacity.bit_length())]
        self.end_of: dict[int, int] = {}
        self.start_of: dict[int, int] = {}
        self.sizes: dict[int, int] = {}
        self.add(0, self.capacity)

    def add(self, start: int, end: int) -> None:
        if start < end:
            self.lists[(end - start).bit_length() - 1][start] = None
            self.end_of[start], self.start_of[end] = end, start

    def remove(self, start: int, end: int) -> None:
        del self.lists[(end - start).bit_length() - 1][start]
        del self.end_of[start], self.start_of[end]

    def allocate(self, size: int, alignment: int) -> int | None:
        size = align_up(size, GRANULE_BYTES)
        for runs in self.lists[size.bit_length() - 1 :]:
            for start in runs:
                offset, end = align_up(start, alignment), self.end_of[start]
                if offset + size <= end:
                    self.remove(start, end)
                    self.add(start, offset)
                    self.add(offset + size, end)
                    self.sizes[offset] = size
                    return offset
        return None

    def deallocate(self, offset: int) -> None:
        start, end = offset, offset + self.sizes.pop(offset)
        if start in self.start_of:
            start = self.start_of[start]
            self.remove(start, offset)
        if end in self.end_of:
            upper, end = end, self.end_of[end]
            self.remove(upper, end)
        self.add(start, end)

    def usable_size(self, offset: int) -> int:
        return self.sizes[offset]
