# SPDX-License-Identifier: MIT
"""Replays a trace on an allocator written in Python, and returns where it placed every block."""

from __future__ import annotations

from typing import Any

from alloclab.errors import SimulationError, UsageError
from alloclab.simulate.compiled import Compiled, is_compiled, njit_allocator
from alloclab.simulate.contract import SimulatedAllocator, instance_of
from alloclab.simulate.interpreted import Interpreted
from alloclab.simulate.placement import PLACEMENT_METRICS, Placement
from alloclab.simulate.real import placement
from alloclab.simulate.rows import Rows, block_at, judge
from alloclab.simulate.steps import Source, steps_of
from alloclab.units import parse_bytes

__all__ = [
    "PLACEMENT_METRICS",
    "Placement",
    "SimulatedAllocator",
    "Source",
    "njit_allocator",
    "placement",
    "simulate",
]

# Blocks are looked at for overlaps whenever this many times the events of the last look have
# passed: an allocator that goes wrong early does not run to the end on damaged books.
_LOOK_AGAIN_FACTOR = 64
_FIRST_LOOK_EVENTS = 1 << 16


def simulate(
    trace: Source,
    allocator: Any,
    *,
    events: int | None = None,
    address_space: str | int = "128 TiB",
    label: str | None = None,
) -> Placement:
    """Replays a trace on an allocator written in Python and returns where its blocks stood.

    Everything the allocator does is checked: what it returns is an offset, aligned as asked for,
    inside the address space, and no two live blocks share a byte. The same events and the same
    allocator give the same placement; nothing is timed.

    Args:
        trace: a trace, its path, or steps: ("allocate", name, size[, alignment]), ("free", name),
            ("reallocate", name, size), ("reset",).
        allocator: an object with `allocate` and `deallocate` (see `SimulatedAllocator`), or a class
            that makes one without arguments. Its `reset` is called first, where it has one.
        events: replay only so many.
        address_space: how large the simulated address space is.
        label: what the placement calls the allocator; by default, its class's name.

    Raises:
        SimulationError: the allocator broke its contract; names the event and the blocks.
        TraceError: the trace is damaged.
        UsageError: no allocator, no step.

    Example:
        >>> class Bump:
        ...     top = 0
        ...     def allocate(self, size, alignment):
        ...         offset = -(-self.top // alignment) * alignment
        ...         self.top = offset + size
        ...         return offset
        ...     def deallocate(self, offset):
        ...         pass
        >>> steps = [("allocate", "a", 24), ("free", "a"), ("allocate", "b", 8)]
        >>> simulate(steps, Bump())["high_water_bytes"]
        40
    """
    allocator = instance_of(allocator)
    space = parse_bytes(address_space)
    if not 0 < space <= 1 << 62:
        raise UsageError(f"an address space has 1 to 2^62 bytes, not {space}")
    name, stretches, expected_rows = steps_of(trace, events)
    rows = Rows(expected_rows)
    kind = Compiled if is_compiled(allocator) else Interpreted
    driver = kind(allocator, space, rows)
    seen, next_look = 0, _FIRST_LOOK_EVENTS
    for steps in stretches:
        problem = driver.run(steps)
        seen = steps.first_event + len(steps)
        if problem is not None or seen >= next_look:
            _look(rows, seen, problem)
            next_look = _LOOK_AGAIN_FACTOR * seen
    figures = _look(rows, seen, None)
    return Placement(name, label or type(allocator).__name__, seen, rows.filled(), _figures=figures)


def _look(rows: Rows, events: int, problem: SimulationError | None) -> dict[str, Any]:
    """Raises the first thing that went wrong, an overlap or else the problem; else the figures."""
    columns = rows.filled()
    overlap, figures, _ = judge(columns, events)
    if overlap is not None:
        row, other = overlap
        raise SimulationError(
            "overlapping blocks",
            event=int(columns["birth"][row]),
            block=block_at(columns, row),
            other=block_at(columns, other),
        )
    if problem is not None:
        raise problem
    return figures
