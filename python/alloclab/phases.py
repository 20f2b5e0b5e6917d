# SPDX-License-Identifier: MIT
"""What a program did to its heap phase by phase: scopes of one kind and name, summed up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alloclab.errors import NotMeasured, UsageError
from alloclab.live_bytes import Ints, LiveBytes, live_bytes
from alloclab.traces import Chunk
from alloclab.units import format_bytes, format_count, format_ns

Columns = Mapping[str, npt.NDArray[Any]]
OPEN = -1


class ScopedTrace(Protocol):
    """What phases are made of: a trace whose scopes are known."""

    @property
    def names(self) -> list[str]: ...

    def __len__(self) -> int: ...

    def chunks(self) -> Iterator[Chunk]: ...

    def objects(self) -> Columns: ...

    def scopes(self) -> Columns: ...

    def footprint(self) -> Columns: ...


@dataclass(frozen=True)
class Phase:
    """All scopes of one kind and name; one within another of the same name is not counted twice.

    Attributes:
        calls: how often it was entered.
        wall_ns, allocated_bytes, allocations: within it and the scopes in it, the recorder's own
            time included; allocations are those of its thread, reallocations count.
        self_wall_ns, self_allocated_bytes: less what the scopes in it took.
        live_bytes_at_end: requested by the whole program, when it was last left.
        change_bytes: how much more was live when it was left than when it was entered, in all.
        peak_requested_live_bytes: most requested by the whole program at any moment within.
        mapped_bytes_at_end: in regions the program mapped itself, when it was last left.
        surviving_bytes, surviving_objects: what was allocated in it and outlived it, at the size
            last asked for.
        resident_bytes_at_end, resident_change_bytes, peak_resident_bytes: of samples of the
            program's anonymous memory; None where there are none.
    """

    kind: str
    name: str
    calls: int
    wall_ns: int
    self_wall_ns: int
    allocated_bytes: int
    self_allocated_bytes: int
    allocations: int
    live_bytes_at_end: int
    change_bytes: int
    peak_requested_live_bytes: int
    mapped_bytes_at_end: int
    surviving_bytes: int
    surviving_objects: int
    resident_bytes_at_end: int | None
    resident_change_bytes: int | None
    peak_resident_bytes: int | None


class Phases:
    """The phases of a trace by kind, in the order they were first entered."""

    def __init__(self, rows: Mapping[str, Sequence[Phase]]) -> None:
        self._rows = {kind: tuple(each) for kind, each in rows.items()}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of scopes there are, the outermost first."""
        return tuple(self._rows)

    def of_kind(self, kind: str = "phase") -> tuple[Phase, ...]:
        """Returns the phases of a kind.

        Raises:
            UsageError: the trace has no scope of that kind; says which kinds it has.
        """
        if kind not in self._rows:
            raise UsageError(f"no scopes of kind {kind!r}: the trace has {', '.join(self._rows)}")
        return self._rows[kind]

    def lines(self, kind: str = "phase", limit: int | None = None) -> list[str]:
        """Returns a line a phase, `[mem] NAME: N MB (+d)`: what is current, and apart the peaks.

        Figures are resident memory; requested live bytes where none was sampled.
        """
        current, peaks = [], []
        for phase in self._largest(kind, limit):
            at_end, change, peak = _memory(phase)
            current.append(f"[mem] {phase.name}: {_mb(at_end)} MB ({_mb(change, '+')})")
            peaks.append(f"[mem peak] {phase.name}: {_mb(peak)} MB")
        return [*current, *peaks]

    def table(self, kind: str = "phase", limit: int | None = None) -> str:
        """Returns the phases of a kind as text; those that allocate most if there are too many."""
        rows = self._largest(kind, limit)
        left_out = len(self.of_kind(kind)) - len(rows)
        cells = [[heading for heading, _ in _TABLE]]
        cells += [[write(phase) for _, write in _TABLE] for phase in rows]
        cells[0][0] = kind
        widths = [max(len(row[at]) for row in cells) for at in range(len(_TABLE))]
        lines = []
        for row in cells:
            figures = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append("  ".join([row[0].ljust(widths[0]), *figures]))
        if left_out:
            lines.append(f"and {left_out:,} more that allocate less")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Returns all figures as plain JSON values."""
        rows = {kind: [asdict(phase) for phase in each] for kind, each in self._rows.items()}
        return {"schema": 1, "kind": "phases", "phases": rows}

    def _largest(self, kind: str, limit: int | None) -> list[Phase]:
        rows = list(self.of_kind(kind))
        if limit is not None and len(rows) > limit:
            rows.sort(key=lambda phase: (-phase.self_allocated_bytes, phase.name))
            del rows[limit:]
        return rows

    def __str__(self) -> str:
        kind = "phase" if "phase" in self._rows else self.kinds[0]
        return "\n".join([*self.lines(kind), "", self.table(kind, 30)])


_NAME_WIDTH = 60
_TABLE: tuple[tuple[str, Callable[[Phase], str]], ...] = (
    ("", lambda phase: _shortened(phase.name)),
    ("calls", lambda phase: format_count(phase.calls)),
    ("wall", lambda phase: format_ns(phase.wall_ns)),
    ("in itself", lambda phase: format_ns(phase.self_wall_ns)),
    ("allocated", lambda phase: format_bytes(phase.allocated_bytes)),
    ("in itself", lambda phase: format_bytes(phase.self_allocated_bytes)),
    ("allocations", lambda phase: format_count(phase.allocations)),
    ("live at end", lambda phase: format_bytes(phase.live_bytes_at_end)),
    ("peak live", lambda phase: format_bytes(phase.peak_requested_live_bytes)),
    ("outlives it", lambda phase: format_bytes(phase.surviving_bytes)),
)


def phases(trace: ScopedTrace) -> Phases:
    """Sums up a trace's scopes by kind and name.

    Raises:
        NotMeasured: the trace has no scopes.
        TraceError: the trace is damaged.

    Cost: decodes the whole trace twice.
    """
    scopes = trace.scopes()
    if not len(scopes["enter"]):
        raise NotMeasured("the trace has no scopes: nothing told the recorder of phases")
    figures = _Figures(trace, scopes)
    return Phases(figures.sum_up(trace.names))


class _Figures:
    """A column for each figure, a row a scope."""

    def __init__(self, trace: ScopedTrace, scopes: Columns) -> None:
        events = len(trace)
        self.scopes = scopes
        self.parent = scopes["parent"].astype(np.int64)
        self.enter = scopes["enter"].astype(np.int64)
        exit_event = scopes["exit"].astype(np.int64)
        self.exit = np.where(exit_event == OPEN, events, exit_event)
        threads = [int(thread) for thread in np.unique(scopes["thread"])]
        cuts = np.concatenate([self.enter, self.exit])
        live = live_bytes(trace, events, cuts, threads)
        first = np.searchsorted(live.event, self.enter)
        last = np.searchsorted(live.event, self.exit)
        exit_ns = scopes["exit_time_ns"].astype(np.int64)
        exit_ns = np.where(exit_event == OPEN, live.time_ns[-1], exit_ns)
        self.wall_ns = exit_ns - scopes["enter_time_ns"].astype(np.int64)
        self.live_at_end, self.mapped_at_end = live.live_bytes[last], live.mapped_bytes[last]
        self.change = self.live_at_end - live.live_bytes[first]
        self.peak_live = np.maximum(
            live.live_bytes[first], _most(live.peak_live_bytes, first, last)
        )
        self.allocated, self.allocations = self._allocated(live, first, last)
        self.surviving_bytes, self.surviving_objects = self._surviving(trace.objects(), live)
        self._resident(trace.footprint())

    def _allocated(self, live: LiveBytes, first: Ints, last: Ints) -> tuple[Ints, Ints]:
        found = np.zeros((2, len(first)), np.int64)
        for thread in live.allocated_bytes:
            mine = self.scopes["thread"] == thread
            for at, parts in enumerate((live.allocated_bytes[thread], live.allocations[thread])):
                so_far = np.concatenate([[0], np.cumsum(parts)])
                found[at, mine] = so_far[last[mine]] - so_far[first[mine]]
        return found[0], found[1]

    def _surviving(self, objects: Columns, live: LiveBytes) -> tuple[Ints, Ints]:
        """Returns bytes and number of the objects born in each scope that outlived it.

        An object outlives the scopes around its birth from the innermost outwards, up to the first
        that it died in.
        """
        count = len(self.enter)
        sums = np.zeros((2, count), np.int64)
        is_block = (objects["scope"] >= 0) & (np.asarray(objects["is_region"]) == 0)
        number = np.flatnonzero(is_block)
        scope = objects["scope"][number].astype(np.int64)
        while number.size:
            death = objects["death"][number]
            outlives = (death < 0) | (death >= self.exit[scope])
            number, scope = number[outlives], scope[outlives]
            sums[0] += np.bincount(scope, live.last_size[number], count).astype(np.int64)
            sums[1] += np.bincount(scope, minlength=count)
            scope = self.parent[scope]
            number, scope = number[scope >= 0], scope[scope >= 0]
        return sums[0], sums[1]

    def _resident(self, samples: Columns) -> None:
        self.resident: tuple[Ints, Ints, Ints] | None = None
        if not len(samples["event"]):
            return
        event = samples["event"].astype(np.int64)
        bytes_ = samples["anonymous_bytes"].astype(np.int64)
        first = np.maximum(np.searchsorted(event, self.enter, side="right") - 1, 0)
        last = np.maximum(np.searchsorted(event, self.exit, side="right") - 1, 0)
        self.resident = (bytes_[last], bytes_[last] - bytes_[first], _most(bytes_, first, last + 1))

    def sum_up(self, names: list[str]) -> dict[str, list[Phase]]:
        kind, name = (self.scopes[each].astype(np.int64) for each in ("kind", "name"))
        key = kind * (len(names) + 1) + name
        counted = ~self._is_within_its_own(key)
        self_wall = self.wall_ns - self._of_children(self.wall_ns)
        self_allocated = self.allocated - self._of_children(self.allocated)
        found: dict[str, list[Phase]] = {}
        order = np.argsort(key, kind="stable")
        edges = np.flatnonzero(np.diff(key[order])) + 1
        groups = sorted(np.split(order, edges), key=lambda rows: int(self.enter[rows[0]]))
        for rows in groups:
            outer = rows[counted[rows]]
            last = rows[np.argmax(self.exit[rows])]
            label = names[int(kind[last])]
            found.setdefault(label, []).append(
                Phase(
                    kind=label,
                    name=names[int(name[last])],
                    calls=len(rows),
                    wall_ns=int(self.wall_ns[outer].sum()),
                    self_wall_ns=int(self_wall[rows].sum()),
                    allocated_bytes=int(self.allocated[outer].sum()),
                    self_allocated_bytes=int(self_allocated[rows].sum()),
                    allocations=int(self.allocations[outer].sum()),
                    live_bytes_at_end=int(self.live_at_end[last]),
                    change_bytes=int(self.change[outer].sum()),
                    peak_requested_live_bytes=int(self.peak_live[rows].max()),
                    mapped_bytes_at_end=int(self.mapped_at_end[last]),
                    surviving_bytes=int(self.surviving_bytes[outer].sum()),
                    surviving_objects=int(self.surviving_objects[outer].sum()),
                    **self._resident_of(rows, outer, last),
                )
            )
        return found

    def _resident_of(self, rows: Ints, outer: Ints, last: np.int64) -> dict[str, int | None]:
        names = ("resident_bytes_at_end", "resident_change_bytes", "peak_resident_bytes")
        if self.resident is None:
            return dict.fromkeys(names)
        at_end, change, peak = self.resident
        figures = (at_end[last], change[outer].sum(), peak[rows].max())
        return {name: int(figure) for name, figure in zip(names, figures, strict=True)}

    def _of_children(self, column: Ints) -> Ints:
        """Returns for each scope the sum over the scopes directly in it."""
        has_parent = self.parent >= 0
        found = np.zeros(len(column), np.int64)
        np.add.at(found, self.parent[has_parent], column[has_parent])
        return found

    def _is_within_its_own(self, key: Ints) -> npt.NDArray[np.bool_]:
        """Says of each scope whether one of the same kind and name is around it."""
        found = np.zeros(len(key), np.bool_)
        row = np.flatnonzero(self.parent >= 0)
        around = self.parent[row]
        while row.size:
            found[row[key[around] == key[row]]] = True
            around = self.parent[around]
            row, around = row[around >= 0], around[around >= 0]
        return found


def _most(values: Ints, first: Ints, last: Ints) -> Ints:
    """Returns the greatest of values[first:last] for each pair; 0 where that is empty.

    Level by level of a table whose entries span 1, 2, 4 ... values, two of which cover any range.
    """
    found = np.zeros(len(first), np.int64)
    length = last - first
    span, table = 1, values
    while span <= len(values):
        at = np.flatnonzero((length >= span) & (length < 2 * span))
        found[at] = np.maximum(table[first[at]], table[last[at] - span])
        table = np.maximum(table[:-span], table[span:])
        span *= 2
    return found


def _memory(phase: Phase) -> tuple[int, int, int]:
    if (
        phase.resident_bytes_at_end is None
        or phase.resident_change_bytes is None
        or phase.peak_resident_bytes is None
    ):
        return phase.live_bytes_at_end, phase.change_bytes, phase.peak_requested_live_bytes
    return phase.resident_bytes_at_end, phase.resident_change_bytes, phase.peak_resident_bytes


def _mb(size: int, sign: str = "") -> str:
    """Writes a size in MB: whole ones from 100 MB on, with a digit more below."""
    digits = 0 if abs(size) >= 1e8 else 1
    return f"{size / 1e6:{sign}.{digits}f}"


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else f"...{name[3 - _NAME_WIDTH :]}"
