# SPDX-License-Identifier: MIT
"""A gzip'd profile.proto, for pprof and the many that read its files.

The fields are those of proto/profile.proto of github.com/google/pprof, the samples those of Go's
heap profiles. A reallocation counts as one more allocation, at its own call site.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

import numpy as np

from alloclab.formats.export.format import Format, LeftOut, Option, checked_chunks
from alloclab.formats.export.output import Output
from alloclab.formats.export.pprof_tables import Tables
from alloclab.formats.export.protobuf import message, number, packed
from alloclab.traces import KINDS, Chunk, Trace

_SAMPLE_TYPES = (
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
)
_SIZED = ("allocate", "reallocate")
_ENDED = ("free", "reallocate_zero")
_TAG_BITS = np.uint64(32)
_TAG_MASK = 2**32 - 1


def write(trace: Trace, output: Output, options: Mapping[str, Any], left_out: LeftOut) -> int:
    """Writes one profile; returns how many allocations and reallocations it sums up."""
    is_peak = options["at"] == "peak"
    point = trace.summary()["peak_requested_event"] if is_peak else len(trace)
    sums = _Sums(point)
    for chunk in checked_chunks(trace):
        sums.add(chunk)
        left_out.add_kinds(chunk, (*_SIZED, *_ENDED))
        is_told = np.isin(chunk.kind, [KINDS[name] for name in (*_SIZED, *_ENDED)])
        left_out.add("thread", np.count_nonzero(chunk.thread[is_told]))
        left_out.add("alignment", np.count_nonzero(chunk.alignment[is_told]))
        left_out.add("call", np.count_nonzero(chunk.call[chunk.is_kind("allocate")]))
    left_out.add("touched", len(trace.touched()["event"]))
    with output.path.open("wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed_file:
        packed_file.write(_profile(trace, sums, options["at"]))
    return int(sum(row[0] for row in sums.rows().values()))


class _Sums:
    """Allocations and bytes by call site and tag, over the run and of what is live at an event."""

    def __init__(self, point: int) -> None:
        self._point = point
        self._allocated: dict[int, list[int]] = {}
        self._size = np.zeros(0, np.uint64)
        self._key = np.zeros(0, np.uint64)
        self._is_live = np.zeros(0, np.bool_)

    def add(self, chunk: Chunk) -> None:
        key = chunk.site.astype(np.uint64) << _TAG_BITS | chunk.tag
        is_sized = np.isin(chunk.kind, [KINDS[name] for name in _SIZED])
        for each, count, size in _by_key(key[is_sized], chunk.size[is_sized]):
            row = self._allocated.setdefault(each, [0, 0])
            row[0] += count
            row[1] += size
        is_ended = np.isin(chunk.kind, [KINDS[name] for name in _ENDED])
        at = np.flatnonzero(is_sized | is_ended)
        at = at[at + chunk.first_event <= self._point]
        if len(at):
            named = chunk.object[at].astype(np.int64)
            self._make_room(int(named.max()) + 1)
            self._size[named] = chunk.size[at]  # the last of equal places wins
            self._key[named] = key[at]
            self._is_live[named] = is_sized[at]

    def rows(self) -> dict[int, tuple[int, int, int, int]]:
        """Returns the four values of each key that has any, the largest in use first."""
        rows = {key: [*allocated, 0, 0] for key, allocated in self._allocated.items()}
        live = self._is_live
        for key, count, size in _by_key(self._key[live], self._size[live]):
            rows[key][2:] = count, size
        order = sorted(rows, key=lambda key: (-rows[key][3], -rows[key][1], key))
        return {key: (rows[key][0], rows[key][1], rows[key][2], rows[key][3]) for key in order}

    def _make_room(self, needed: int) -> None:
        more = max(needed, 2 * len(self._size)) - len(self._size)
        if needed > len(self._size):
            self._size = np.concatenate([self._size, np.zeros(more, np.uint64)])
            self._key = np.concatenate([self._key, np.zeros(more, np.uint64)])
            self._is_live = np.concatenate([self._is_live, np.zeros(more, np.bool_)])


def _by_key(key: Any, size: Any) -> list[tuple[int, int, int]]:
    """Returns how many and how much each key has."""
    if not len(key):
        return []
    order = np.argsort(key, kind="stable")
    keys, first = np.unique(key[order], return_index=True)
    counts = np.diff(np.append(first, len(key)))
    sums = np.add.reduceat(size[order], first)
    return list(zip(keys.tolist(), counts.tolist(), sums.tolist(), strict=True))


def _profile(trace: Trace, sums: _Sums, at: str) -> bytes:
    image = trace.metadata.get("image")
    tables = Tables(image if isinstance(image, str) else "")
    stacks, names = trace.stacks(), trace.names
    samples = []
    for key, values in sums.rows().items():
        site, tag = key >> int(_TAG_BITS), key & _TAG_MASK
        label = b""
        if tag:
            words = tables.string("tag"), tables.string(names[tag - 1])
            label = message(3, number(1, words[0]), number(2, words[1]))
        locations = tables.stack(stacks.frames(site - 1))
        samples.append(message(2, packed(1, locations), packed(2, values), label))
    kinds = [
        message(1, number(1, tables.string(name)), number(2, tables.string(unit)))
        for name, unit in _SAMPLE_TYPES
    ]
    period = message(11, number(1, tables.string("space")), number(2, tables.string("bytes")))
    comment = f"{trace.name}: in use at the {at}{' of requested bytes' if at == 'peak' else ''}"
    start = trace.metadata.get("start_wall_ns")
    rest = [
        number(9, start if isinstance(start, int) else 0),
        number(10, trace.summary()["duration_ns"]),
        period,
        number(12, 1),  # every allocation is a sample
        number(13, tables.string(comment)),
        number(14, tables.string("inuse_space")),
    ]
    return b"".join([*kinds, *samples, tables.encoded(), *rest])


FORMAT = Format(
    "pprof",
    "a heap profile for pprof",
    (".pb.gz", ".pprof"),
    write,
    (
        Option(
            "at",
            "pprof: when in use: at the peak of requested bytes (the default), or at the end",
            "peak",
            ("peak", "end"),
        ),
    ),
)
