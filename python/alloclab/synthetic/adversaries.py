# SPDX-License-Identifier: MIT
"""Programs made to fragment a heap: Robson's, and littering.

Robson (1971, "An estimate of the store size necessary for dynamic storage allocation"; 1974,
"Bounds for some functions concerning dynamic storage allocation") shows how much any allocator that
does not move blocks needs in the worst case, by a program that does it to each. Littering is what
Berger et al. (2000, "Hoard"; Powers et al. 2019, "Mesh") have in mind: many small blocks, of which
a random share stays, so that pages are held by little, and then blocks that fit into no hole.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alloclab.errors import UsageError
from alloclab.synthetic.written import Script, check_counts
from alloclab.traces import Trace


def robson_bound(live: int, largest: int) -> int:
    """Returns what no allocator can do without: live * (log2(largest) / 2 + 1) - largest + 1 units.

    Robson (1971), for blocks of 1, 2, 4, ..., `largest` units, never moved, of which at most `live`
    units are alive.
    """
    return live * (largest.bit_length() - 1) // 2 + live - largest + 1


def robson(
    path: str | Path, *, live_bytes: int = 1 << 20, phases: int = 10, unit_bytes: int = 16
) -> Trace:
    """Writes Robson's program against first fit: power-of-two phases.

    Phase 0 fills `live_bytes` with blocks of one unit. Phase i keeps, of what lies at the same
    offset f in each window of 2^i units, one block a window, and frees the others, so that no hole
    is as large as the 2^i units that it then allocates as long as they fit into `live_bytes`. f is
    that one of the two choices left by the phase before that wastes more. Where blocks are placed
    is known because first fit's own rules are followed here.

    Args:
        live_bytes: what is alive at most, M; a multiple of the largest block.
        phases: how many after phase 0; blocks are up to n = unit_bytes * 2^phases.
        unit_bytes: the smallest block; what an allocator rounds to, so that nothing is lost there.

    The heap of `al.textbook.FirstFit` approaches M / 2 * log2(n).

    Cost: some 10 us an event and phase.
    """
    check_counts(live_bytes=live_bytes, phases=phases, unit_bytes=unit_bytes)
    if phases > 24 or live_bytes % (unit_bytes << phases):
        raise UsageError(
            f"live_bytes: {live_bytes} is no multiple of the largest block, "
            f"{unit_bytes} * 2^{phases}"
        )
    script = Script()
    live = live_bytes // unit_bytes
    blocks: dict[int, tuple[int, int]] = {}  # by where it stands: its number and its units
    for place in range(live):
        blocks[place] = (script.allocate(unit_bytes), 1)
    offset = 0
    for phase in range(1, phases + 1):
        window = 1 << phase
        choices = (offset, offset + window // 2)
        offset = max(choices, key=lambda each: _wasted_units(blocks, each, window))
        for place in [at for at in blocks if not _covers(at, blocks[at][1], offset, window)]:
            script.free(blocks.pop(place)[0])
        _fill(script, blocks, live, window, unit_bytes)
    for number, _ in blocks.values():
        script.free(number)
    return script.write(
        path,
        "robson",
        {"live_bytes": live_bytes, "phases": phases, "unit_bytes": unit_bytes},
    )


def _covers(place: int, units: int, offset: int, window: int) -> bool:
    """Says whether a block has a unit whose place is `offset` modulo the window."""
    return (offset - place) % window < units


def _wasted_units(blocks: dict[int, tuple[int, int]], offset: int, window: int) -> int:
    """Returns what is lost to blocks that would stay: of a window each, what they do not fill."""
    return sum(
        window - units for at, (_, units) in blocks.items() if _covers(at, units, offset, window)
    )


def _fill(
    script: Script, blocks: dict[int, tuple[int, int]], live: int, units: int, unit_bytes: int
) -> None:
    """Allocates blocks of so many units, each in the lowest hole, while they may be alive."""
    held = sum(each for _, each in blocks.values())
    places = sorted(blocks)
    ends = [at + blocks[at][1] for at in places]
    at, following = 0, 0
    while held + units <= live:
        while following < len(places) and places[following] - at < units:
            at = max(at, ends[following])
            following += 1
        blocks[at] = (script.allocate(units * unit_bytes), units)
        held += units
        at += units


def littering(
    path: str | Path,
    *,
    objects: int = 100_000,
    small_bytes: int = 48,
    kept_share: float = 0.05,
    large_bytes: int = 256,
    seed: int = 0,
) -> Trace:
    """Writes a littered heap: small blocks, of which few stay, then larger ones of as many bytes.

    `objects` blocks of `small_bytes` are allocated, and all but a random `kept_share` of them
    freed, in random order. Then blocks of `large_bytes` are allocated until as many bytes are alive
    as before. Nothing is freed at the end, as a server would be at work. An allocator that gives
    each page to one size holds the small blocks' pages for the share that stayed.

    Args:
        kept_share: of the small blocks, from 0 to 1.
        seed: which stay, and in which order the others go.
    """
    check_counts(objects=objects, small_bytes=small_bytes, large_bytes=large_bytes)
    if not 0 <= kept_share <= 1:
        raise UsageError(f"kept_share: {kept_share} is not from 0 to 1")
    rng = np.random.default_rng(seed)
    script = Script()
    for _ in range(objects):
        script.allocate(small_bytes)
    order = rng.permutation(objects)
    freed = objects - round(objects * kept_share)
    for block in order[:freed].tolist():
        script.free(block)
    for _ in range(freed * small_bytes // large_bytes):
        script.allocate(large_bytes)
    parameters = {"objects": objects, "small_bytes": small_bytes, "kept_share": kept_share}
    return script.write(path, "littering", {**parameters, "large_bytes": large_bytes, "seed": seed})
