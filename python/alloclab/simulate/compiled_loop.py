# SPDX-License-Identifier: MIT
"""The loop over the events that Numba compiles; imported only where Numba is installed."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload

from alloclab.simulate.contract import DEFAULT_ALIGNMENT
from alloclab.simulate.contract import REFUSED as _REFUSED
from alloclab.simulate.rows import ALIVE as _ALIVE
from alloclab.simulate.steps import ALLOCATE, FREE, REALLOCATE, REALLOCATE_ZERO, RESET

# What the loop ends with.
DONE, NOT_ALIVE, BELOW, MISALIGNED, BEYOND, MOVED_ONTO_ITSELF, WRONG_USABLE_SIZE = range(7)
REASONS = {
    BELOW: "placed below the address space",
    MISALIGNED: "not aligned as asked for",
    BEYOND: "placed beyond the address space",
    MOVED_ONTO_ITSELF: "moved to the place it is still alive at",
    WRONG_USABLE_SIZE: "usable_size is less than was asked for, or beyond the address space",
}

_NONE = -(2**63)
_ALLOCATE, _REALLOCATE = np.uint8(ALLOCATE), np.uint8(REALLOCATE)
_ENDS, _RESET = (np.uint8(FREE), np.uint8(REALLOCATE_ZERO)), np.uint8(RESET)


def resize_never(self: Any, offset: int, new_size: int) -> bool:
    return False


def reset_nothing(self: Any) -> None:
    pass


def usable_size_unknown(self: Any, offset: int) -> int:
    return 0


def _offset_or_none(value: Any) -> int:
    """The offset an allocator returned, or _NONE; anything else does not compile."""
    raise NotImplementedError("only compiled code calls it")


@overload(_offset_or_none)
def _compile_offset_or_none(value: Any) -> Any:
    # Numba wants the parameters of the versions to be annotated as these are.
    def none(value: Any) -> Any:
        return _NONE

    def optional(value: Any) -> Any:
        return _NONE if value is None else int(value)

    def plain(value: Any) -> Any:
        return int(value)

    if isinstance(value, types.NoneType):
        return none
    inner = value.type if isinstance(value, types.Optional) else value
    if not isinstance(inner, types.Integer):
        raise numba.core.errors.TypingError(
            f"allocate returns {value}, which is neither an offset nor None"
        )
    return optional if isinstance(value, types.Optional) else plain


def _is_true(value: Any) -> bool:
    """What resize returned; anything but a boolean does not compile."""
    raise NotImplementedError("only compiled code calls it")


@overload(_is_true)
def _compile_is_true(value: Any) -> Any:
    def same(value: Any) -> Any:
        return value

    if not isinstance(value, types.Boolean):
        raise numba.core.errors.TypingError(
            f"resize returns {value}, which is neither True nor False"
        )
    return same


@numba.njit
def _place(allocator: Any, size: int, alignment: int, space: int) -> Any:
    """Asks for a block; returns what is wrong with it, and its offset or REFUSED."""
    asked = max(size, 1)
    offset = np.int64(_offset_or_none(allocator.allocate(asked, alignment)))
    if offset == _NONE:
        return DONE, _REFUSED
    if offset < 0:
        return BELOW, offset
    if offset & (alignment - 1):
        return MISALIGNED, offset
    if offset > space - asked:
        return BEYOND, offset
    return DONE, offset


def _drive(
    allocator: Any,
    steps: Any,
    first_event: int,
    space: int,
    row_of: Any,
    columns: Any,
    cursor: Any,
) -> tuple[int, int]:
    kinds, objects, sizes, alignments = steps
    column_object, column_offset, column_size, column_block, birth, death, is_refused = columns
    row = cursor[1]
    born = row_of.size  # allocations name no object beyond
    for at in range(kinds.size):
        kind = kinds[at]
        event = first_event + at
        number, size = objects[at], sizes[at]
        cursor[0] = event
        cursor[2] = number
        cursor[3] = size
        if kind == _ALLOCATE:
            alignment = alignments[at] if alignments[at] else DEFAULT_ALIGNMENT
            code, offset = _place(allocator, size, alignment, space)
            if code != DONE:
                return code, offset
            refused = offset == _REFUSED
            block = 0 if refused else max(size, 1)
        elif kind in _ENDS:
            if number >= born or row_of[number] < 0:
                return NOT_ALIVE, number
            old_row = row_of[number]
            row_of[number] = -1
            death[old_row] = event
            if column_offset[old_row] != _REFUSED:
                allocator.deallocate(column_offset[old_row])
            continue
        elif kind == _REALLOCATE:
            if number >= born or row_of[number] < 0:
                return NOT_ALIVE, number
            old_row = row_of[number]
            old = column_offset[old_row]
            offset, refused, block = old, False, max(size, 1)
            if old == _REFUSED or not _is_true(allocator.resize(old, max(size, 1))):
                code, offset = _place(allocator, size, DEFAULT_ALIGNMENT, space)
                if code != DONE:
                    return code, offset
                refused = offset == _REFUSED
                if refused:  # no room: realloc fails, and the block stays as it is
                    offset, block = old, column_block[old_row]
                elif old != _REFUSED:
                    if offset == old:
                        return MOVED_ONTO_ITSELF, offset
                    allocator.deallocate(old)
            elif old > space - max(size, 1):
                return BEYOND, old
            death[old_row] = event
        elif kind == _RESET:
            allocator.reset()
            for other in range(row):
                if death[other] == _ALIVE:
                    death[other] = event
            row_of[:] = -1
            continue
        else:
            continue
        if offset != _REFUSED and not refused:
            usable = allocator.usable_size(offset)
            if usable != 0:
                if usable < block or usable > space - offset:
                    return WRONG_USABLE_SIZE, offset
                block = usable
        column_object[row] = number
        column_offset[row] = offset
        column_size[row] = size
        column_block[row] = block
        birth[row] = event
        death[row] = _ALIVE
        is_refused[row] = refused
        row_of[number] = row
        row += 1
        cursor[1] = row
    return DONE, 0


def compile_loop() -> Any:
    """Returns the loop, to be compiled for the allocator it is first called with.

    A loop of its own for each class: Numba keeps every version a function was compiled for, and an
    allocator that is written anew in a notebook is a new class each time.
    """
    return numba.njit(nogil=True)(_drive)
