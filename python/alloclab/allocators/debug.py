# SPDX-License-Identifier: MIT
"""What finds mistakes: debugging blocks around one allocator, and the full stack as a malloc."""

from __future__ import annotations

from dataclasses import dataclass

from alloclab import _native
from alloclab.allocators.elf import check_preloadable
from alloclab.allocators.own import Composed
from alloclab.allocators.spec import (
    Allocator,
    Launch,
    allocator_option,
    count_option,
    flag_option,
    size_option,
)


@dataclass(frozen=True)
class Guard(Composed):
    """Bytes before and after every block that nobody should write, looked at when it is freed.

    Args:
        upstream: where the blocks come from; they take at least 32 bytes more.
    """

    name = "guard"
    upstream: Allocator = allocator_option()


@dataclass(frozen=True)
class Quarantine(Composed):
    """Freed blocks wait, filled with 0xDD, before they are used again.

    Args:
        upstream: where the blocks come from.
        blocks: how many frees a block waits.
        limit: how many bytes may wait; a larger block does not.
    """

    name = "quarantine"
    upstream: Allocator = allocator_option()
    blocks: int | None = count_option("quarantine_blocks")
    limit: int | str | None = size_option("quarantine_bytes")


@dataclass(frozen=True)
class Traced(Composed):
    """Remembers every live block: leaks, tags, and frees that fit nothing.

    Args:
        upstream: where the blocks come from.
        past_blocks: how many freed blocks are remembered, to tell where one was freed first.
        poison: whether a reset fills what it ends.
    """

    name = "trace"
    upstream: Allocator = allocator_option()
    past_blocks: int | None = count_option("past_blocks")
    poison: bool | None = flag_option("poison")


@dataclass(frozen=True)
class Debug(Allocator):
    """The full debugging stack behind malloc: every mistake is one line on stderr and an abort.

    It tracks every block, guards both its ends, and keeps what was freed from use for a while, so
    its times and its footprint are its own. It has no templated kernel.

    Args:
        quarantine_blocks: how many frees a freed block waits before it is used again.
        quarantine: how many bytes may wait.
        past_blocks: how many freed blocks are remembered, to tell where one was freed first.
        check_calls: whether what came from `new` must go to `delete`.
        leaks: whether what is left at the end is reported.
    """

    name = "debug"
    quarantine_blocks: int | None = count_option("quarantine_blocks")
    quarantine: int | str | None = size_option("quarantine_bytes")
    past_blocks: int | None = count_option("past_blocks")
    check_calls: bool | None = flag_option("check_calls")
    leaks: bool | None = flag_option("leaks")

    def launch(self) -> Launch:
        library = _native.malloc_library()
        check_preloadable(library)
        options = " ".join(f"{name}={value}" for name, value in self.settings().items())
        environment = {"ALLOCLAB_MALLOC": "debug"}
        if options:
            environment["ALLOCLAB_MALLOC_OPTIONS"] = options
        return Launch("malloc", {}, environment, (library,), library)
