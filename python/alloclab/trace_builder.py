# SPDX-License-Identifier: MIT
"""Writes traces that no recorder made: what importers read and generators think up."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab import _core
from alloclab.errors import UsageError
from alloclab.traces import Trace

Origin = Mapping[str, Any]
_EVENT_COLUMNS: Mapping[str, type[np.integer[Any]]] = {
    "call": np.uint8,
    "thread": np.uint32,
    "object": np.uint64,
    "size": np.uint64,
    "alignment": np.uint64,
    "time_ns": np.uint64,
    "value": np.uint64,
    "site": np.uint32,
    "tag": np.uint32,
}
_STACK_COLUMNS: Mapping[str, type[np.integer[Any]]] = {
    "stack": np.uint32,
    "parent": np.int64,
    "frame": np.uint32,
    "function": np.int64,
    "file": np.int64,
    "module": np.int64,
    "line": np.uint32,
    "offset": np.uint64,
    "is_inlined": np.uint8,
}
_TOUCHED_COLUMNS: Mapping[str, type[np.integer[Any]]] = {
    "event": np.int64,
    "pages": np.int64,
    "resident_at_birth": np.int64,
    "resident_at_death": np.int64,
    "is_prefix": np.uint8,
}


class TraceBuilder:
    """A trace in the making, from columns of events as `Trace.chunks()` yields them.

    Every event is checked against those before it: an object must be alive and of the right kind
    when it is named, a scope open. The file has its name only after `finish`; before, and when the
    builder is left by an exception, nothing stands there.

        with al.TraceBuilder("two.alloctrace", image="two") as builder:
            builder.append(kind=[KINDS["allocate"], KINDS["free"]], object=[0, 0], size=[64, 0])
            trace = builder.finish()

    Args:
        path: of the trace, which ends in ".alloctrace" by custom.
        image: what stands for the recorded program's name.
        origin: what the metadata say of where the events come from: a format and a file, or a
            generator and its seed.
        level: zstd's, 1 to 22.

    Cost: some 100 ns an event, 16 bytes of memory an object.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        image: str,
        origin: Origin | None = None,
        level: int = 6,
    ) -> None:
        self.path = Path(path)
        self._image = image
        self._origin = dict(origin or {})
        self._core = _core.TraceBuilder(os.fsencode(path), level=level)

    @property
    def events(self) -> int:
        """How many events there are so far."""
        return self._core.events

    @property
    def objects(self) -> int:
        """How many objects there are so far: the id of the next one that an event creates."""
        return self._core.objects

    def intern(self, name: str) -> int:
        """Returns the index of a name; marks and scopes use it, tags it plus one."""
        return self._core.intern(name)

    def append(
        self,
        *,
        kind: npt.ArrayLike,
        call: npt.ArrayLike | None = None,
        thread: npt.ArrayLike | None = None,
        object: npt.ArrayLike | None = None,
        size: npt.ArrayLike | None = None,
        alignment: npt.ArrayLike | None = None,
        time_ns: npt.ArrayLike | None = None,
        value: npt.ArrayLike | None = None,
        site: npt.ArrayLike | None = None,
        tag: npt.ArrayLike | None = None,
    ) -> None:
        """Appends events, a row each; the columns are those of a `Chunk`, 0 where one is missing.

        `object` of an event that creates one is its id, `objects` at that moment. `value` has three
        columns.

        Raises:
            TraceError: "event N: ..." where a row cannot follow those before; what came before it
                in the call is appended.
            UsageError: a column holds what is no whole number, or one it has no room for.
        """
        given = {
            "call": call,
            "thread": thread,
            "object": object,
            "size": size,
            "alignment": alignment,
            "time_ns": time_ns,
            "value": value,
            "site": site,
            "tag": tag,
        }
        self._core.append(
            kind=_column("kind", kind, np.uint8),
            **{
                name: _column(name, values, _EVENT_COLUMNS[name])
                for name, values in given.items()
                if values is not None
            },
        )

    def set_stacks(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Takes the call stacks that sites number, as columns.

        `stack`: the innermost node of each; of nodes `parent` (or -1) and `frame`; of frames
        `function`, `file`, `module` (names, or -1), `line`, `offset`, `is_inlined`.

        Raises:
            Error: a stack, a frame or a name does not exist.
            UsageError: a column is missing, or holds what it cannot.
        """
        self._core.set_stacks(_columns(columns, _STACK_COLUMNS))

    def set_touched(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Takes how much of each large block was touched, as `Trace.touched()` gives it.

        Raises:
            Error: the rows are not in order of their events, or one makes no sense.
            UsageError: a column is missing, or holds what it cannot.
        """
        self._core.set_touched(_columns(columns, _TOUCHED_COLUMNS))

    def finish(
        self,
        *,
        is_complete: bool = True,
        lost_events: int = 0,
        unknown_frees: int = 0,
        missed_frees: int = 0,
        unresolved_references: int = 0,
        metadata: Mapping[str, Any] | None = None,
    ) -> Trace:
        """Ends the trace and opens it.

        Args:
            is_complete: whether the events go to the end of what they tell.
            lost_events: events that are known to be missing.
            unknown_frees: frees left out, as nothing was allocated there.
            missed_frees: blocks whose end the source did not tell.
            unresolved_references: references left out, as an end of theirs is unknown.
            metadata: more than what every trace says.

        Raises:
            TraceError: an event names a call stack, or a touched row an event, that there is not.
        """
        said = {
            "image": self._image,
            "arguments": [],
            "is_complete": is_complete,
            "lost_events": lost_events,
            "origin": self._origin,
            **(metadata or {}),
        }
        self._core.finish(
            json.dumps(said),
            is_complete=is_complete,
            lost_events=lost_events,
            unknown_frees=unknown_frees,
            missed_frees=missed_frees,
            unresolved_references=unresolved_references,
        )
        return Trace(self.path)

    def __enter__(self) -> TraceBuilder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._core.give_up()


def write_events(
    path: str | Path,
    events: Iterable[Mapping[str, npt.ArrayLike]],
    *,
    image: str,
    origin: Origin | None = None,
) -> Trace:
    """Writes batches of columns, each as `TraceBuilder.append` takes them, as one trace."""
    with TraceBuilder(path, image=image, origin=origin) as builder:
        for columns in events:
            builder.append(**columns)
        return builder.finish()


def _columns(
    columns: Mapping[str, npt.ArrayLike], types: Mapping[str, type[np.integer[Any]]]
) -> dict[str, npt.NDArray[Any]]:
    for name in types:
        if name not in columns:
            raise UsageError(f"the column {name} is missing")
    return {name: _column(name, columns[name], dtype) for name, dtype in types.items()}


def _column(
    name: str, values: npt.ArrayLike, dtype: type[np.integer[Any]]
) -> npt.NDArray[np.integer[Any]]:
    """Returns numbers as a column, every one as it is: NumPy alone would cut what does not fit."""
    try:
        numbers = np.asarray(values)
        if numbers.dtype.kind not in "bui":  # as uint64 beside int64 is: it becomes a float
            numbers = np.asarray(values, np.object_)
    except ValueError as error:
        raise UsageError(f"the column {name}: {error}") from None
    if numbers.dtype == np.object_ and not all(
        isinstance(each, int | np.integer) for each in numbers.flat
    ):
        raise UsageError(f"the column {name} holds what is no whole number")
    limits = np.iinfo(dtype)
    if numbers.dtype != dtype and numbers.size:
        for extreme in (int(numbers.min()), int(numbers.max())):
            if not limits.min <= extreme <= limits.max:
                raise UsageError(f"the column {name} has no room for {extreme}")
    return np.ascontiguousarray(numbers, dtype)
