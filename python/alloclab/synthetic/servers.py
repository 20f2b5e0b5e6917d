# SPDX-License-Identifier: MIT
"""Shapes of threaded servers: one allocates and others free; slots replaced at random; sh6bench."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import numpy as np

from alloclab.errors import UsageError
from alloclab.synthetic.written import Script, check_counts, check_sizes
from alloclab.traces import Trace


def producer_consumer(
    path: str | Path,
    *,
    objects: int = 100_000,
    consumers: int = 3,
    queue: int = 1_000,
    sizes: tuple[int, int] = (16, 512),
    seed: int = 0,
) -> Trace:
    """Writes a pipeline: thread 0 allocates every block, threads 1 to `consumers` free them all.

    Blocks pass through a queue of at most `queue`, first in, first out; once it is full, each
    allocation is followed by a free of the oldest by a consumer drawn at random. At the end the
    queue is emptied. A heap a thread must give memory back to the thread that needs it, or grow
    without end (Berger et al. 2000, "Hoard", call that blowup).

    Args:
        sizes: the smallest and the largest, in bytes; each between them is as likely.
    """
    check_counts(objects=objects, consumers=consumers, queue=queue)
    low, high = check_sizes(sizes)
    rng = np.random.default_rng(seed)
    script = Script()
    waiting: deque[int] = deque()
    asked = rng.integers(low, high + 1, objects).tolist()
    takers = rng.integers(1, consumers + 1, objects).tolist()
    for size, taker in zip(asked, takers, strict=True):
        waiting.append(script.allocate(size))
        if len(waiting) > queue:
            script.free(waiting.popleft(), taker)
    for number, block in enumerate(waiting):
        script.free(block, 1 + number % consumers)
    parameters = {"objects": objects, "consumers": consumers, "queue": queue}
    return script.write(
        path, "producer_consumer", {**parameters, "sizes": [low, high], "seed": seed}
    )


def larson(
    path: str | Path,
    *,
    threads: int = 4,
    slots: int = 1_000,
    rounds: int = 10,
    replacements: int = 5_000,
    sizes: tuple[int, int] = (10, 500),
    seed: int = 0,
) -> Trace:
    """Writes a server under long load: random blocks are replaced, and inherited by other threads.

    After Larson and Krishnan (1998, "Memory allocation for long-running server applications"): each
    thread owns `slots` blocks; `replacements` times it frees a random one of them and allocates
    another one of a random size in its place. Then the thread ends, and a new one takes over its
    blocks, `rounds` times: what it frees first, others allocated. Threads take turns, an exchange
    each. Thread 0 allocates the first blocks of all.
    """
    check_counts(threads=threads, slots=slots, rounds=rounds, replacements=replacements)
    low, high = check_sizes(sizes)
    rng = np.random.default_rng(seed)
    script = Script()
    first = rng.integers(low, high + 1, (threads, slots)).tolist()
    owned = [[script.allocate(size) for size in each] for each in first]
    for round_number in range(rounds):
        which = rng.integers(0, slots, (replacements, threads)).tolist()
        asked = rng.integers(low, high + 1, (replacements, threads)).tolist()
        for slots_now, sizes_now in zip(which, asked, strict=True):
            for worker in range(threads):
                thread = 1 + round_number * threads + worker
                slot = slots_now[worker]
                script.free(owned[worker][slot], thread)
                owned[worker][slot] = script.allocate(sizes_now[worker], thread)
    for each in owned:
        for block in each:
            script.free(block)
    parameters = {"threads": threads, "slots": slots, "rounds": rounds}
    parameters |= {"replacements": replacements, "seed": seed}
    return script.write(path, "larson", {**parameters, "sizes": [low, high]})


def sh6bench(
    path: str | Path,
    *,
    objects: int = 100_000,
    threads: int = 2,
    sizes: tuple[int, int] = (1, 1_000),
    kept_share: float = 0.1,
    seed: int = 0,
) -> Trace:
    """Writes batches of small blocks freed in both orders: the shape of MicroQuill's sh6bench.

    As public descriptions have it (mimalloc's and others'): many sizes with the small ones far more
    frequent; blocks die in batches, partly last in, first out and partly first in, first out; some
    outlive their batch. Here a batch is 200 blocks of one thread; sizes are `low * (high/low)^u`, u
    uniform; even batches are freed from the end, odd ones from the beginning, and the share that is
    kept goes five batches of its thread later.

    Args:
        objects: blocks of all threads together.
        kept_share: of each batch, from 0 to 1.
    """
    check_counts(objects=objects, threads=threads)
    low, high = check_sizes(sizes)
    if not 0 <= kept_share <= 1:
        raise UsageError(f"kept_share: {kept_share} is not from 0 to 1")
    rng = np.random.default_rng(seed)
    script = Script()
    kept: list[deque[list[int]]] = [deque() for _ in range(threads)]
    for number, begin in enumerate(range(0, objects, _BATCH)):
        thread, count = number % threads, min(_BATCH, objects - begin)
        asked = np.floor(low * (high / low) ** rng.random(count) + 1e-9).astype(int)
        batch = [script.allocate(size, thread) for size in asked.tolist()]
        stays = (rng.random(count) < kept_share).tolist()
        dying = [block for block, stay in zip(batch, stays, strict=True) if not stay]
        is_last_first = number // threads % 2 == 0
        for block in reversed(dying) if is_last_first else dying:
            script.free(block, thread)
        kept[thread].append([block for block, stay in zip(batch, stays, strict=True) if stay])
        if len(kept[thread]) > _KEPT_BATCHES:
            for block in kept[thread].popleft():
                script.free(block, thread)
    for thread, batches in enumerate(kept):
        for block in (each for rest in batches for each in rest):
            script.free(block, thread)
    parameters = {"objects": objects, "threads": threads, "kept_share": kept_share, "seed": seed}
    return script.write(path, "sh6bench", {**parameters, "sizes": [low, high]})


_BATCH = 200
_KEPT_BATCHES = 5
