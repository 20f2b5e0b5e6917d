# SPDX-License-Identifier: MIT
"""Free runs in the order of their addresses: what the three sequential fits search."""

from __future__ import annotations

from bisect import bisect_left


def align_up(offset: int, alignment: int) -> int:
    """Returns the lowest multiple of the alignment that is not below the offset."""
    return -(-offset // alignment) * alignment


class Holes:
    """The free runs of an address space: [starts[at], ends[at]), from low to high.

    Invariant: starts[at] < ends[at] < starts[at + 1]. No two runs touch: neighbours are joined as
    soon as a block between them is given back.
    """

    def __init__(self, capacity: int) -> None:
        self.starts = [0] if capacity else []
        self.ends = [capacity] if capacity else []

    def __len__(self) -> int:
        return len(self.starts)

    def fits(self, at: int, size: int, alignment: int) -> bool:
        """Whether an aligned block of this size has room in a hole."""
        return align_up(self.starts[at], alignment) + size <= self.ends[at]

    def take(self, at: int, size: int, alignment: int) -> int:
        """Cuts a block from the low end of a hole it fits in; returns its offset."""
        start, end = self.starts[at], self.ends[at]
        offset = align_up(start, alignment)
        rest = [(start, offset), (offset + size, end)]
        rest = [(low, high) for low, high in rest if low < high]
        self.starts[at : at + 1] = [low for low, _ in rest]
        self.ends[at : at + 1] = [high for _, high in rest]
        return offset

    def give_back(self, start: int, end: int) -> None:
        """Makes [start, end) free and joins it to the holes it touches."""
        at = bisect_left(self.starts, start)
        first = at - 1 if at > 0 and self.ends[at - 1] == start else at
        last = at + 1 if at < len(self) and self.starts[at] == end else at
        start = self.starts[first] if first < at else start
        end = self.ends[at] if last > at else end
        self.starts[first:last] = [start]
        self.ends[first:last] = [end]
