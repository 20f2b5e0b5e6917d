# SPDX-License-Identifier: MIT
"""The tables of a profile.proto: strings, functions, locations, mappings."""

from __future__ import annotations

from collections.abc import Sequence

from alloclab.formats.export.frames import Place, places
from alloclab.formats.export.protobuf import message, number
from alloclab.stacks import Frame

_PAGE = 4096
_LARGEST_OFFSET = 1 << 48  # of an object's own addresses; what is beyond is no offset
UNKNOWN = "(unknown)"


class Tables:
    """Numbers what samples refer to; strings from 0, which is the empty one, all else from 1.

    The objects code lies in are laid out one after the other, each from a page of its own, since
    addresses of different mappings may not overlap: a location's address is its mapping's start and
    its offset in the object's own addresses. The program itself is the first, as readers expect.
    """

    def __init__(self, program: str) -> None:
        self._strings: dict[str, int] = {"": 0}
        self._functions: dict[tuple[str, str], int] = {}
        self._places: dict[Place, int] = {}
        self._modules: dict[str, int] = {}
        self._largest: list[int] = []
        if program:
            self._module(program)

    def string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def stack(self, frames: Sequence[Frame]) -> list[int]:
        """Returns the locations of a stack, innermost first; one of no address for an unknown."""
        found = places(frames) if frames else [(Frame(UNKNOWN, "", 0, "", 0),)]
        return [self._place(place) for place in found]

    def encoded(self) -> bytes:
        """Returns mappings, locations, functions and strings as fields of a profile."""
        # Locations first: they bring in functions, and all bring in strings.
        starts = self._starts()
        locations = [self._location(place, at, starts) for place, at in self._places.items()]
        mappings = [self._mapping(module, at, starts) for module, at in self._modules.items()]
        functions = [
            message(
                5,
                number(1, at),
                number(2, self.string(name)),
                number(3, self.string(name)),
                number(4, self.string(file)),
            )
            for (name, file), at in self._functions.items()
        ]
        strings = [message(6, text.encode("utf-8", "backslashreplace")) for text in self._strings]
        return b"".join([*mappings, *locations, *functions, *strings])

    def _place(self, place: Place) -> int:
        where = place[-1]
        if where.module:
            module = self._module(where.module)
            if where.offset < _LARGEST_OFFSET:
                self._largest[module - 1] = max(self._largest[module - 1], where.offset)
        return self._places.setdefault(place, len(self._places) + 1)

    def _module(self, path: str) -> int:
        known = self._modules.get(path)
        if known is None:
            known = self._modules[path] = len(self._modules) + 1
            self._largest.append(0)
        return known

    def _starts(self) -> list[int]:
        starts = [_PAGE]
        for largest in self._largest:
            starts.append(starts[-1] + (largest // _PAGE + 1) * _PAGE)
        return starts

    def _mapping(self, module: str, at: int, starts: list[int]) -> bytes:
        has_all = b"".join(number(field, 1) for field in (7, 8, 9, 10))
        return message(
            3,
            number(1, at),
            number(2, starts[at - 1]),
            number(3, starts[at]),
            number(5, self.string(module)),
            has_all,
        )

    def _location(self, place: Place, at: int, starts: list[int]) -> bytes:
        where = place[-1]
        module = self._modules.get(where.module, 0)
        is_within = module and where.offset < _LARGEST_OFFSET
        lines = [
            message(4, number(1, self._function(frame)), number(2, frame.line)) for frame in place
        ]
        return message(
            4,
            number(1, at),
            number(2, module),
            number(3, starts[module - 1] + where.offset if is_within else 0),
            *lines,
        )

    def _function(self, frame: Frame) -> int:
        name = frame.function or str(frame)
        return self._functions.setdefault((name, frame.file), len(self._functions) + 1)
