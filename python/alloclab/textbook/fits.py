# SPDX-License-Identifier: MIT
"""First fit, best fit and next fit: one list of holes, three ways to choose from it.

Knuth, "The Art of Computer Programming", volume 1, section 2.5. Sizes are rounded up to 16 bytes,
so that no hole is too small for anything.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from alloclab.textbook.holes import Holes, align_up

GRANULE_BYTES = 16


class FirstFit:
    """Takes the lowest hole that is large enough.

    >>> fit = FirstFit(128)
    >>> a, b, c, d = [fit.allocate(size, 16) for size in (32, 16, 16, 16)]
    >>> fit.deallocate(a); fit.deallocate(c)  # holes [0, 32), [48, 64), [80, 128)
    >>> fit.allocate(16, 16)
    0
    """

    def __init__(self, capacity: int = 1 << 40) -> None:
        self.capacity = capacity
        self.reset()

    def reset(self) -> None:
        self.holes = Holes(self.capacity)
        self.sizes: dict[int, int] = {}

    def choose(self, size: int, alignment: int) -> int | None:
        return next(self.fitting(range(len(self.holes)), size, alignment), None)

    def fitting(self, candidates: Iterable[int], size: int, alignment: int) -> Iterator[int]:
        return (at for at in candidates if self.holes.fits(at, size, alignment))

    def allocate(self, size: int, alignment: int) -> int | None:
        size = align_up(size, GRANULE_BYTES)
        at = self.choose(size, alignment)
        if at is None:
            return None
        offset = self.holes.take(at, size, alignment)
        self.sizes[offset] = size
        return offset

    def deallocate(self, offset: int) -> None:
        self.holes.give_back(offset, offset + self.sizes.pop(offset))

    def resize(self, offset: int, new_size: int) -> bool:
        new_size, size = align_up(new_size, GRANULE_BYTES), self.sizes[offset]
        end, new_end = offset + size, offset + new_size
        if new_size > size:
            at = bisect_left(self.holes.starts, end)
            if not (at < len(self.holes) and self.holes.starts[at] == end):
                return False
            if self.holes.ends[at] < new_end:
                return False
            self.holes.take(at, new_size - size, 1)
        elif new_size < size:
            self.holes.give_back(new_end, end)
        self.sizes[offset] = new_size
        return True

    def usable_size(self, offset: int) -> int:
        return self.sizes[offset]


class BestFit(FirstFit):
    """Takes the smallest hole that is large enough, the lowest of several.

    >>> fit = BestFit(128)
    >>> a, b, c, d = [fit.allocate(size, 16) for size in (32, 16, 16, 16)]
    >>> fit.deallocate(a); fit.deallocate(c)  # holes [0, 32), [48, 64), [80, 128)
    >>> fit.allocate(16, 16)
    48
    """

    def choose(self, size: int, alignment: int) -> int | None:
        holes = self.holes
        fitting = self.fitting(range(len(holes)), size, alignment)
        return min(fitting, key=lambda at: holes.ends[at] - holes.starts[at], default=None)


class NextFit(FirstFit):
    """Takes the next hole that is large enough, from where the last block was placed.

    >>> fit = NextFit(128)
    >>> a, b, c, d = [fit.allocate(size, 16) for size in (32, 16, 16, 16)]
    >>> fit.deallocate(a); fit.deallocate(c)  # holes [0, 32), [48, 64), [80, 128)
    >>> fit.allocate(16, 16)
    80
    """

    def reset(self) -> None:
        super().reset()
        self.rover = 0

    def choose(self, size: int, alignment: int) -> int | None:
        here = bisect_left(self.holes.starts, self.rover)
        around = [*range(here, len(self.holes)), *range(here)]
        return next(self.fitting(around, size, alignment), None)

    def allocate(self, size: int, alignment: int) -> int | None:
        offset = super().allocate(size, alignment)
        if offset is not None:
            self.rover = offset + self.sizes[offset]
        return offset
