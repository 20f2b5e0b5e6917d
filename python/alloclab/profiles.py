# SPDX-License-Identifier: MIT
"""What a program does with its heap: how large its blocks are, how long they live, whose they are.

The figures by which Berger, Zorn and McKinley describe programs ("Composing High-Performance Memory
Allocators", PLDI 2001; "Reconsidering Custom Memory Allocation", OOPSLA 2002) are `TraceRow`s of
`alloclab.trace_table`; here are the distributions behind them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alloclab.concurrency import Concurrency, concurrency
from alloclab.distributions import Distribution, distribution
from alloclab.errors import NotMeasured
from alloclab.lifetimes import lived_bytes
from alloclab.trace_table import TraceRow, Workload, opened, trace_row
from alloclab.traces import Chunk
from alloclab.units import exact_bytes, format_bytes, format_count, format_ratio

Columns = Mapping[str, npt.NDArray[Any]]
_CLASS_LIMITS = np.array([0, *(1 << power for power in range(63))], np.int64)  # no size is larger


class ProfiledTrace(Protocol):
    """What is profiled: a trace, or whatever else has its columns."""

    @property
    def name(self) -> str: ...

    def summary(self) -> Mapping[str, int]: ...

    def objects(self) -> Columns: ...

    def chunks(self) -> Iterator[Chunk]: ...


@dataclass(frozen=True)
class SizeClass:
    """The blocks of more than half of `most_bytes` and at most that: a power of two, or 0.

    Attributes:
        objects, bytes: how many there are, and what they were first asked for together.
        objects_ratio, bytes_ratio: the same as shares of all blocks.
    """

    most_bytes: int
    objects: int
    bytes: int
    objects_ratio: float
    bytes_ratio: float


@dataclass(frozen=True)
class Profile:
    """What one program did with its heap. Blocks only: what it mapped itself is left out.

    Attributes:
        name: the program's, or the workload's.
        row: its line of the trace table.
        sizes: bytes of a block, as first asked for; each block counts once.
        sizes_by_bytes: the same, each block counting with its size: half of all bytes are in blocks
            of `sizes_by_bytes.median` or less. NotMeasured where all are empty.
        classes: the blocks by power of two, those that have any.
        lifetimes: of the freed blocks, in bytes that the program allocated between birth and death.
            NotMeasured where none was freed.
        never_freed_ratio: the share of blocks alive at the end.
        concurrency: whose calls there were, and what crossed from thread to thread.
    """

    name: str
    row: TraceRow
    sizes: Distribution
    sizes_by_bytes: Distribution | NotMeasured
    classes: tuple[SizeClass, ...]
    lifetimes: Distribution | NotMeasured
    never_freed_ratio: float
    concurrency: Concurrency

    def __str__(self) -> str:
        sizes, by_bytes, lived = self.sizes, self.sizes_by_bytes, self.lifetimes
        lines = [
            f"{self.name}: {format_count(self.row.objects)} blocks, half of them of at most "
            f"{format_bytes(sizes.median)}, 99 of 100 of {format_bytes(sizes.quantile(0.99))}"
        ]
        if isinstance(by_bytes, Distribution):
            lines.append(f"half of all bytes in blocks of at most {format_bytes(by_bytes.median)}")
        if isinstance(lived, Distribution):
            lines.append(
                f"half of those freed lived for at most {format_bytes(lived.median)} of "
                f"allocation, 99 of 100 for {format_bytes(lived.quantile(0.99))}"
            )
        lines.append(f"{format_ratio(self.never_freed_ratio)} were never freed")
        return "\n".join([*lines, str(self.concurrency)])

    def size_table(self) -> str:
        """Returns blocks and bytes by power of two as an aligned text table."""
        cells = [["at most", "blocks", "share", "bytes", "share"]]
        cells += [
            [
                exact_bytes(each.most_bytes),
                format_count(each.objects),
                format_ratio(each.objects_ratio),
                format_bytes(each.bytes),
                format_ratio(each.bytes_ratio),
            ]
            for each in self.classes
        ]
        widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in cells
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the profile as plain JSON values, what was not measured as its reason."""

        def spread(part: Distribution | NotMeasured) -> Any:
            if isinstance(part, NotMeasured):
                return {"not_measured": part.reason}
            return {"quantiles": list(part.quantiles)}

        return {
            "schema": 1,
            "kind": "profile",
            "name": self.name,
            "row": self.row.to_json(),
            "sizes": spread(self.sizes),
            "sizes_by_bytes": spread(self.sizes_by_bytes),
            "classes": [asdict(each) for each in self.classes],
            "lifetimes": spread(self.lifetimes),
            "never_freed_ratio": self.never_freed_ratio,
            "concurrency": asdict(self.concurrency),
        }


def profile(source: ProfiledTrace | Workload | str | os.PathLike[str]) -> Profile:
    """Returns what a program does with its heap.

    Args:
        source: a trace; or its path or a workload of the shelf, which is opened.

    Raises:
        NotMeasured: the trace has no block.
        TraceError: the trace is damaged.

    Cost: decodes the whole trace twice and sorts its objects, about 0.3 s for a million of them.
    """
    name, trace = opened(source)
    objects = trace.objects()
    is_block = np.asarray(objects["is_region"]) == 0
    size = objects["size"][is_block].astype(np.int64)
    if not size.size:
        raise NotMeasured(f"{name}: the trace has no block")
    return Profile(
        name=name,
        row=trace_row(name, trace.summary()),
        sizes=distribution(size),
        sizes_by_bytes=_spread(size, "no block has any bytes", is_weighted=True),
        classes=tuple(_classes(size)),
        lifetimes=_spread(lived_bytes(objects), "no block was freed"),
        never_freed_ratio=float((objects["death"][is_block] < 0).mean()),
        concurrency=concurrency(trace.chunks(), objects),
    )


def _spread(
    values: npt.NDArray[np.int64], reason: str, *, is_weighted: bool = False
) -> Distribution | NotMeasured:
    try:
        return distribution(values, is_weighted=is_weighted)
    except NotMeasured:
        return NotMeasured(reason)


def _classes(size: npt.NDArray[np.int64]) -> Iterator[SizeClass]:
    place = np.searchsorted(_CLASS_LIMITS, size, side="left")
    count = np.bincount(place, minlength=len(_CLASS_LIMITS))
    total = np.bincount(place, size, len(_CLASS_LIMITS)).astype(np.int64)
    whole = max(int(total.sum()), 1)
    for at in np.flatnonzero(count):
        number, bytes_ = int(count[at]), int(total[at])
        limit = int(_CLASS_LIMITS[at])
        yield SizeClass(limit, number, bytes_, number / len(size), bytes_ / whole)
