# SPDX-License-Identifier: MIT
"""Takes blocks of known sizes by known chains of calls: malloc's, with PYTHONMALLOC=malloc."""

import threading
from collections.abc import Iterator


def take(size: int) -> bytearray:
    return bytearray(size - 1)  # which asks for one more


class Shelf:
    def put(self, size: int) -> bytearray:
        return take(size)


def recurse(depth: int, size: int) -> bytearray:
    return take(size) if depth == 1 else recurse(depth - 1, size)


def generate(size: int) -> Iterator[bytearray]:
    yield take(size)


def comprehend(size: int) -> list[bytearray]:
    return [take(each) for each in (size,)]


def call_back(size: int) -> list[int]:
    return sorted([size], key=take)


def größe(size: int) -> bytearray:
    return take(size)


def μέγεθος(size: int) -> bytearray:
    return take(size)


def 𐐨𐐩(size: int) -> bytearray:
    return take(size)


def in_thread(size: int) -> None:
    thread = threading.Thread(target=take, args=(size,))
    thread.start()
    thread.join()


def made_and_dropped(count: int) -> None:
    """Code objects that die at once: the next takes the address, and has another name."""
    for number in range(count):
        source = f"def made_{number:03}():\n    return bytearray({60000 + number - 1})\n"
        scope: dict[str, object] = {}
        exec(compile(source + f"made_{number:03}()", f"<made {number:03}>", "exec"), scope)


Shelf().put(50003)
recurse(4, 50005)
next(generate(50007))
comprehend(50009)
call_back(50011)
größe(50013)
μέγεθος(50015)
𐐨𐐩(50017)
in_thread(50019)
made_and_dropped(200)
