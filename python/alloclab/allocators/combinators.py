# SPDX-License-Identifier: MIT
"""Allocators made of others: who routes, and who stands around one and adds something.

The names are those of the field, see docs/allocators/combinators.md. A stack is replayed through
indirect calls, its type-erased path.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from alloclab.allocators.own import Composed
from alloclab.allocators.spec import (
    Allocator,
    allocator_option,
    choice_option,
    count_option,
    flag_option,
    size_option,
)


@dataclass(frozen=True)
class Segregator(Composed):
    """Small blocks from one allocator, large ones from another.

    Args:
        threshold: the largest size that is small.
        small: serves sizes up to the threshold.
        large: serves the others, and what is aligned to more than `small_alignment`.
        small_alignment: the strongest alignment asked of `small`.
    """

    name = "segregator"
    threshold: int | str = size_option("threshold_bytes", 256)
    _: KW_ONLY
    small: Allocator = allocator_option()
    large: Allocator = allocator_option()
    small_alignment: int | str | None = size_option("small_alignment_bytes")


@dataclass(frozen=True)
class Bucketizer(Composed):
    """An allocator a range of sizes, each asked for the largest size of its range only.

    Free lists and slabs anywhere under it get that size as their block size. Sizes below `min` and
    above `max` fail: put a segregator before it.

    Args:
        upstream: what each bucket is.
        min: the smallest size served.
        max: the largest size served.
        step: the width of a bucket, a power of two; with `steps_per_doubling` the least width.
        steps_per_doubling: how many buckets there are from one power of two to the next; 0 makes
            all equally wide.
    """

    name = "bucketizer"
    upstream: Allocator = allocator_option()
    min: int | str = size_option("min_bytes", 1)
    max: int | str = size_option("max_bytes", 256)
    step: int | str = size_option("step_bytes", 16)
    steps_per_doubling: int | None = count_option("steps_per_doubling")


@dataclass(frozen=True)
class Fallback(Composed):
    """Takes from the first while it has any, then from the second.

    Args:
        primary: asked first; it must know which blocks are its own.
        secondary: asked where the first has nothing.
    """

    name = "fallback"
    primary: Allocator = allocator_option()
    secondary: Allocator = allocator_option()


@dataclass(frozen=True)
class Affix(Composed):
    """Leaves bytes before and after each block.

    Args:
        upstream: where the blocks come from.
        prefix: bytes before, rounded up to the block's alignment.
        suffix: bytes after.
    """

    name = "affix"
    upstream: Allocator = allocator_option()
    prefix: int | str = size_option("prefix_bytes", 16)
    suffix: int | str = size_option("suffix_bytes", 0)


@dataclass(frozen=True)
class Quantizer(Composed):
    """Rounds sizes up, so that a block grows within its step where it stands.

    Args:
        upstream: where the blocks come from.
        quantum: sizes are multiples of it, a power of two.
        steps_per_doubling: above that, how many sizes there are from one power of two to the next;
            1 is powers of two, 0 is multiples only.
    """

    name = "quantizer"
    upstream: Allocator = allocator_option()
    quantum: int | str = size_option("quantum_bytes", 16)
    steps_per_doubling: int | None = count_option("steps_per_doubling")


@dataclass(frozen=True)
class Stats(Composed):
    """Counts what passes through; the counts are among the run's `stats`.

    Args:
        upstream: what is counted.
        slack: also how many bytes blocks have above what was asked for.
        histogram: also how many requests there were of each power of two.
    """

    name = "stats"
    upstream: Allocator = allocator_option()
    slack: bool = flag_option("slack", False)
    histogram: bool = flag_option("histogram", False)


@dataclass(frozen=True)
class Limit(Composed):
    """A budget: requests that would bring the live bytes above it fail.

    Args:
        upstream: what is limited.
        bytes: the budget; without one nothing is refused for it.
    """

    name = "limit"
    upstream: Allocator = allocator_option()
    bytes: int | str | None = size_option("limit_bytes")


@dataclass(frozen=True)
class FailAfter(Composed):
    """Runs out of memory on purpose, at a request of your choice.

    Args:
        upstream: what serves the other requests.
        served: so many requests succeed first.
        failed: so many fail then; None is all the rest.
    """

    name = "fail_after"
    upstream: Allocator = allocator_option()
    served: int | None = count_option("served_ops")
    failed: int | None = count_option("failed_ops")


@dataclass(frozen=True)
class Locked(Composed):
    """One allocator for several threads, one at a time.

    Args:
        upstream: what is shared.
        lock: `spin`, or `mutex` where calls are long.
    """

    name = "locked"
    upstream: Allocator = allocator_option()
    lock: str = choice_option("lock", ("spin", "mutex"), "spin")


@dataclass(frozen=True)
class ThreadLocal(Composed):
    """An allocator a thread; blocks freed by another thread go back to their owner.

    Args:
        upstream: what each thread gets one of.
        on_exit: what becomes of it when the thread ends. `keep` leaves it for the next thread as
            it is; `drain` frees what others left, and gives the memory back if nothing lives.
    """

    name = "thread_local"
    upstream: Allocator = allocator_option()
    on_exit: str = choice_option("on_exit", ("keep", "drain"), "keep")


@dataclass(frozen=True)
class Callback(Composed):
    """Tells of every call; in a replay, whose child has no Python, the calls are counted.

    Args:
        upstream: whose calls are told of.
    """

    name = "callback"
    upstream: Allocator = allocator_option()


@dataclass(frozen=True)
class Deterministic(Composed):
    """Never changes a block's size where it stands: every reallocation moves.

    Args:
        upstream: where the blocks come from.
    """

    name = "deterministic"
    upstream: Allocator = allocator_option()
