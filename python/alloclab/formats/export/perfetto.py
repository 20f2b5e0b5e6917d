# SPDX-License-Identifier: MIT
"""Trace Event JSON, for https://ui.perfetto.dev and other viewers of Chrome's traces.

Scopes become slices on their threads, marks instants, memory counters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from alloclab.formats.export.format import Format, LeftOut, Option, checked_chunks, metadata_json
from alloclab.formats.export.output import Output
from alloclab.live_bytes import LiveBytes, live_bytes
from alloclab.traces import Chunk, Trace

_TOLD = {"scope_enter", "scope_exit", "mark", "footprint"}
_FIRST_THREAD = 1  # thread n is n + 1, since 0 is the idle thread of the kernel
_EVENTS_A_WRITE = 4096


def write(trace: Trace, output: Output, options: Mapping[str, Any], left_out: LeftOut) -> int:
    """Writes scopes, marks and counters; returns how many events of the trace they tell."""
    writer = _Writer(trace)
    counted = _Counted(trace, left_out)
    samples = min(options["samples"], len(trace) + 1)  # there are no more places to look at
    cuts = np.linspace(0, len(trace), samples, dtype=np.int64)
    peak = trace.summary()["peak_requested_event"] + 1
    live = live_bytes(counted, len(trace), np.append(cuts, peak))
    left_out.add("touched", len(trace.touched()["event"]))
    last_ns = max(int(live.time_ns[-1]), trace.summary()["duration_ns"])
    events = [
        writer.names(counted.threads),
        writer.slices(last_ns),
        writer.marks(),
        writer.counters(live),
        writer.footprints(counted.footprint_times, samples),
    ]
    other = {"metadata": json.loads(metadata_json(trace)), "summary": trace.summary()}
    with output.opened() as file:
        file.write(b'{"displayTimeUnit": "ns",\n"traceEvents": [\n')
        separator = b""
        for piece in _pieces(event for each in events for event in each):
            file.write(separator + piece)
            separator = b",\n"
        file.write(b'\n],\n"otherData": ' + json.dumps(other).encode("ascii") + b"}\n")
    left_out.add("footprint", counted.footprints - writer.told_footprints)
    return writer.told


class _Counted:
    """A trace whose chunks are looked at while another walks them."""

    def __init__(self, trace: Trace, left_out: LeftOut) -> None:
        self._trace, self._left_out = trace, left_out
        self.threads: set[int] = set()
        self.footprints = 0
        self.footprint_times: dict[int, int] = {}

    def chunks(self) -> Iterator[Chunk]:
        for chunk in checked_chunks(self._trace):
            self._left_out.add_kinds(chunk, _TOLD)
            self._left_out.add("site", np.count_nonzero(chunk.site))
            self._left_out.add("tag", np.count_nonzero(chunk.tag))
            self.threads.update(np.unique(chunk.thread).tolist())
            at = np.flatnonzero(chunk.is_kind("footprint"))
            self.footprints += len(at)
            times = chunk.time_ns[at].tolist()
            self.footprint_times.update(zip((at + chunk.first_event).tolist(), times, strict=True))
            yield chunk


class _Writer:
    """Makes the events; counts how many of the trace's own they tell."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        pid = trace.metadata.get("pid")
        self._pid = pid if isinstance(pid, int) and 0 < pid < 1 << 31 else 1
        self.told = 0
        self.told_footprints = 0

    def names(self, threads: Iterable[int]) -> Iterator[dict[str, Any]]:
        yield self._event("M", 0, name="process_name", args={"name": self._trace.name})
        for thread in sorted(threads):
            args = {"name": f"thread {thread}"}
            yield self._event("M", 0, thread, name="thread_name", args=args)

    def slices(self, last_ns: int) -> Iterator[dict[str, Any]]:
        """Yields begins and ends in order. A scope that ends before one within it is no slice.

        Such a scope is an asynchronous event, which has a line of its own in the viewer.
        """
        scopes, names = self._trace.scopes(), self._trace.names
        columns = {name: column.tolist() for name, column in scopes.items()}
        crossing = _crossing(columns["thread"], columns["enter"], columns["exit"])
        for row, is_enter in _order(columns["enter"], columns["exit"]):
            kind, name = names[columns["kind"][row]], names[columns["name"][row]]
            was_left = columns["exit"][row] >= 0
            left_ns = columns["exit_time_ns"][row] if was_left else last_ns
            event = self._event(
                ("b" if is_enter else "e") if row in crossing else ("B" if is_enter else "E"),
                columns["enter_time_ns"][row] if is_enter else left_ns,
                columns["thread"][row],
                name=name or kind,
                cat=kind,
            )
            if row in crossing:
                event["id"] = row
            if is_enter and not was_left:
                event["args"] = {"is_open_at_end": True}
            self.told += is_enter or was_left
            yield event

    def marks(self) -> Iterator[dict[str, Any]]:
        marks = {name: column.tolist() for name, column in self._trace.marks().items()}
        for name, thread, time_ns in zip(
            marks["name"], marks["thread"], marks["time_ns"], strict=True
        ):
            self.told += 1
            yield self._event("i", time_ns, thread, name=self._trace.names[name], s="t")

    def counters(self, live: LiveBytes) -> Iterator[dict[str, Any]]:
        """Yields what is live at each cut of the trace."""
        objects = self._trace.objects()
        is_block = objects["is_region"] == 0
        born = np.sort(objects["birth"][is_block])
        died = objects["death"][is_block]
        died = np.sort(died[died >= 0])
        count = np.searchsorted(born, live.event) - np.searchsorted(died, live.event)
        columns = {
            ("requested_live_bytes", "bytes"): live.live_bytes,
            ("live_objects", "objects"): count,
            ("mapped_live_bytes", "bytes"): live.mapped_bytes,
        }
        for (name, unit), column in columns.items():
            if name == "mapped_live_bytes" and not column.any():
                continue
            changes = np.append(True, column[1:] != column[:-1])
            for at in np.flatnonzero(changes).tolist():
                time_ns = int(live.time_ns[at])
                yield self._event("C", time_ns, name=name, args={unit: int(column[at])})

    def footprints(self, times: Mapping[int, int], samples: int) -> Iterator[dict[str, Any]]:
        rows = self._trace.footprint()
        count = len(rows["event"])
        if not count:
            return
        evenly = np.linspace(0, count - 1, min(samples, count), dtype=np.int64)
        chosen = np.unique(np.append(evenly, np.argmax(rows["anonymous_bytes"])))
        for at in chosen.tolist():
            args = {
                "anonymous_bytes": int(rows["anonymous_bytes"][at]),
                "file_bytes": int(rows["file_bytes"][at]),
            }
            self.told += 1
            self.told_footprints += 1
            time_ns = times[int(rows["event"][at])]
            yield self._event("C", time_ns, name="resident memory", args=args)

    def _event(
        self, phase: str, time_ns: int, thread: int = -_FIRST_THREAD, **more: Any
    ) -> dict[str, Any]:
        """Returns an event; times are told in microseconds, to the nanosecond."""
        tid = thread + _FIRST_THREAD
        return {"ph": phase, "ts": time_ns / 1000, "pid": self._pid, "tid": tid, **more}


