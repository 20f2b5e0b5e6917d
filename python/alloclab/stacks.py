# SPDX-License-Identifier: MIT
"""Call stacks: where in the program memory was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt


@dataclass(frozen=True)
class Frame:
    """One function of a call stack.

    `function` and `file` are empty and `line` is 0 where nothing told them: then `module` (the path
    of the object the code lies in) and `offset` (in its own addresses) say where it is.
    """

    function: str
    file: str
    line: int
    module: str
    offset: int
    is_inlined: bool = False

    def __str__(self) -> str:
        name = self.function or f"{self.module.rpartition('/')[2] or '?'}+{self.offset:#x}"
        place = f" ({self.file.rpartition('/')[2]}:{self.line})" if self.file else ""
        return f"{name}{place}"


class Stacks(Sequence[tuple[Frame, ...]]):
    """The distinct call stacks of a trace, by the numbers in `Chunk.site` less one.

    Each is a tuple of frames, innermost first. They are put together when they are asked for.
    """

    def __init__(self, columns: Mapping[str, npt.NDArray[Any]], names: Sequence[str]) -> None:
        self._columns = columns
        self._names = names
        self._frames: dict[int, Frame] = {}

    def __len__(self) -> int:
        return len(self._columns["stack"])

    def __getitem__(self, site: Any) -> Any:
        if isinstance(site, slice):
            return [self[index] for index in range(*site.indices(len(self)))]
        return self.frames(site)

    def frames(self, site: int) -> tuple[Frame, ...]:
        """Returns the frames of a stack, innermost first; none for a site of -1, unknown.

        Raises IndexError for a site that the trace does not have.
        """
        if site == -1:
            return ()
        if not 0 <= site < len(self):
            raise IndexError(f"the trace has {len(self)} call stacks, no number {site}")
        parents, frames = self._columns["parent"], self._columns["frame"]
        node = int(self._columns["stack"][site])
        stack = []
        while node >= 0:
            stack.append(self._frame(int(frames[node])))
            node = int(parents[node])
        return tuple(stack)

    def _frame(self, row: int) -> Frame:
        known = self._frames.get(row)
        if known is None:
            known = self._frames[row] = Frame(
                function=self._name("function", row),
                file=self._name("file", row),
                line=int(self._columns["line"][row]),
                module=self._name("module", row),
                offset=int(self._columns["offset"][row]),
                is_inlined=bool(self._columns["is_inlined"][row]),
            )
        return known

    def _name(self, column: str, row: int) -> str:
        index = int(self._columns[column][row])
        return "" if index < 0 else self._names[index]

    def __repr__(self) -> str:
        return f"<Stacks: {len(self):,} call stacks>"
