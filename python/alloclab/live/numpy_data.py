# SPDX-License-Identifier: MIT
"""NumPy's own data from any allocator, by the data handlers of NEP 49."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alloclab._core import make_numpy_handler, set_numpy_handler
from alloclab.allocators import Allocator
from alloclab.live.allocator import DEFAULT_ALIGNMENT, LiveAllocator


@contextmanager
def numpy_allocator(
    allocator: LiveAllocator | Allocator, *, alignment: int = DEFAULT_ALIGNMENT
) -> Iterator[LiveAllocator]:
    """Lets the arrays NumPy makes within the `with` block take their data from an allocator.

        with al.numpy_allocator(al.Pool()) as pool:
            grid = np.zeros((1000, 1000))
        pool.stats()

    An array keeps its allocator for life: it may outlive the block, and is freed, wherever that
    happens, where it came from. Such arrays count as escapes when the allocator itself is closed.

    The handler belongs to NumPy's context variable: it holds in this thread, and in tasks that
    begin within the block, not in threads started meanwhile.

    Args:
        allocator: a live one, or a spec to build one from.
        alignment: of the data, for instance 64; as many bytes are added to each array.

    Raises:
        MemoryError: from NumPy, where the allocator refuses.
    """
    chosen = allocator if isinstance(allocator, LiveAllocator) else LiveAllocator(allocator)
    before = set_numpy_handler(make_numpy_handler(chosen._heap, alignment, chosen.name))
    try:
        yield chosen
    finally:
        set_numpy_handler(before)
