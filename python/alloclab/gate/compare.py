# SPDX-License-Identifier: MIT
"""What differs between measured figures and a baseline, within which tolerance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alloclab.errors import UsageError
from alloclab.gate.baseline import Value
from alloclab.units import parse_bytes

Tolerance = float | str


@dataclass(frozen=True)
class Difference:
    """One metric that is not what the baseline says; None stands for absent."""

    metric: str
    baseline: Value | None
    measured: Value | None
    allowed: Tolerance = 0.0

    def __str__(self) -> str:
        if self.baseline is None:
            return f"{self.metric}: measured {self.measured}, not in the baseline"
        if self.measured is None:
            return f"{self.metric}: baseline {self.baseline}, not measured by this run"
        line = f"{self.metric}: baseline {self.baseline}, measured {self.measured}"
        if isinstance(self.baseline, str) or isinstance(self.measured, str):
            return line
        change = self.measured - self.baseline
        line += f" ({change:+.6g}"
        if self.baseline:
            line += f", {100 * change / abs(self.baseline):+.3g} %"
        return line + f"; allowed {_spelt(self.allowed)})"


def differences(
    baseline: Mapping[str, Value],
    measured: Mapping[str, Value],
    tolerances: Mapping[str, Tolerance],
) -> list[Difference]:
    """Returns what differs, sorted by metric. A better figure differs too: a baseline that no
    longer says what is measured would let the next regression pass.

    Args:
        tolerances: by metric, a share of the baseline's value (0.02 is 2 % either way) or a
            size ("64 KiB"); metrics not named must be equal.
    Raises:
        UsageError: a tolerance for a metric that is in neither, or one that makes no sense.
    """
    for metric, allowed in tolerances.items():
        if metric not in baseline and metric not in measured:
            raise UsageError(f"tolerance for {metric}: there is no such metric in this run")
        _bound(0, metric, allowed)
    found = []
    for metric in sorted({*baseline, *measured}):
        old, new = baseline.get(metric), measured.get(metric)
        allowed = tolerances.get(metric, 0.0)
        if old is None or new is None or not _is_within(metric, old, new, allowed):
            found.append(Difference(metric, old, new, allowed))
    return found


def _is_within(metric: str, old: Value, new: Value, allowed: Tolerance) -> bool:
    if isinstance(old, str) or isinstance(new, str):
        return old == new
    return old == new or abs(new - old) <= _bound(old, metric, allowed)


def _bound(old: float, metric: str, allowed: Tolerance) -> float:
    if isinstance(allowed, str):
        return parse_bytes(allowed)
    if isinstance(allowed, bool) or not 0 <= allowed < 1:
        raise UsageError(
            f'tolerance for {metric}: {allowed!r} is neither a share below 1 nor a size ("64 KiB")'
        )
    return abs(old) * allowed


def _spelt(allowed: Tolerance) -> str:
    if isinstance(allowed, str):
        return allowed
    return f"{100 * allowed:g} %" if allowed else "nothing"
