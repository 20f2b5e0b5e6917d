# SPDX-License-Identifier: MIT
"""What a metric is: its unit, where it comes from, and how it is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alloclab.errors import NotMeasured
from alloclab.replay.parts import Parts


@dataclass(frozen=True)
class Metric:
    """A metric: its unit, whether a repeat must give it to the bit, and how it is computed.

    `part` is the measurement it comes from; a run that was not asked for it does not have the
    metric. "kernel" is the templated path, which only the lab's own allocators have. `order` is the
    one the metric is of, where it means nothing in the other.
    """

    unit: str
    is_deterministic: bool
    compute: Callable[[Parts], list[float] | list[int]]
    meaning: str
    part: str = "any"
    order: str = "any"

    def applies(self, parts: Parts) -> bool:
        """Whether the run was asked for it, answered or not."""
        taken = {*parts.answers, *parts.declined}
        wanted = {"footprint": {"time", "timeline"}}.get(self.part, {self.part})
        if self.order not in ("any", parts.order):
            return False
        return self.part == "any" or bool(wanted & taken)

    def samples(self, parts: Parts) -> list[float] | list[int]:
        if self.order not in ("any", parts.order):
            raise NotMeasured(f"it is of {self.order} order, and this was {parts.order}")
        return self.compute(parts)
