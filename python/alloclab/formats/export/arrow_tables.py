# SPDX-License-Identifier: MIT
"""The tables of a trace as Arrow columns: events, objects, sites.

Where a row has no such thing a column is null, never 0 or -1. Names are told as text, dictionary-
encoded; all batches of a table share their dictionaries, as files of Arrow demand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alloclab.traces import KINDS, Chunk, Trace

_BATCH_ROWS = 1 << 18
CALLS = (
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
)
"""What `Chunk.call` numbers."""
_OBJECT_KINDS = (
    "allocate",
    "free",
    "reallocate",
    "reallocate_failed",
    "reallocate_zero",
    "map",
    "map_reserved",
    "split",
    "unmap",
    "remap",
    "discard",
    "transfer",
    "reference",
)
_SIZE_KINDS = (
    "allocate",
    "allocate_failed",
    "reallocate",
    "reallocate_failed",
    "map",
    "map_reserved",
    "split",
    "remap",
    "discard",
)
_VALUES = {
    "discard": 1,
    "scope_enter": 3,
    "scope_exit": 1,
    "reset": 1,
    "transfer": 1,
    "mark": 1,
    "reference": 2,
    "root_push": 1,
    "root_pop": 1,
    "root_set": 2,
    "footprint": 3,
    "gap": 1,
}

Mask = npt.NDArray[np.bool_]


def _kind_mask(names: tuple[str, ...]) -> Mask:
    mask = np.zeros(256, np.bool_)
    mask[[KINDS[name] for name in names]] = True
    return mask


_HAS_OBJECT = _kind_mask(_OBJECT_KINDS)
_HAS_SIZE = _kind_mask(_SIZE_KINDS)
_HAS_CALL = _kind_mask(("allocate", "allocate_failed"))
_HAS_VALUE = [
    _kind_mask(tuple(name for name, count in _VALUES.items() if count > at)) for at in range(3)
]


class Table(Protocol):
    """A table that is written batch by batch."""

    def fields(self) -> list[tuple[str, Any]]: ...

    def batches(self) -> Iterator[Any]: ...

    def left_out(self) -> Mapping[str, int]: ...


class _Texts:
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


class Events:
    """A row an event: all columns of a `Chunk`."""

    def __init__(self, pyarrow: Any, trace: Trace) -> None:
        self._pyarrow, self._trace = pyarrow, trace
        self._kinds = _Texts(pyarrow, _by_number(KINDS), np.sort(list(KINDS.values())))
        self._calls = _Texts(pyarrow, list(CALLS), np.arange(len(CALLS)))
        self._names = _Texts(pyarrow, trace.names, _used_names(trace))

    def fields(self) -> list[tuple[str, Any]]:
        unsigned, number = self._pyarrow.uint64(), self._pyarrow.uint32()
        return [
            ("event", unsigned),
            ("kind", self._kinds.type),
            ("call", self._calls.type),
            ("thread", number),
            ("object", unsigned),
            ("size", unsigned),
            ("alignment", unsigned),
            ("time_ns", unsigned),
            ("value_0", unsigned),
            ("value_1", unsigned),
            ("value_2", unsigned),
            ("site", number),
            ("tag", self._names.type),
            ("scope_kind", self._names.type),
            ("name", self._names.type),
        ]

    def batches(self) -> Iterator[Any]:
        names = [name for name, _ in self.fields()]
        for chunk in self._trace.chunks():
            columns = self._columns(chunk)
            yield self._pyarrow.record_batch([columns[name] for name in names], names)

    def left_out(self) -> Mapping[str, int]:
        return {"touched": len(self._trace.touched()["event"])}

    def _columns(self, chunk: Chunk) -> dict[str, Any]:
        kind, value = chunk.kind, chunk.value
        is_scope, is_mark = chunk.is_kind("scope_enter"), chunk.is_kind("mark")
        every = np.ones(len(chunk), np.bool_)
        name = np.where(is_mark, value[:, 0], value[:, 2])
        first = chunk.first_event
        columns = {
            "event": (np.arange(first, first + len(chunk), dtype=np.uint64), every),
            "thread": (chunk.thread, every),
            "object": (chunk.object, _HAS_OBJECT[kind]),
            "size": (chunk.size, _HAS_SIZE[kind]),
            "alignment": (chunk.alignment, chunk.alignment > 0),
            "time_ns": (chunk.time_ns, every),
            "site": (chunk.site - np.uint32(1), chunk.site > 0),
        }
        for at, has_value in enumerate(_HAS_VALUE):
            columns[f"value_{at}"] = value[:, at].copy(), has_value[kind]
        return {
            "kind": self._kinds.column(kind, every),
            "call": self._calls.column(chunk.call, _HAS_CALL[kind]),
            "tag": self._names.column(chunk.tag.astype(np.int64) - 1, chunk.tag > 0),
            "scope_kind": self._names.column(value[:, 1], is_scope),
            "name": self._names.column(name, is_scope | is_mark),
            **{
                each: self._pyarrow.array(column, mask=~is_known)
                for each, (column, is_known) in columns.items()
            },
        }


class Objects:
    """A row an object, block or region: `Trace.objects()` with names, and its number."""

    def __init__(self, pyarrow: Any, trace: Trace) -> None:
        self._pyarrow, self._trace = pyarrow, trace
        self._objects, self._scopes = trace.objects(), trace.scopes()
        tags = np.unique(self._objects["tag"])
        used = np.unique(np.concatenate([tags, self._scopes["kind"], self._scopes["name"]]))
        self._names = _Texts(pyarrow, trace.names, used[used >= 0].astype(np.int64))

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


def _by_number(kinds: Mapping[str, int]) -> list[str]:
    names = [""] * (max(kinds.values()) + 1)
    for name, number in kinds.items():
        names[number] = name
    return names


def _used_names(trace: Trace) -> npt.NDArray[Any]:
    """Returns the names of scopes, marks and tags; a trace has those of its functions as well."""
    scopes = trace.scopes()
    used = [scopes["kind"], scopes["name"], trace.marks()["name"]]
    if trace.summary()["tagged_calls"]:
        for chunk in trace.chunks():
            tags = np.unique(chunk.tag)
            used.append(tags[tags > 0].astype(np.int64) - 1)
    return np.unique(np.concatenate(used).astype(np.int64))


TABLES: Mapping[str, Callable[[Any, Trace], Table]] = {
    "events": Events,
    "objects": Objects,
    "sites": Sites,
}
