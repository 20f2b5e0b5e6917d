# SPDX-License-Identifier: MIT
"""The map of a simulation as it grows: a row a block, columns that double."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab import _core
from alloclab.simulate.contract import REFUSED

COLUMNS: Mapping[str, type[Any]] = {
    "object": np.int64,
    "offset": np.int64,
    "size": np.int64,
    "block_size": np.int64,
    "birth": np.int64,
    "death": np.int64,
    "is_refused": np.bool_,
}
ALIVE = -1

Columns = dict[str, npt.NDArray[Any]]
Judgement = tuple[tuple[int, int] | None, dict[str, Any], dict[str, npt.NDArray[Any]]]


class Rows:
    """Columns with room for more rows than there are; `count` of them are filled."""

    def __init__(self, expected: int) -> None:
        self.count = 0
        # Room costs address space, and memory only as it is filled.
        self.columns: Columns = {name: np.empty(expected, kind) for name, kind in COLUMNS.items()}

    def make_room(self, more: int) -> None:
        """Makes room for `more` rows; new ones are alive."""
        needed = self.count + more
        room = len(self.columns["offset"])
        if needed <= room:
            return
        for name, column in self.columns.items():
            grown = np.empty(max(needed, 2 * room), column.dtype)
            grown[: self.count] = column[: self.count]
            self.columns[name] = grown

    def filled(self) -> Columns:
        """Returns the filled part of the columns, which may not be written to."""
        result = {}
        for name, column in self.columns.items():
            part = column[: self.count]
            part.flags.writeable = False
            result[name] = part
        return result


def judge(
    columns: Mapping[str, npt.NDArray[Any]],
    events: int,
    *,
    may_move_onto_itself: bool = False,
    sample_events: npt.NDArray[Any] | None = None,
) -> Judgement:
    """Returns the first pair of overlapping rows, the figures, and samples; see _core."""
    return _core.judge_placement(
        **{name: columns[name] for name in ("offset", "size", "block_size", "birth", "death")},
        events=events,
        may_move_onto_itself=may_move_onto_itself,
        sample_events=np.empty(0, np.int64) if sample_events is None else sample_events,
    )


def block_at(columns: Mapping[str, npt.NDArray[Any]], row: int) -> tuple[int, int | None, int]:
    """Returns (object, offset, size as given) of a row."""
    offset = int(columns["offset"][row])
    number = int(columns["object"][row])
    if offset == REFUSED:
        return number, None, int(columns["size"][row])
    return number, offset, int(columns["block_size"][row])
