# SPDX-License-Identifier: MIT
"""A trace's events as Arrow columns: a row an event, all columns of a `Chunk`.

Where an event has no such thing a column is null, never 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.formats.export.arrow_names import Mask, Texts
from alloclab.formats.export.format import checked_chunks
from alloclab.traces import KINDS, Chunk, Trace

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
    "split": 1,
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


class Events:
    """A row an event: all columns of a `Chunk`."""

    def __init__(self, pyarrow: Any, trace: Trace) -> None:
        self._pyarrow, self._trace = pyarrow, trace
        self._kinds = Texts(pyarrow, _by_number(KINDS), np.sort(list(KINDS.values())))
        self._calls = Texts(pyarrow, list(CALLS), np.arange(len(CALLS)))
        self._names = Texts(pyarrow, trace.names, _used_names(trace))

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
        for chunk in checked_chunks(self._trace):
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
        for chunk in checked_chunks(trace):
            tags = np.unique(chunk.tag)
            used.append(tags[tags > 0].astype(np.int64) - 1)
    return np.unique(np.concatenate(used).astype(np.int64))
