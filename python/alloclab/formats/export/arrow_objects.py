# SPDX-License-Identifier: MIT
"""A trace's objects and call stacks as Arrow columns.

Where a row has no such thing a column is null, never -1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.formats.export.arrow_names import Mask, Texts
from alloclab.traces import Trace

_BATCH_ROWS = 1 << 18


class Objects:
    """A row an object, block or region: `Trace.objects()` with names, and its number."""

    def __init__(self, pyarrow: Any, trace: Trace) -> None:
        self._pyarrow, self._trace = pyarrow, trace
        self._objects, self._scopes = trace.objects(), trace.scopes()
        tags = np.unique(self._objects["tag"])
        used = np.unique(np.concatenate([tags, self._scopes["kind"], self._scopes["name"]]))
        self._names = Texts(pyarrow, trace.names, used[used >= 0].astype(np.int64))

    def fields(self) -> list[tuple[str, Any]]:
        unsigned, number = self._pyarrow.uint64(), self._pyarrow.uint32()
        return [
            ("object", unsigned),
            ("is_region", self._pyarrow.bool_()),
            ("size", unsigned),
            ("max_size", unsigned),
            ("birth", unsigned),
            ("death", unsigned),
            ("birth_thread", number),
            ("death_thread", number),
            ("reallocations", number),
            ("scope", number),
            ("scope_kind", self._names.type),
            ("scope_name", self._names.type),
            ("site", number),
            ("tag", self._names.type),
        ]

    def batches(self) -> Iterator[Any]:
        names = [name for name, _ in self.fields()]
        count = len(self._objects["size"])
        for first in range(0, count, _BATCH_ROWS):
            columns = self._columns(first, min(first + _BATCH_ROWS, count))
            yield self._pyarrow.record_batch([columns[name] for name in names], names)

    def left_out(self) -> Mapping[str, int]:
        return {"touched": len(self._trace.touched()["event"])}

    def _columns(self, first: int, last: int) -> dict[str, Any]:
        rows = {name: column[first:last] for name, column in self._objects.items()}
        every = np.ones(last - first, np.bool_)
        is_dead, has_scope = rows["death"] >= 0, rows["scope"] >= 0
        columns = {
            "object": (np.arange(first, last, dtype=np.uint64), every),
            "is_region": (rows["is_region"] != 0, every),
            "size": (rows["size"], every),
            "max_size": (rows["max_size"], every),
            "birth": (rows["birth"].astype(np.uint64), every),
            "death": (rows["death"].astype(np.uint64), is_dead),
            "birth_thread": (rows["birth_thread"], every),
            "death_thread": (rows["death_thread"], is_dead),
            "reallocations": (rows["reallocations"], every),
            "scope": (rows["scope"].astype(np.uint32), has_scope),
            "site": (rows["site"].astype(np.uint32), rows["site"] >= 0),
        }
        scope = np.where(has_scope, rows["scope"], 0)
        if not len(self._scopes["kind"]):
            scope = scope[:0]
        return {
            "scope_kind": self._of_scope("kind", scope, has_scope),
            "scope_name": self._of_scope("name", scope, has_scope),
            "tag": self._names.column(rows["tag"], rows["tag"] >= 0),
            **{
                each: self._pyarrow.array(column, mask=~is_known)
                for each, (column, is_known) in columns.items()
            },
        }

    def _of_scope(self, column: str, scope: npt.NDArray[Any], has_scope: Mask) -> Any:
        number = np.zeros(len(has_scope), np.int64)
        if len(scope):
            number = self._scopes[column][scope].astype(np.int64)
        return self._names.column(number, has_scope)


class Sites:
    """A row a call stack, its frames innermost first: what the column `site` numbers."""

    def __init__(self, pyarrow: Any, trace: Trace) -> None:
        self._pyarrow, self._trace = pyarrow, trace

    def fields(self) -> list[tuple[str, Any]]:
        frame = [
            ("function", self._pyarrow.string()),
            ("file", self._pyarrow.string()),
            ("line", self._pyarrow.uint32()),
            ("module", self._pyarrow.string()),
            ("offset", self._pyarrow.uint64()),
            ("is_inlined", self._pyarrow.bool_()),
        ]
        frames = self._pyarrow.list_(self._pyarrow.struct(frame))
        return [("site", self._pyarrow.uint32()), ("frames", frames)]

    def batches(self) -> Iterator[Any]:
        stacks, (_, kind) = self._trace.stacks(), self.fields()[1]
        step = _BATCH_ROWS >> 4  # each is tens of frames
        for first in range(0, len(stacks), step):
            last = min(first + step, len(stacks))
            rows = [[self._frame(frame) for frame in stacks[at]] for at in range(first, last)]
            site = self._pyarrow.array(np.arange(first, last, dtype=np.uint32))
            frames = self._pyarrow.array(rows, kind)
            yield self._pyarrow.record_batch([site, frames], ["site", "frames"])

    def left_out(self) -> Mapping[str, int]:
        return {}

    @staticmethod
    def _frame(frame: Any) -> dict[str, Any]:
        return {
            "function": frame.function or None,
            "file": frame.file or None,
            "line": frame.line or None,
            "module": frame.module or None,
            "offset": frame.offset if frame.module else None,
            "is_inlined": frame.is_inlined,
        }
