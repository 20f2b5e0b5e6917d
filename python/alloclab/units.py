# SPDX-License-Identifier: MIT
"""Sizes, times and counts as people write them, both ways."""

from __future__ import annotations

import math
import re

from alloclab.errors import UsageError

_SIZE_FACTORS = {
    "": 1,
    "B": 1,
    "KIB": 1 << 10,
    "MIB": 1 << 20,
    "GIB": 1 << 30,
    "TIB": 1 << 40,
    "K": 1 << 10,
    "M": 1 << 20,
    "G": 1 << 30,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
}
_NUMBER_AND_UNIT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([A-Za-zµ]*)\s*")
_TIME_FACTORS_NS = {"ns": 1, "us": 1000, "µs": 1000, "ms": 10**6, "s": 10**9, "min": 60 * 10**9}


def parse_bytes(text: str | int) -> int:
    """Reads a size such as "64 KiB", "1MiB", "4096" or 4096.

    KiB, MiB, GiB and their short forms K, M, G are powers of 1024; kB, MB, GB powers of 1000.

    Raises:
        UsageError: the text is no size, is negative, or is not a whole number of bytes.
    """
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise UsageError(f'not a size: {text!r} (write for instance 4096 or "64 KiB")')
    if isinstance(text, int):
        if text < 0:
            raise UsageError(f"a size is not negative: {text}")
        return text
    match = _NUMBER_AND_UNIT.fullmatch(text)
    factor = _SIZE_FACTORS.get(match[2].upper()) if match else None
    if match is None or factor is None:
        raise UsageError(f'not a size: {text!r} (write for instance 4096 or "64 KiB")')
    if "." not in match[1]:
        return int(match[1]) * factor
    size = float(match[1]) * factor
    if not size.is_integer():
        raise UsageError(f"not a whole number of bytes: {text!r}")
    return int(size)


def parse_seconds(text: str | float | int) -> float:
    """Reads a duration such as "30 s", "500ms", "2min", or a plain number of seconds."""
    if not isinstance(text, str):
        return float(text)
    match = _NUMBER_AND_UNIT.fullmatch(text)
    factor_ns = _TIME_FACTORS_NS.get(match[2] or "s") if match else None
    if match is None or factor_ns is None:
        raise UsageError(f'not a duration: {text!r} (write for instance "30 s" or "500 ms")')
    return float(match[1]) * factor_ns / 1e9


def exact_bytes(size: int) -> str:
    """Writes a size in the largest binary unit that loses nothing: 65536 is "64 KiB"."""
    for unit, factor in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} B"


def format_bytes(size: float) -> str:
    """Writes a size to four figures in MB, kB or B (powers of 1000), as the tables do."""
    magnitude = abs(size)
    if magnitude >= 1e9:
        return f"{size / 1e9:.2f} GB"
    if magnitude >= 1e5:
        return f"{size / 1e6:.2f} MB"
    if magnitude >= 1e3:
        return f"{size / 1e3:.2f} kB"
    return f"{size:.0f} B"


def format_ns(time_ns: float) -> str:
    """Writes a time in the unit that leaves one to three digits before the point."""
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if abs(time_ns) >= factor:
            return f"{time_ns / factor:.2f} {unit}"
    return f"{time_ns:.1f} ns"


def format_count(count: float) -> str:
    """Writes a count: exact and grouped below ten million, then "12.3 M"."""
    if math.isfinite(count) and abs(count) < 1e7:
        return f"{round(count):,}"
    for unit, factor in (("G", 1e9), ("M", 1e6)):
        if abs(count) >= factor:
            return f"{count / factor:.1f} {unit}"
    return str(count)


def format_ratio(ratio: float) -> str:
    """Writes a ratio as a percentage with one digit: 0.1234 is "12.3 %"."""
    return f"{100 * ratio:.1f} %"
