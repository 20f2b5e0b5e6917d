# SPDX-License-Identifier: MIT
"""As much of the Protocol Buffers wire format as a profile needs, written."""

from __future__ import annotations

from collections.abc import Iterable

_LENGTH_DELIMITED = 2
_MASK = 2**64 - 1


def varint(value: int) -> bytes:
    """Returns an integer of 64 bits; a negative one as its two's complement."""
    value &= _MASK
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """Returns a field that is a number; nothing for a 0, which is what a missing one means."""
    return varint(field << 3) + varint(value) if value else b""


def message(field: int, *parts: bytes) -> bytes:
    """Returns a field that is a string, or a message put together from its fields."""
    content = b"".join(parts)
    return varint(field << 3 | _LENGTH_DELIMITED) + varint(len(content)) + content


def packed(field: int, values: Iterable[int]) -> bytes:
    """Returns a field that is a list of numbers."""
    return message(field, *map(varint, values))
