# SPDX-License-Identifier: MIT
"""Where a real allocator puts the blocks of a trace: the same map, of addresses it really gave."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.allocators import Allocator, Launch
from alloclab.errors import ChildFailed, UsageError
from alloclab.replay import order_template
from alloclab.replay.child import run_child
from alloclab.simulate.contract import REFUSED
from alloclab.simulate.placement import Placement
from alloclab.simulate.rows import ALIVE, Rows, judge
from alloclab.simulate.steps import ALLOCATE, FREE, REALLOCATE, REALLOCATE_ZERO, steps_of
from alloclab.traces import Trace
from alloclab.units import parse_bytes

_PAGE_BYTES = 4096
Ints = npt.NDArray[np.int64]


def placement(
    trace: Trace | str | Path,
    allocator: Allocator,
    *,
    events: int | None = None,
    skip_gaps: str | int | None = "1 MiB",
) -> Placement:
    """Replays a trace under an allocator, in a child, and returns where its blocks stood.

    Addresses are taken from the lowest block's page on. Nothing is touched or timed. The lab's own
    allocators are asked through their templated, sized path; everyone else's as malloc.

    Args:
        trace: a trace, or its path.
        allocator: the spec.
        events: replay only so many.
        skip_gaps: runs of whole pages at least this long that no block ever stands in are left out:
            a heap and its mappings lie terabytes apart. None leaves nothing out.

    Raises:
        NotInstalled, UsageError: the allocator cannot be had.
        NotMeasured: it tells no block sizes.
        TraceError: the trace is damaged.
        ChildFailed: the child died, or gave the same byte to two blocks.
    """
    gap = None if skip_gaps is None else parse_bytes(skip_gaps)
    launch = allocator.kernel() or allocator.launch()
    placed = _placed(trace, launch, events)
    name, rows, seen = _rows(trace, events, placed)
    columns = rows.filled()
    columns["offset"] = _from_lowest(columns["offset"], columns["block_size"], gap)
    columns["offset"].flags.writeable = False
    overlap, figures, _ = judge(columns, seen, may_move_onto_itself=True)
    if overlap is not None:
        event = int(columns["birth"][overlap[0]])
        raise ChildFailed(f"{allocator} gave the same byte to two live blocks, at event {event}")
    return Placement(name, str(allocator), seen, columns, is_simulated=False, _figures=figures)


def _placed(trace: Any, launch: Launch, events: int | None) -> npt.NDArray[np.uint64]:
    """Returns (address, usable size) of each allocation and reallocation, zeroes where refused."""
    template = order_template(trace, touch="none", stop_after=events)
    with tempfile.TemporaryDirectory(prefix="alloclab-") as folder:
        file = Path(folder) / "placement"
        run_child(replace(template, launch=launch, measure="placement", placement_file=file))
        return np.fromfile(file, dtype=np.uint64).reshape(-1, 2)


def _rows(trace: Any, events: int | None, placed: npt.NDArray[np.uint64]) -> tuple[str, Rows, int]:
    """Puts the addresses beside the steps of the trace that they answer."""
    name, stretches, _ = steps_of(trace, events)
    rows, seen = Rows(len(placed)), 0
    row_of: dict[int, int] = {}
    columns = rows.columns
    for steps in stretches:
        seen = steps.first_event + len(steps)
        births = np.flatnonzero((steps.kind == ALLOCATE) | (steps.kind == REALLOCATE))
        at = slice(rows.count, rows.count + len(births))
        given = placed[at]
        if len(given) != len(births):
            raise ChildFailed(f"answered {len(placed)} requests, and the trace has more")
        is_refused = given[:, 0] == 0
        columns["object"][at] = steps.object[births]
        columns["size"][at] = steps.size[births]
        columns["birth"][at] = births + steps.first_event
        columns["death"][at] = ALIVE
        columns["is_refused"][at] = is_refused
        columns["offset"][at] = np.where(is_refused, REFUSED, given[:, 0].astype(np.int64))
        columns["block_size"][at] = np.where(
            is_refused, 0, np.maximum(given[:, 1].astype(np.int64), 1)
        )
        _link(steps, births, rows, row_of)
        rows.count = at.stop
    return name, rows, seen


def _link(steps: Any, births: npt.NDArray[Any], rows: Rows, row_of: dict[int, int]) -> None:
    """Ends rows where their objects are freed or reallocated; keeps blocks that could not grow."""
    columns, row = rows.columns, rows.count
    death, offset = columns["death"], columns["offset"]
    is_step = np.isin(steps.kind, (ALLOCATE, FREE, REALLOCATE, REALLOCATE_ZERO))
    for event, kind, number in zip(
        (np.flatnonzero(is_step) + steps.first_event).tolist(),
        steps.kind[is_step].tolist(),
        steps.object[is_step].tolist(),
        strict=True,
    ):
        if kind == ALLOCATE:
            row_of[number] = row
            row += 1
            continue
        old = row_of.pop(number)
        death[old] = event
        if kind == REALLOCATE:
            is_ended = columns["size"][row] == 0  # realloc(p, 0) may give no block
            if offset[row] == REFUSED and not is_ended:
                offset[row] = offset[old]
                columns["block_size"][row] = columns["block_size"][old]
            elif offset[row] == REFUSED:
                columns["is_refused"][row] = False
            row_of[number] = row
            row += 1


def _from_lowest(address: Ints, block_size: Ints, gap: int | None) -> Ints:
    """Returns offsets from the lowest block's page, without the long runs no block stands in."""
    is_placed = address != REFUSED
    if not is_placed.any():
        return address.copy()
    if gap is not None and gap < _PAGE_BYTES:
        raise UsageError(f"skip_gaps is at least a page, {_PAGE_BYTES} bytes, not {gap}")
    first_page = address[is_placed] // _PAGE_BYTES
    last_page = (address[is_placed] + block_size[is_placed] - 1) // _PAGE_BYTES
    result = np.full_like(address, REFUSED)
    result[is_placed] = address[is_placed] - int(first_page.min()) * _PAGE_BYTES
    if gap is None:
        return result
    order = np.argsort(first_page, kind="stable")
    start, reached = first_page[order], np.maximum.accumulate(last_page[order])
    skipped = np.zeros(len(start), np.int64)
    skipped[1:] = start[1:] - reached[:-1] - 1
    skipped[skipped * _PAGE_BYTES < gap] = 0
    moved = np.empty_like(first_page)
    moved[order] = np.cumsum(skipped) * _PAGE_BYTES
    result[is_placed] -= moved
    return result
