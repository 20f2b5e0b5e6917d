# SPDX-License-Identifier: MIT
"""Leaf allocators of the core beside those of `own`: the designs of the textbooks, and baselines.

None can serve malloc: they are replayed through their templated, sized kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from alloclab.allocators.own import OwnAllocator
from alloclab.allocators.spec import count_option, flag_option, size_option


@dataclass(frozen=True)
class Tlsf(OwnAllocator):
    """Two-level segregated fit: any size, in a bounded number of steps.

    Args:
        initial: the first chunk; each is twice the last one.
        max_chunk: no chunk is larger, but for a single request that is.
        retain: empty chunks stay mapped up to this much.
    """

    name = "tlsf"
    has_malloc_face: ClassVar[bool] = False
    initial: int | str | None = size_option("initial_bytes")
    max_chunk: int | str | None = size_option("max_chunk_bytes")
    retain: int | str | None = size_option("retain_bytes")


@dataclass(frozen=True)
class Buddy(OwnAllocator):
    """The binary buddy system: powers of two, halved and joined.

    Args:
        min_block: the smallest block it cuts.
        region: what it cuts from, a power of two; no block is larger.
    """

    name = "buddy"
    has_malloc_face: ClassVar[bool] = False
    min_block: int | str | None = size_option("min_block_bytes")
    region: int | str | None = size_option("region_bytes")


@dataclass(frozen=True)
class Slab(OwnAllocator):
    """Objects of one size in small slabs. A larger request fails, and the run says how many did.

    Args:
        object: the size of every object.
        slab: how large a slab is, a power of two.
        retained_slabs: how many empty slabs are kept.
        colour: whether the objects of successive slabs begin at shifted offsets.
    """

    name = "slab"
    has_malloc_face: ClassVar[bool] = False
    object: int | str = size_option("object_bytes", 64)
    slab: int | str | None = size_option("slab_bytes")
    retained_slabs: int | None = count_option("retained_slabs")
    colour: bool | None = flag_option("colour")


@dataclass(frozen=True)
class PageAllocator(OwnAllocator):
    """A mapping for every allocation: the baseline that shows what system calls and pages cost."""

    name = "page_allocator"
    has_malloc_face: ClassVar[bool] = False


@dataclass(frozen=True)
class Platform(OwnAllocator):
    """The malloc of the process as a part of a stack; on its own, what the wrapping costs."""

    name = "platform"
    has_malloc_face: ClassVar[bool] = False
