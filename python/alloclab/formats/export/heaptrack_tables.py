# SPDX-License-Identifier: MIT
"""The tables of a heaptrack data file: strings, addresses, call stacks, sizes with their stacks."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from alloclab import stacks
from alloclab.formats.export.frames import Place, places


def one_line(text: str) -> bytes:
    """Returns text as UTF-8 that has no line breaks, which would end a string early."""
    return " ".join(text.splitlines()).encode("utf-8", "backslashreplace")


class Stacks:
    """Call stacks as a tree of addresses; a stack is the number of its innermost one."""

    def __init__(self, known: stacks.Stacks) -> None:
        self._stacks = known
        self._strings: dict[str, int] = {}
        self._places: dict[Place, int] = {}
        self._nodes: dict[tuple[int, int], int] = {}
        self._of_site: dict[int, int] = {0: 0}
        self._lines: list[bytes] = []

    def number(self, site: int) -> int:
        """Returns the number of a `Chunk.site`'s stack, 0 for an unknown one."""
        known = self._of_site.get(site)
        if known is None:
            known = 0
            for place in reversed(list(places(self._stacks.frames(site - 1)))):
                known = self._node(self._place(place), known)
            self._of_site[site] = known
        return known

    @property
    def counts(self) -> tuple[int, int]:
        """How many strings and addresses there are: what such a file ends with."""
        return len(self._strings), len(self._places)

    def take_lines(self) -> bytes:
        """Returns the lines of what was new since the last call."""
        text = b"".join(self._lines)
        self._lines.clear()
        return text

    def _node(self, place: int, caller: int) -> int:
        known = self._nodes.get((place, caller))
        if known is None:
            known = self._nodes[place, caller] = len(self._nodes) + 1
            self._lines.append(b"t %x %x\n" % (place, caller))
        return known

    def _place(self, place: Place) -> int:
        known = self._places.get(place)
        if known is None:
            where = place[-1]  # inlined frames have the same module and offset
            words = [where.offset, self._string(where.module)]
            if len(place) > 1 or where.function or where.file:
                for frame in place:
                    words += [self._string(frame.function), self._string(frame.file), frame.line]
            known = self._places[place] = len(self._places) + 1
            self._lines.append(f"i {' '.join(f'{word:x}' for word in words)}\n".encode("ascii"))
        return known

    def _string(self, text: str) -> int:
        if not text:
            return 0
        known = self._strings.get(text)
        if known is None:
            known = self._strings[text] = len(self._strings) + 1
            self._lines.append(b"s %s\n" % one_line(text))
        return known


class Kinds:
    """Sizes with their stacks, which every + and - line names."""

    def __init__(self, known: Stacks) -> None:
        self._stacks = known
        self._numbers: dict[tuple[int, int], int] = {}

    def number(
        self, size: npt.NDArray[np.uint64], site: npt.NDArray[np.uint32], file: BinaryIO
    ) -> npt.NDArray[Any]:
        """Returns the number of each pair; writes the lines of those that are new."""
        if not len(size):
            return np.zeros(0, np.int64)
        order = np.lexsort((site, size))
        sizes, sites = size[order], site[order]
        is_new = (sizes[1:] != sizes[:-1]) | (sites[1:] != sites[:-1])
        pair = np.concatenate([[0], np.cumsum(is_new)])
        first = np.concatenate([[0], np.flatnonzero(is_new) + 1])
        lines: list[bytes] = []
        numbers = [
            self._pair(each, self._stacks.number(at), lines)
            for each, at in zip(sizes[first].tolist(), sites[first].tolist(), strict=True)
        ]
        file.write(self._stacks.take_lines() + b"".join(lines))
        found = np.empty(len(size), np.int64)
        found[order] = np.array(numbers, np.int64)[pair]
        return found

    def _pair(self, size: int, stack: int, lines: list[bytes]) -> int:
        known = self._numbers.get((size, stack))
        if known is None:
            known = self._numbers[size, stack] = len(self._numbers)
            lines.append(b"a %x %x\n" % (size, stack))
        return known
