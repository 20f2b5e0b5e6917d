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


@numba.njit
def _place_again(allocator: Any, old: int, old_block: int, size: int, space: int) -> Any:
    """Gives a block a new size; returns what is wrong, its offset, its bytes, whether refused."""
    block = max(size, 1)
    if old != _REFUSED and _is_true(allocator.resize(old, block)):
        return (BEYOND if old > space - block else DONE), old, block, False
    code, offset = _place(allocator, size, DEFAULT_ALIGNMENT, space)
    if code != DONE:
        return code, offset, block, False
    if offset == _REFUSED:  # no room: realloc fails, and the block stays as it is
        return DONE, old, old_block, True
    if old != _REFUSED:
        if offset == old:
            return MOVED_ONTO_ITSELF, offset, block, False
        allocator.deallocate(old)
    return DONE, offset, block, False


@numba.njit
def _measured(allocator: Any, offset: int, block: int, space: int) -> Any:
    """Returns how many bytes the block really has, or none where that cannot be."""
    usable = allocator.usable_size(offset)
    if usable == 0:
        return block
    return usable if block <= usable <= space - offset else 0


@numba.njit
def _end_all(death: Any, rows: int, event: int) -> None:
    for row in range(rows):
        if death[row] == _ALIVE:
            death[row] = event


def _drive(
    allocator: Any, steps: Any, first_event: int, space: int, row_of: Any, columns: Any, cursor: Any
) -> tuple[int, int]:
    """Replays the steps into the columns; returns one of the codes above and a detail."""
    kinds, objects, sizes, alignments = steps
    column_object, column_offset, column_size, column_block, birth, death, is_refused = columns
    row = cursor[1]
    for at in range(kinds.size):
        kind, event, number, size = kinds[at], first_event + at, objects[at], sizes[at]
        cursor[0], cursor[2], cursor[3] = event, number, size
        if kind == _ALLOCATE:
            alignment = alignments[at] if alignments[at] else DEFAULT_ALIGNMENT
            code, offset = _place(allocator, size, alignment, space)
            refused = offset == _REFUSED
            block = 0 if refused else max(size, 1)
        elif kind == _REALLOCATE or kind in _ENDS:
            old_row = row_of[number] if number < row_of.size else -1
            if old_row < 0:
                return NOT_ALIVE, number
            old = column_offset[old_row]
            if kind != _REALLOCATE:
                row_of[number] = -1
                death[old_row] = event
                if old != _REFUSED:
                    allocator.deallocate(old)
                continue
            code, offset, block, refused = _place_again(
                allocator, old, column_block[old_row], size, space
            )
            death[old_row] = event
        else:
            if kind == _RESET:
                allocator.reset()
                _end_all(death, row, event)
                row_of[:] = -1
            continue
        if code != DONE:
            return code, offset
        if not refused:
            block = _measured(allocator, offset, block, space)
            if block == 0:
                return WRONG_USABLE_SIZE, offset
        column_object[row], column_offset[row], column_size[row] = number, offset, size
        column_block[row], birth[row], death[row] = block, event, _ALIVE
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
