# SPDX-License-Identifier: MIT
"""Fragmentation: what of a footprint is not what the program asked for.

Live means touched live wherever a ratio over footprint is formed: what a program never touched
costs nothing, whatever it asked for. Ratios that need an instant use the timeline's samples; the
four measures are those of Johnstone and Wilson, "The Memory Fragmentation Problem: Solved?"
(ISMM 1998), with averages over bytes allocated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from alloclab.errors import NotMeasured
from alloclab.replay.parts import Column, Parts, Timeline, ratio, timeline_of

# Samples this near the highest footprint are on its plateau.
PLATEAU_RATIO = 0.05


def internal(parts: Parts) -> list[float]:
    blocks = _whole(parts.one("blocks"))
    held = blocks["block_live_bytes_at_peak_requested"]
    return [
        1 - ratio(blocks["peak_requested_live_bytes"], held, "the block bytes at peak requested")
    ]


def external(parts: Parts) -> list[float]:
    line = _heap_timeline(parts)
    peak = _peak(line)
    touched = _touched_blocks(parts, line)[peak]
    return [1 - ratio(touched, line.footprint_bytes[peak], "the peak footprint")]


def realized(parts: Parts) -> list[float]:
    line = _heap_timeline(parts)
    peak = _peak(line)
    live = line.touched_live_bytes[peak]
    return [ratio(line.footprint_bytes[peak], live, "touched live at peak footprint") - 1]


def johnstone_wilson(which: int) -> Callable[[Parts], list[float]]:
    """Returns the computation of one of the four measures."""

    def compute(parts: Parts) -> list[float]:
        line = _heap_timeline(parts)
        footprint, live = line.footprint_bytes, line.touched_live_bytes
        if which == 1:
            return [_average_over_allocated(line)]
        # The third is taken where footprint is highest to the byte, as its authors did, who warn
        # that little may be live there.
        at_footprint, at_live = int(np.argmax(footprint)), int(np.argmax(live))
        over, under = {
            2: (footprint[at_live], live[at_live]),
            3: (footprint[at_footprint], live[at_footprint]),
            4: (footprint[at_footprint], live[at_live]),
        }[which]
        return [ratio(over, under, "touched live")]

    return compute


def _whole(answer: dict[str, Any]) -> dict[str, Any]:
    """Refuses ratios over live bytes of which some were never handed out."""
    failed = answer["failed_allocations"]
    if failed:
        raise NotMeasured(f"{failed:,} requests failed: not all that the trace has live was")
    return answer


def _heap_timeline(parts: Parts) -> Timeline:
    """The timeline of the heap alone, all of whose blocks were handed out."""
    if _whole(parts.one("timeline"))["mapped"]:
        raise NotMeasured("the footprint holds the program's own mappings, too")
    return timeline_of(parts)


def _peak(line: Timeline) -> int:
    """The sample at which footprint peaks: of those on its plateau, where most was live.

    An allocator that gives nothing back stays near its peak until the program ends; a page more at
    the far end, where little is live, would make a ratio there the figure for the whole program.
    """
    highest = float(line.footprint_bytes.max())
    is_on_plateau = line.footprint_bytes >= (1 - PLATEAU_RATIO) * highest
    return int(np.argmax(np.where(is_on_plateau, line.touched_live_bytes, -1.0)))


def _touched_blocks(parts: Parts, line: Timeline) -> Column:
    """Touched live in blocks, size classes included, at the timeline's events."""
    columns = parts.one("blocks")["timeline"]
    blocks = np.interp(line.event, columns["event"], columns["block_live_bytes"])
    untouched = line.requested_live_bytes - line.touched_live_bytes
    return np.asarray(np.maximum(blocks - untouched, 0.0))


def _average_over_allocated(line: Timeline) -> float:
    """Average of footprint over live; a sample stands for the bytes allocated since the last."""
    weights = np.diff(line.allocated_bytes, prepend=0.0)
    counted = (line.touched_live_bytes > 0) & (weights > 0)
    if not counted.any():
        raise NotMeasured("nothing was live at any sample")
    ratios = line.footprint_bytes[counted] / line.touched_live_bytes[counted]
    return float(np.average(ratios, weights=weights[counted]))
