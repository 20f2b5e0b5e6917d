# SPDX-License-Identifier: MIT
"""Where every block stood and when, and the figures that follow from it; never a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from alloclab.errors import NotMeasured, UsageError
from alloclab.replay.parts import ratio
from alloclab.simulate.rows import ALIVE, COLUMNS, judge
from alloclab.units import format_bytes, format_ratio

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = 1
Number = float | int


@dataclass(frozen=True, eq=False)
class Placement:
    """The map of an allocator's blocks under one sequence of events. Equal maps are equal.

    Attributes:
        source: what was replayed.
        allocator: who placed the blocks.
        events: how many events there were.
        blocks: the map as columns, a row a block, in the order of births: `object`; `offset` from
            the start of the address space (-1: refused); `size`, asked for, and `block_size`,
            given, in bytes; `birth` and `death`, event indices (-1: alive at the end);
            `is_refused`. A resized block is a new row.
        is_simulated: False for the map of a real allocator.
    """

    source: str
    allocator: str
    events: int
    blocks: Mapping[str, npt.NDArray[Any]] = field(repr=False)
    is_simulated: bool = True
    _figures: Mapping[str, Any] = field(default_factory=dict, repr=False)  # taken where empty

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", MappingProxyType(dict(self.blocks)))
        if not self._figures:
            overlap, figures, _ = self._judge(None)
            if overlap is not None:
                raise UsageError(f"rows {overlap[1]} and {overlap[0]} of the map overlap")
            object.__setattr__(self, "_figures", MappingProxyType(figures))

    def _judge(self, sample_events: npt.NDArray[Any] | None) -> Any:
        return judge(
            self.blocks,
            self.events,
            may_move_onto_itself=not self.is_simulated,
            sample_events=sample_events,
        )

    def __getitem__(self, name: str) -> Number:
        """Returns a metric by its name.

        Raises:
            NotMeasured: there is no trustworthy figure; says why.
            UsageError: there is no metric of this name.
        """
        metric = PLACEMENT_METRICS.get(name)
        if metric is None:
            known = ", ".join(PLACEMENT_METRICS)
            raise UsageError(f"unknown metric {name!r}: known are {known}")
        return metric(self)

    @property
    def metrics(self) -> dict[str, Number | NotMeasured]:
        """Every metric by its name; a NotMeasured where there is no figure."""
        figures: dict[str, Number | NotMeasured] = {}
        for name in PLACEMENT_METRICS:
            try:
                figures[name] = self[name]
            except NotMeasured as reason:
                figures[name] = reason
        return figures

    def live_at(self, event: int) -> npt.NDArray[np.bool_]:
        """Returns a mask of the blocks that stand after an event."""
        birth, death = self.blocks["birth"], self.blocks["death"]
        is_live = (birth <= event) & ((death == ALIVE) | (death > event))
        return np.asarray(is_live & (self.blocks["offset"] >= 0))

    def free_runs(self, event: int) -> npt.NDArray[np.int64]:
        """Returns the lengths of the free runs below the highest block, from low to high."""
        is_live = self.live_at(event)
        start = self.blocks["offset"][is_live]
        order = np.argsort(start)
        start = start[order]
        end = start + self.blocks["block_size"][is_live][order]
        gaps = start - np.concatenate(([0], end[:-1])) if len(start) else start
        return np.asarray(gaps[gaps > 0], dtype=np.int64)

    def timeline(self, samples: int = 500) -> dict[str, npt.NDArray[np.int64]]:
        """Returns what is live and how the address space is used, after some of the events.

        Columns: `event`, `requested_live_bytes`, `block_live_bytes`, `extent_bytes` (the end of
        the highest live block), `largest_free_run_bytes` below it, `allocated_bytes` so far.
        Cost: a sweep over the map, and the live blocks once a sample.
        """
        if samples < 1:
            raise UsageError(f"not a number of samples: {samples}")
        if self.events == 0:
            raise NotMeasured("there are no events")
        events = np.unique(np.linspace(0, self.events - 1, samples).astype(np.int64))
        columns: dict[str, npt.NDArray[np.int64]] = self._judge(events)[2]
        return columns

    def plot_map(self, **options: Any) -> Figure:
        """Draws the blocks as rectangles over events and addresses; see `views.plot_map`."""
        from alloclab.views import plot_map

        return plot_map(self, **options)

    def plot_fragmentation(self, **options: Any) -> Figure:
        """Draws what is live below the extent, over events; see `views.plot_fragmentation`."""
        from alloclab.views import plot_fragmentation

        return plot_fragmentation(self, **options)

    def title(self) -> str:
        """One line for the top of a plot."""
        return f"{self.allocator}: {self.source}, {self.events:,} events"

    def __str__(self) -> str:
        lines = [self.title()]
        for name, value in self.metrics.items():
            if isinstance(value, NotMeasured):
                text = f"not measured: {value}"
            elif "_bytes" in name:
                text = format_bytes(value)
            elif name.endswith("_ratio"):
                text = format_ratio(value)
            else:
                text = f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
            lines.append(f"  {name:36} {text}")
        return "\n".join(lines)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Placement):
            return NotImplemented
        return (self.source, self.allocator, self.events, self.is_simulated) == (
            other.source,
            other.allocator,
            other.events,
            other.is_simulated,
        ) and all(np.array_equal(self.blocks[name], other.blocks[name]) for name in COLUMNS)

    __hash__ = None  # type: ignore[assignment]

    def to_json(self) -> dict[str, Any]:
        """Returns the whole map, and the figures for whoever reads it, as plain JSON values."""
        figures = {
            name: {"not_measured": value.reason} if isinstance(value, NotMeasured) else value
            for name, value in self.metrics.items()
        }
        return {
            "schema": SCHEMA,
            "source": self.source,
            "allocator": self.allocator,
            "events": self.events,
            "is_simulated": self.is_simulated,
            "blocks": {name: self.blocks[name].tolist() for name in COLUMNS},
            "metrics": figures,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any] | str) -> Placement:
        """Builds the placement from what `to_json` gave, or its text; figures are taken anew.

        Raises:
            UsageError: the document is no placement.
            Error: its rows are none that blocks can have.
        """
        try:
            read = json.loads(document) if isinstance(document, str) else document
            if read["schema"] != SCHEMA:
                raise UsageError(f"a placement of schema {read['schema']}, not {SCHEMA}")
            columns = read["blocks"]
            blocks = {name: np.array(columns[name], dtype=kind) for name, kind in COLUMNS.items()}
            return cls(
                str(read["source"]),
                str(read["allocator"]),
                int(read["events"]),
                blocks,
                bool(read["is_simulated"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UsageError(f"not a placement: {type(error).__name__}: {error}") from error


def _figure(name: str) -> Callable[[Placement], int]:
    return lambda placement: int(placement._figures[name])


def _complete(placement: Placement) -> Mapping[str, Any]:
    """Refuses ratios over live bytes of which some were never handed out."""
    failed = int(placement.blocks["is_refused"].sum())
    if failed:
        raise NotMeasured(f"{failed:,} requests failed: not all that the trace has live was")
    return placement._figures


def _ratio(over: str, under: str) -> Callable[[Placement], float]:
    def compute(placement: Placement) -> float:
        figures = _complete(placement)
        return ratio(figures[over], figures[under], under)

    return compute


def _external(placement: Placement) -> float:
    figures = placement._figures
    live = figures["block_live_bytes_at_high_water"]
    return 1 - ratio(live, figures["high_water_bytes"], "the high-water mark")


def _free_runs_at_high_water(placement: Placement) -> npt.NDArray[np.int64]:
    if not placement._figures["high_water_bytes"]:
        raise NotMeasured("nothing was ever placed")
    return placement.free_runs(placement._figures["high_water_event"])


def _largest_free_run(placement: Placement) -> int:
    return int(_free_runs_at_high_water(placement).max(initial=0))


def _largest_free_ratio(placement: Placement) -> float:
    runs = _free_runs_at_high_water(placement)
    return 1 - ratio(
        float(runs.max(initial=0)), float(runs.sum()), "free below the high-water mark"
    )


def _mean_extent(placement: Placement) -> float:
    mean = float(_complete(placement)["mean_extent_ratio"])
    if not mean:
        raise NotMeasured("nothing was ever asked for")
    return mean


PLACEMENT_METRICS: Mapping[str, Callable[[Placement], Number]] = {
    "events": lambda placement: placement.events,
    "failed_allocations": lambda placement: int(placement.blocks["is_refused"].sum()),
    "failed_bytes": lambda placement: int(
        placement.blocks["size"][placement.blocks["is_refused"]].sum()
    ),
    "peak_requested_live_bytes": _figure("peak_requested_live_bytes"),
    "peak_requested_event": _figure("peak_requested_event"),
    "peak_block_live_bytes": _figure("peak_block_live_bytes"),
    "block_live_bytes_at_peak_requested": _figure("block_live_bytes_at_peak_requested"),
    "block_bytes_total": _figure("block_bytes_total"),
    "high_water_bytes": _figure("high_water_bytes"),
    "high_water_event": _figure("high_water_event"),
    "largest_free_run_bytes": _largest_free_run,
    "largest_free_ratio": _largest_free_ratio,
    "internal_fragmentation_ratio": lambda placement: (
        1 - _ratio("peak_requested_live_bytes", "block_live_bytes_at_peak_requested")(placement)
    ),
    "external_fragmentation_ratio": _external,
    "realized_fragmentation_ratio": lambda placement: (
        _ratio("high_water_bytes", "requested_live_bytes_at_high_water")(placement) - 1
    ),
    "johnstone_wilson_1": _mean_extent,
    "johnstone_wilson_2": _ratio("extent_bytes_at_peak_requested", "peak_requested_live_bytes"),
    "johnstone_wilson_3": _ratio("high_water_bytes", "requested_live_bytes_at_high_water"),
    "johnstone_wilson_4": _ratio("high_water_bytes", "peak_requested_live_bytes"),
}
"""What a placement is asked for, by the lab's names; docs/simulate.md defines each."""
