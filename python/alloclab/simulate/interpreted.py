# SPDX-License-Identifier: MIT
"""Replays steps on an allocator that Python interprets, one call after the other.

The loop does no more for an event than the allocator's call, the look at what it returned, and one
entry in a table; which rows are born and die at which events is worked out by NumPy afterwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alloclab.errors import SimulationError, TraceError
from alloclab.simulate.contract import DEFAULT_ALIGNMENT, REFUSED, calls_of
from alloclab.simulate.rows import ALIVE, Rows
from alloclab.simulate.steps import ALLOCATE, FREE, REALLOCATE, REALLOCATE_ZERO, RESET, Steps

_ENDS = (FREE, REALLOCATE_ZERO)


class Interpreted:
    """One allocator at work on one address space, filling rows stretch by stretch."""

    def __init__(self, allocator: Any, address_space: int, rows: Rows) -> None:
        self._calls = calls_of(allocator)
        self._space = address_space
        self._rows = rows
        # The row and the offset of every live object; a refused one has an offset of REFUSED.
        self._live: dict[int, tuple[int, int]] = {}
        self._event = 0
        self._request: tuple[int, int | None, int] | None = None
        if self._calls.reset is not None:
            self._calls.reset()

    def run(self, steps: Steps) -> SimulationError | None:
        """Replays the steps; returns what stopped it, rows being filled up to there."""
        self._offsets: list[int] = []  # of rows born, in order
        self._dead: list[int] = []  # rows that ended, in order
        self._blocks: list[int] = []  # with usable_size: sizes of rows born
        self._refused: list[int] = []  # rows
        self._kept: list[tuple[int, int]] = []  # rows that are the block of an older row
        self._reset: list[tuple[int, int]] = []  # rows ended by a reset, and its event
        is_step = np.isin(steps.kind, (ALLOCATE, FREE, REALLOCATE, REALLOCATE_ZERO, RESET))
        problem = None
        try:
            self._loop(steps, is_step)
        except TraceError:
            raise
        except SimulationError as error:
            problem = error
        except Exception as error:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            problem = SimulationError(f"raised {what}", event=self._event, block=self._request)
            problem.__cause__ = error
        self._fill(steps)
        return problem

    def _loop(self, steps: Steps, is_step: Any) -> None:
        allocate, deallocate = self._calls.allocate, self._calls.deallocate
        live, space, offsets, dead = self._live, self._space, self._offsets, self._dead
        has_usable_size = self._calls.usable_size is not None
        row = self._rows.count
        alignments = steps.alignment[is_step]
        alignments = np.where(alignments == 0, DEFAULT_ALIGNMENT, alignments)
        event, number, size = steps.first_event, 0, 0
        try:
            for event, kind, number, size, alignment in zip(
                (np.flatnonzero(is_step) + steps.first_event).tolist(),
                steps.kind[is_step].tolist(),
                steps.object[is_step].tolist(),
                steps.size[is_step].tolist(),
                alignments.tolist(),
                strict=True,
            ):
                if kind == ALLOCATE:
                    offset = allocate(size or 1, alignment)
                    if (
                        offset.__class__ is not int
                        or offset < 0
                        or offset & (alignment - 1)
                        or offset + size > space
                    ):
                        offset = self._checked(offset, event, number, size, alignment, row)
                    live[number] = row, offset
                    if has_usable_size:
                        self._measure(event, number, offset, size)
                    offsets.append(offset)
                    row += 1
                elif kind in _ENDS:
                    entry = live.pop(number, None)
                    if entry is None:
                        raise TraceError(f"event {event}: object {number} is no live block")
                    dead.append(entry[0])
                    if entry[1] >= 0:
                        deallocate(entry[1])
                elif kind == REALLOCATE:
                    self._reallocate(event, number, size, row)
                    row += 1
                else:
                    self._end_all(event)
        finally:
            self._event = event
            self._request = number, None, size

    def _checked(
        self, offset: Any, event: int, number: int, size: int, alignment: int, row: int
    ) -> int:
        """Returns what `allocate` gave as an offset, or says what is wrong with it."""
        if offset is None:
            self._refused.append(row)
            return REFUSED
        if isinstance(offset, np.integer):
            offset = int(offset)
        if not isinstance(offset, int) or isinstance(offset, bool):
            raise SimulationError(
                f"allocate returned {offset!r}, which is neither an offset nor None",
                event=event,
                block=(number, None, size),
            )
        block = (number, offset, max(size, 1))
        if offset < 0:
            raise SimulationError("placed below the address space", event=event, block=block)
        if offset % alignment:
            raise SimulationError(f"not aligned to {alignment} bytes", event=event, block=block)
        if offset + max(size, 1) > self._space:
            raise SimulationError(
                f"placed beyond the {self._space} bytes of the address space",
                event=event,
                block=block,
            )
        return offset

    def _reallocate(self, event: int, number: int, size: int, row: int) -> None:
        entry = self._live.get(number)
        if entry is None:
            raise TraceError(f"event {event}: object {number} is no live block")
        old_row, old = entry
        offset, is_kept = old, False
        if old < 0 or not self._resized(event, number, old, size):
            got = self._calls.allocate(size or 1, DEFAULT_ALIGNMENT)
            offset = self._checked(got, event, number, size, DEFAULT_ALIGNMENT, row)
            if offset == old != REFUSED:
                raise SimulationError(
                    "moved to the place it is still alive at",
                    event=event,
                    block=(number, offset, max(size, 1)),
                    other=(number, old, max(size, 1)),
                )
            is_kept = offset < 0 <= old  # no room: realloc fails, and the block stays as it is
            if is_kept:
                offset = old
                self._kept.append((row, old_row))
            elif old >= 0:
                self._calls.deallocate(old)
        if self._calls.usable_size is not None:
            self._measure(event, number, offset, 0 if is_kept else size)
        self._live[number] = row, offset
        self._offsets.append(offset)
        self._dead.append(old_row)

    def _resized(self, event: int, number: int, offset: int, size: int) -> bool:
        if self._calls.resize is None:
            return False
        is_done = self._calls.resize(offset, size or 1)
        block = (number, offset, max(size, 1))
        if not isinstance(is_done, bool | np.bool_):
            raise SimulationError(
                f"resize returned {is_done!r}, which is neither True nor False",
                event=event,
                block=block,
            )
        if is_done and offset + size > self._space:
            raise SimulationError("grown beyond the address space", event=event, block=block)
        return bool(is_done)

    def _measure(self, event: int, number: int, offset: Any, size: int) -> None:
        """Notes how large the block really is."""
        if offset < 0:
            self._blocks.append(0)
            return
        assert self._calls.usable_size is not None
        usable = self._calls.usable_size(offset)
        if isinstance(usable, np.integer):
            usable = int(usable)
        if not isinstance(usable, int) or not max(size, 1) <= usable <= self._space - offset:
            raise SimulationError(
                f"usable_size returned {usable!r} for a block of {size} bytes",
                event=event,
                block=(number, offset, max(size, 1)),
            )
        self._blocks.append(usable)

    def _end_all(self, event: int) -> None:
        if self._calls.reset is None:
            for row, offset in self._live.values():
                if offset >= 0:
                    self._calls.deallocate(offset)
                self._reset.append((row, event))
        else:
            self._calls.reset()
            self._reset += [(row, event) for row, _ in self._live.values()]
        self._live.clear()

    def _fill(self, steps: Steps) -> None:
        """Writes down what the loop did."""
        rows, born = self._rows, len(self._offsets)
        rows.make_room(born)
        columns, at = rows.columns, slice(rows.count, rows.count + born)
        births = np.flatnonzero((steps.kind == ALLOCATE) | (steps.kind == REALLOCATE))[:born]
        columns["object"][at] = steps.object[births]
        columns["offset"][at] = self._offsets
        columns["size"][at] = steps.size[births]
        if self._calls.usable_size is not None:
            columns["block_size"][at] = self._blocks[:born]
        else:
            columns["block_size"][at] = np.where(
                columns["offset"][at] == REFUSED, 0, np.maximum(steps.size[births], 1)
            )
        columns["birth"][at] = births + steps.first_event
        columns["death"][at] = ALIVE
        columns["is_refused"][at] = False
        rows.count += born
        deaths = np.flatnonzero(np.isin(steps.kind, (FREE, REALLOCATE, REALLOCATE_ZERO)))
        columns["death"][self._dead] = deaths[: len(self._dead)] + steps.first_event
        for row, event in self._reset:
            columns["death"][row] = event
        refused = [row for row in self._refused if row < rows.count]
        columns["is_refused"][refused] = True
        for row, old_row in self._kept:
            if row < rows.count:
                columns["block_size"][row] = columns["block_size"][old_row]
