# SPDX-License-Identifier: MIT
"""Writes the parts of a memtrace file, as its specification has them."""

import struct
from collections.abc import Iterable

START_US = 1_600_000_000_123_456
NO_CACHE = (0xFFFF, 0, 0)


def vint(value: int) -> bytes:
    """Returns a number below 253 in a byte, a larger or negative one in eight behind a 255."""
    return bytes([value]) if 0 <= value < 253 else b"\xff" + struct.pack("<q", value)


def packet(
    events: Iterable[bytes],
    *,
    begin: int = 0,
    end: int = 1000,
    ids: tuple[int, int] = (0, 0),
    version: int = 2,
    pid: int = 7,
    domain: int = 0,
    cache: tuple[int, int, int] = NO_CACHE,
) -> bytes:
    """Returns a packet; times are microseconds since the start, `ids` its first and the next."""
    body = b"".join(events)
    tail = struct.pack("<IHQ", 0, version, pid)
    tail += struct.pack("<H", domain) if version >= 3 else b""
    tail += struct.pack("<HHQQQ", *cache, *ids)
    size = 4 + 4 + 8 + 8 + len(tail) + len(body)
    times = struct.pack("<QQ", START_US + begin, START_US + end)
    return struct.pack("<II", 0xC1FC1FC1, size * 8) + times + tail + body


def event(kind: int, time_us: int, content: bytes) -> bytes:
    """Returns an event with its head."""
    return struct.pack("<I", (START_US + time_us) & 0x1FFFFFF | kind << 25) + content


def info(version: int = 2, word_bits: int = 64, rate: float = 0.01) -> bytes:
    """Returns the packet that a file begins with."""
    texts = b"/bin/main.exe\0host\0b=1\0"
    content = struct.pack("<dB", rate, word_bits) + texts + struct.pack("<Q", 7)
    content += b"nightly\0" if version >= 2 else b""
    return packet([event(0, 0, content)], end=0, version=version)


def place(line: int, file: int | str, function: int | str) -> bytes:
    """Returns a location; a file or function is a new name or its place in the recent ones."""
    codes = [31 if isinstance(each, str) else each for each in (file, function)]
    packed = line | codes[0] << 38 | codes[1] << 43
    names = [each.encode() + b"\0" for each in (file, function) if isinstance(each, str)]
    return packed.to_bytes(6, "little") + b"".join(names)


def location(code: int, *places: bytes) -> bytes:
    """Returns a location event."""
    return event(1, 0, struct.pack("<QB", code, len(places)) + b"".join(places))


def miss(bucket: int, code: int) -> bytes:
    """Returns a word of a backtrace that puts a code into the cache."""
    return struct.pack("<HQ", bucket << 2 | 3, code)


def hit(bucket: int, predicted: int) -> bytes:
    """Returns a word that finds a code there, and so many more by prediction."""
    tag = min(predicted, 2)
    return struct.pack("<H", bucket << 2 | tag) + (bytes([predicted]) if tag == 2 else b"")


def short(time_us: int, words: int, common: int, *backtrace: bytes) -> bytes:
    """Returns an allocation of 1 to 16 words."""
    content = vint(common) + bytes([len(backtrace)]) + b"".join(backtrace)
    return event(100 + words, time_us, content)


def long(
    time_us: int, words: int, samples: int, source: int, common: int, *backtrace: bytes
) -> bytes:
    """Returns an allocation of any size."""
    head = vint(words) + vint(samples) + bytes([source]) + vint(common)
    return event(2, time_us, head + struct.pack("<H", len(backtrace)) + b"".join(backtrace))


def promote(time_us: int, distance: int) -> bytes:
    """Returns a promotion of the block so far behind the last."""
    return event(3, time_us, vint(distance))


def collect(time_us: int, distance: int) -> bytes:
    """Returns a collection of the block so far behind the last."""
    return event(4, time_us, vint(distance))
