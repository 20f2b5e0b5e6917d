# SPDX-License-Identifier: MIT
"""The lab's own allocators. Each is measured twice: through a malloc face, on equal terms with
everyone else's mallocs, and through its templated, sized kernel, which is a column of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from alloclab import _native
from alloclab.allocators.elf import check_preloadable
from alloclab.allocators.spec import (
    Allocator,
    Json,
    Launch,
    choice_option,
    count_option,
    flag_option,
    ratio_option,
    size_option,
)
from alloclab.errors import NotMeasured, UsageError


@dataclass(frozen=True)
class OwnAllocator(Allocator):
    """An allocator of the lab's core: a heap of the replay child, and perhaps a malloc face."""

    can_be_part: ClassVar[bool] = True
    has_malloc_face: ClassVar[bool] = True

    def launch(self) -> Launch:
        if not self.has_malloc_face:
            raise NotMeasured(
                f"{self.name} cannot serve malloc; its templated path can be replayed"
            )
        library = _native.malloc_library(self.name)
        check_preloadable(library)
        options = " ".join(f"{name}={value}" for name, value in self.settings().items())
        environment = {"ALLOCLAB_MALLOC_OPTIONS": options} if options else {}
        return Launch(
            "malloc", {}, environment, (library,), library, huge_pages=self.wants_huge_pages()
        )

    def kernel(self) -> Launch | None:
        return Launch(
            self.name,
            self.settings(),
            self.part_environment(),
            library=_native.replay_executable(),
            huge_pages=self.wants_huge_pages(),
        )

    def core_spec(self) -> Json:
        children = {name: child.core_spec() for name, child in self.children().items()}
        spec: Json = {"allocator": self.name, "options": self.settings()}
        return {**spec, "children": children} if children else spec


@dataclass(frozen=True)
class Composed(OwnAllocator):
    """An allocator made of others. It is replayed through indirect calls, the type-erased path,
    and has no malloc face.
    """

    has_malloc_face: ClassVar[bool] = False

    def kernel(self) -> Launch:
        return Launch(
            "composed",
            environment=self.part_environment(),
            library=_native.replay_executable(),
            huge_pages=self.wants_huge_pages(),
            spec=json.dumps(self.core_spec()),
        )


ARENA_PRESETS = ("page_chain", "lexlang", "swiftlang", "doubling", "weir", "roc")
RESET_MODES = ("free_all", "retain_capacity", "retain_with_limit")


@dataclass(frozen=True)
class Arena(OwnAllocator):
    """A bump allocator over growing chunks; frees are ignored but the last block's.

    Args:
        preset: a whole design; the other settings change it. `page_chain` (lex-lang, SwiftLang) is
            a chain of equal chunks, `doubling` (Weir) the default, `roc` grows by half in place.
        initial: the first chunk, for instance "64 KiB".
        growth: each chunk is this many times the last one; 2 unless a preset says otherwise.
        max_chunk: no chunk is larger, but for a single request that is.
        extend: make the chunk being filled longer in place where the system can.
        reset: what a reset keeps: `free_all`, `retain_capacity` or `retain_with_limit`.
        retain_limit: how much `retain_with_limit` keeps.
        poison: what memory that died is made to show: `none`, `fill` (it reads 0xDD) or `protect`.
    """

    name = "arena"
    preset: str | None = choice_option("preset", ARENA_PRESETS)
    initial: int | str = size_option("initial_bytes", 64 << 10)
    growth: float | None = ratio_option("growth")
    max_chunk: int | str | None = size_option("max_chunk_bytes")
    extend: bool | None = flag_option("extend")
    reset: str | None = choice_option("reset", RESET_MODES)
    retain_limit: int | str | None = size_option("retain_limit_bytes")
    poison: str | None = choice_option("poison", ("none", "fill", "protect"))


@dataclass(frozen=True)
class FrameArena(Arena):
    """Two arenas in turn: what a frame allocates lives until the next one ends.

    A recording without frames replays as under an arena. It has no malloc face.
    """

    name = "frame_arena"
    has_malloc_face: ClassVar[bool] = False


@dataclass(frozen=True)
class DoubleEnded(OwnAllocator):
    """Two stacks in one region that grow towards each other; a replay fills the low one.

    Args:
        region: how much address space both share; nothing beyond it can be allocated.
    """

    name = "double_ended"
    has_malloc_face: ClassVar[bool] = False
    region: int | str | None = size_option("region_bytes")


@dataclass(frozen=True)
class Freelist(OwnAllocator):
    """Blocks of one size. A larger request fails, and the run says how many did.

    Args:
        block: the size of every block.
        blocks_per_chunk: how many blocks are taken from the system at once.
    """

    name = "freelist"
    has_malloc_face: ClassVar[bool] = False
    block: int | str = size_option("block_bytes", 64)
    blocks_per_chunk: int | None = count_option("blocks_per_chunk")


@dataclass(frozen=True)
class Pool(OwnAllocator):
    """A general-purpose allocator of size classes without headers.

    Args:
        purge: give free memory back where fresh pages would set a new peak.
        purge_slack_divisor: what is kept all the same, as the peak divided by this.
        decay_ms: free memory unused for about this long goes back; 0 keeps it.
        background: a thread lets time pass for a program that makes no calls: under malloc only,
            there is no templated path then, and a part of a stack cannot have it.
        huge_pages_from: the use from which the heap grows by huge pages; 0 is never.
        populate: how much fresh memory is faulted in at once; 0 leaves it to faults.
        region: the address space reserved.
        classes_per_doubling: sizes to 1 KiB are rounded up to one of so many between a power of two
            and the next: 1, 2, 4, 8 (the default) or 16.
    """

    name = "pool"
    purge: bool | None = flag_option("purge")
    purge_slack_divisor: int | None = count_option("purge_slack_divisor")
    decay_ms: int | None = count_option("decay_ms")
    background: bool | None = flag_option("background")
    huge_pages_from: int | str | None = size_option("huge_pages_from_bytes", huge_pages=True)
    populate: int | str | None = size_option("populate_bytes")
    region: int | str | None = size_option("region_bytes")
    classes_per_doubling: int | None = count_option("classes_per_doubling")

    def kernel(self) -> Launch | None:
        return None if self.background else super().kernel()

    def core_spec(self) -> Json:
        if self.background:
            raise UsageError(
                "pool: background is a thread of the malloc library: a part or a live one has none"
            )
        return super().core_spec()


@dataclass(frozen=True)
class Null(OwnAllocator):
    """Refuses every request: what the templated kernel costs without an allocator."""

    name = "null"
    has_malloc_face: ClassVar[bool] = False