def _order(enter: list[int], left: list[int]) -> Iterator[tuple[int, bool]]:
    """Yields (row, is it entered) in the order of the events; what stays open ends last."""
    ends = sorted((event, row) for row, event in enumerate(left) if event >= 0)
    at = 0
    for row, event in enumerate(enter):
        while at < len(ends) and ends[at][0] < event:
            yield ends[at][1], False
            at += 1
        yield row, True
    for _, row in ends[at:]:
        yield row, False
    for row in reversed(range(len(left))):
        if left[row] < 0:
            yield row, False


def _crossing(thread: list[int], enter: list[int], left: list[int]) -> set[int]:
    """Returns the scopes that are left before one entered after them on their thread."""
    stacks: dict[int, list[int]] = {}
    found = set()
    for row, is_enter in _order(enter, left):
        stack = stacks.setdefault(thread[row], [])
        if is_enter:
            stack.append(row)
        elif stack[-1] == row:
            stack.pop()
        else:
            stack.remove(row)
            found.add(row)
    return found


def _pieces(events: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Yields events as JSON, many at once; the pieces belong between commas."""
    lines: list[str] = []
    for event in events:
        lines.append(json.dumps(event))
        if len(lines) == _EVENTS_A_WRITE:
            yield ",\n".join(lines).encode("ascii")
            lines.clear()
    if lines:
        yield ",\n".join(lines).encode("ascii")


FORMAT = Format(
    "perfetto",
    "Trace Event JSON for ui.perfetto.dev: scopes, marks, memory over time",
    (".json", ".json.gz"),
    write,
    (Option("samples", "perfetto: how many points each counter has at most, about", 2000),),
)
