# SPDX-License-Identifier: MIT
"""Sealed traces: what a recorded program's heap did, as counts and as NumPy columns."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from alloclab import _core
from alloclab.errors import NotMeasured, TraceError, UsageError
from alloclab.lifetimes import Lifetimes, lifetimes
from alloclab.stacks import Stacks
from alloclab.trace_path import WorkloadPath, is_absent, path_of
from alloclab.units import format_bytes, format_ratio

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from alloclab.phases import Phases
    from alloclab.top import Top

SUFFIX = ".alloctrace"
KINDS: Mapping[str, int] = _core.event_kinds
"""The number each kind of event has in `Chunk.kind`, by name."""
NO_SCOPE = 2**64 - 1
"""What a transfer has for a scope where the block belongs to none from there on."""

Columns = Mapping[str, npt.NDArray[Any]]
_WEIGHT_TITLES = {
    "peak": "bytes live at the peak",
    "end": "bytes live at the end",
    "allocated": "bytes allocated",
}


@dataclass(frozen=True)
class Chunk:
    """A stretch of a trace as columns of equal length, a row an event.

    `kind` holds the numbers of `KINDS`; `call` says which call made an allocation; `size` and
    `alignment` are bytes; `time_ns` counts from the first event, interpolated; `value` has three
    columns for the operands of scopes, marks and footprints; `site` is the number in
    `Trace.stacks()` plus one and `tag` the index in `Trace.names` plus one, of what allocates; 0
    where there is none.
    """

    first_event: int
    kind: npt.NDArray[np.uint8]
    call: npt.NDArray[np.uint8]
    thread: npt.NDArray[np.uint32]
    object: npt.NDArray[np.uint64]
    size: npt.NDArray[np.uint64]
    alignment: npt.NDArray[np.uint64]
    time_ns: npt.NDArray[np.uint64]
    value: npt.NDArray[np.uint64]
    site: npt.NDArray[np.uint32]
    tag: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.kind)

    def is_kind(self, name: str) -> npt.NDArray[np.bool_]:
        """Returns a mask of the events of one kind, for instance "free"."""
        if name not in KINDS:
            raise ValueError(f"no event kind {name!r}; there are {', '.join(KINDS)}")
        mask: npt.NDArray[np.bool_] = self.kind == KINDS[name]
        return mask


class Summary(dict[str, int]):
    """What a whole trace adds up to; prints as a short account."""

    def __str__(self) -> str:
        lines = [
            f"{self['events']:,} events of {self['threads']} thread(s) in "
            f"{self['duration_ns'] / 1e9:.2f} s",
            f"{self['allocations']:,} allocations, {self['frees']:,} frees, "
            f"{self['reallocations']:,} reallocations, {self['failed_calls']:,} failed",
            f"{format_bytes(self['requested_total_bytes'])} requested in all, at most "
            f"{format_bytes(self['peak_requested_live_bytes'])} live at once "
            f"(event {self['peak_requested_event']:,})",
            f"{format_bytes(self['peak_mapped_live_bytes'])} mapped by the program itself at most, "
            f"in {self['maps']:,} regions",
            f"{self['live_objects_at_end']:,} objects alive at the end, "
            f"{self['cross_thread_frees']:,} freed by another thread"
            + _share_of(self["cross_thread_frees"], self["frees"]),
            *self._said(),
        ]
        doubts = [
            f"{self[name]:,} {text}"
            for name, text in (
                ("unknown_frees", "frees of unknown addresses"),
                ("missed_frees", "frees not seen"),
                ("inversions", "inversions repaired"),
                ("lost_events", "events lost"),
                ("unmatched_scope_exits", "exits of scopes that were not open"),
                ("cross_thread_scope_exits", "scopes left by another thread than entered them"),
                ("unresolved_references", "references of unknown objects or scopes"),
            )
            if self[name]
        ]
        if not self["is_complete"]:
            doubts.append("the end of the program was not seen")
        return "\n".join([*lines, *(["but " + ", ".join(doubts)] if doubts else [])])

    def _said(self) -> Iterator[str]:
        """Yields a line for each thing the program or its recorder told beyond calls."""
        calls = self["allocations"] + self["reallocations"]
        if self["scopes"] or self["marks"]:
            yield (
                f"{self['scopes']:,} scopes, {self['open_scopes_at_end']:,} of them open at the "
                f"end, and {self['marks']:,} marks"
            )
        if self["sites"]:
            yield (
                f"{self['sites']:,} call stacks, known of {self['sited_calls']:,} calls"
                + _share_of(self["sited_calls"], calls)
            )
        if self["tagged_calls"]:
            yield f"{self['tagged_calls']:,} calls tagged" + _share_of(self["tagged_calls"], calls)
        if self["references"] or self["root_changes"]:
            yield f"{self['references']:,} changed references, {self['root_changes']:,} of roots"


def _share_of(part: int, whole: int) -> str:
    return f" ({format_ratio(part / whole)})" if part and whole else ""


class Trace:
    """One sealed trace. Immutable; chunks are decoded when they are asked for.

    Cost: opening reads the footer. `objects()` and `footprint()` decode the whole trace.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if is_absent(self.path):
            raise UsageError(f"{path}: no such trace")
        self._reader = _core.TraceReader(os.fsencode(path))
        try:
            metadata = json.loads(self._reader.metadata_json)
        except ValueError as error:
            raise TraceError(f"{path}: the metadata is not JSON: {error}") from None
        if not isinstance(metadata, dict):
            raise TraceError(f"{path}: the metadata is no JSON object")
        self.metadata: Mapping[str, Any] = metadata
        self._footprint: Columns | None = None
        self._names: list[str] | None = None
        self._stacks: Stacks | None = None

    def summary(self) -> Summary:
        """Returns the counts and totals of the whole trace, by name."""
        return Summary(self._reader.summary)

    def chunks(self) -> Iterator[Chunk]:
        """Yields the trace chunk by chunk, in order, however long it is."""
        first_event = 0
        for index in range(self._reader.chunk_count):
            chunk = Chunk(first_event, **self._reader.chunk(index))
            first_event += len(chunk)
            yield chunk

    def calls(self) -> Iterator[Columns]:
        """Yields what a simulated allocator needs, chunk by chunk: `chunks()` in half the time.

        Columns: `kind`, `object`, `size`, `alignment`, as those of a `Chunk`.
        """
        for index in range(self._reader.chunk_count):
            yield self._reader.calls(index)

    def objects(self) -> Columns:
        """Returns one row an object, block or mapped region, in the order of their births.

        Columns: `size` as first requested and `max_size` after reallocations, in bytes; `birth` and
        `death`, event indices, a death of -1 for what was alive at the end; `birth_thread`,
        `death_thread`, `reallocations`, `is_region`; and of its birth the innermost open `scope`
        (row of `scopes()`), the `site` (number in `stacks()`) and the `tag` (index in `names`), -1
        where there is none.
        """
        return self._reader.objects()

    def scopes(self) -> Columns:
        """Returns one row a scope, in the order in which they were entered.

        Columns: `instance`; `kind` and `name`, indices in `names`; `thread`; `parent`, the row of
        the scope around it, or -1; `enter` and `exit`, event indices, an exit of -1 for one that
        was open at the end; `enter_time_ns`, `exit_time_ns`.
        """
        return self._reader.scopes()

    def marks(self) -> Columns:
        """Returns one row a mark: `event`, `name` (index in `names`), `thread`, `time_ns`."""
        return self._reader.marks()

    def stacks(self) -> Stacks:
        """Returns the call stacks that the sites of objects and events number."""
        if self._stacks is None:
            self._stacks = Stacks(self._reader.stacks(), self.names)
        return self._stacks

    def lifetimes(self) -> Lifetimes:
        """Returns how long blocks live, in bytes allocated meanwhile. Decodes the whole trace."""
        return lifetimes(self.objects())

    def top(self, by: str = "site", *, weight: str = "peak", limit: int = 20) -> Top:
        """Sums up the objects by site, function, scope, tag or thread; see `alloclab.top`."""
        from alloclab.top import top

        return top(self, by, weight=weight, limit=limit)

    def phases(self) -> Phases:
        """Sums up the scopes by kind and name; see `alloclab.phases`."""
        from alloclab.phases import phases

        return phases(self)

    def plot_live(self, **options: Any) -> Figure:
        """Draws live bytes over the run, phases as bands; see `views.plot_live`."""
        from alloclab.views import plot_live

        return plot_live(self, **options)

    def plot_icicle(self, *, weight: str = "peak", **options: Any) -> Figure:
        """Draws what call stacks hold, the outermost on top; see `top` and `views.plot_icicle`."""
        from alloclab.top import stack_weights
        from alloclab.views import plot_icicle

        unit = "none" if weight == "allocations" else "bytes"
        options.setdefault("title", f"{self.name}: {_WEIGHT_TITLES.get(weight, weight)}")
        (stacks,) = stack_weights(self, weight)
        return plot_icicle(stacks, unit=unit, **options)

    def speedscope(
        self, *, weights: Sequence[str] = ("peak", "end", "allocated")
    ) -> dict[str, Any]:
        """Returns a flame graph of each weight as a document https://www.speedscope.app opens.

        Weights are those of `top`, in bytes. Write it by `json.dumps`.
        """
        from alloclab.top import stack_weights
        from alloclab.views import speedscope

        known = [weight for weight in weights if weight in _WEIGHT_TITLES]
        stacks = zip(known, stack_weights(self, *known), strict=True)
        profiles = {_WEIGHT_TITLES[weight]: each for weight, each in stacks if each}
        return speedscope(profiles, name=self.name)

    def footprint(self) -> Columns:
        """Returns the recorded program's own resident memory, sample after sample.

        Columns: `event`, `anonymous_bytes`, `file_bytes`, `page_faults` since the process began.
        """
        if self._footprint is None:
            self._footprint = self._reader.footprint()
        return self._footprint

    def touched(self) -> Columns:
        """Returns how much of each large block and region the program touched.

        Columns: `event` that gave it its size, `pages`, `resident_at_birth` and
        `resident_at_death` in pages (-1: unknown), `is_prefix`.
        """
        return self._reader.touched()

    @property
    def names(self) -> list[str]:
        """The interned names that marks, scopes, tags and frames refer to by index."""
        if self._names is None:
            self._names = self._reader.names
        return self._names

    @property
    def uncertain_touched_ratio(self) -> float:
        """Of the large blocks' pages resident at their end, the share that was so at birth.

        Nobody knows whether the program touched those. Raises NotMeasured where nothing was
        recorded.
        """
        rows = self.touched()
        is_known = (rows["resident_at_birth"] >= 0) & (rows["resident_at_death"] >= 0)
        at_death = rows["resident_at_death"][is_known]
        if not at_death.sum():
            raise NotMeasured("the trace does not know what large blocks were touched")
        at_birth = np.minimum(rows["resident_at_birth"][is_known], at_death)
        return float(at_birth.sum() / at_death.sum())

    @property
    def name(self) -> str:
        """The recorded program's name, or the file's."""
        image = self.metadata.get("image")
        return Path(image).name if isinstance(image, str) and image else self.path.stem

    def __len__(self) -> int:
        return self._reader.summary["events"]

    def __repr__(self) -> str:
        return f"<Trace {self.name}: {len(self):,} events, {self.path}>"

    def _repr_html_(self) -> str:
        text = str(self.summary()).replace("&", "&amp;").replace("<", "&lt;")
        return f"<b>{self.name}</b><pre>{text}</pre>"


def open_trace(path: str | os.PathLike[str] | WorkloadPath) -> Trace:
    """Opens a sealed trace, by its path or by the workload of the shelf it is of.

    Raises:
        UsageError: there is no such file, or `path` is no path.
        TraceError: the bytes are not a whole trace; says where and why.
        Error: the file cannot be read.
    """
    return Trace(path_of(path))
