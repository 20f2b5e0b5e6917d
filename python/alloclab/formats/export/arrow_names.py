# SPDX-License-Identifier: MIT
"""Names as dictionary-encoded text in Arrow columns, and what a table is to its writers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


class Table(Protocol):
    """A table that is written batch by batch."""

    def fields(self) -> list[tuple[str, Any]]: ...

    def batches(self) -> Iterator[Any]: ...

    def left_out(self) -> Mapping[str, int]: ...


class Texts:
    """A dictionary of some of a trace's names."""

    def __init__(self, pyarrow: Any, names: list[str], used: npt.NDArray[Any]) -> None:
        self._pyarrow = pyarrow
        self._used = used
        self.values = pyarrow.array([names[at] for at in used.tolist()], pyarrow.string())
        self.type = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())

    def column(self, number: npt.NDArray[Any], is_known: Mask) -> Any:
        """Returns the names of those numbers that are known, nulls for others."""
        at = np.searchsorted(self._used, np.where(is_known, number, 0)).astype(np.int32)
        indices = self._pyarrow.array(at, mask=~is_known)
        return self._pyarrow.DictionaryArray.from_arrays(indices, self.values)
