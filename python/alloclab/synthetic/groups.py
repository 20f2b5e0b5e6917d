# SPDX-License-Identifier: MIT
"""Objects of one sort, and what a box of some of them keeps, as JSON holds it.

How the order of deaths follows that of births is kept as a rank correlation in each box: 1 is
first in, first out, -1 last in, first out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from alloclab.synthetic.columns import Floats, Ints
from alloclab.synthetic.scales import Scale

SAMPLE = 3072
"""Of a box's rows, on which cuts are chosen; what a box keeps is taken from all."""
_ANY = -0.5  # a correlation of usual length


@dataclass
class Group:
    """Objects of one sort: their columns, and the axes that boxes have in them.

    Columns `born` and `gap` count in `unit` allocations, `size_place` and `lived_place` are on
    scales, `lived` counts allocations between birth and death (or the end) and `held` bytes times
    those. Where the group `dies`, a box keeps `gap` or `lived_place`, whichever varies less in it.
    """

    name: str
    columns: dict[str, Floats]
    axes: tuple[str, ...]
    dies: bool
    unit: float
    size_scale: Scale
    lived_scale: Scale
    lived_on_scale: str

    def scale_of(self, axis: str) -> tuple[Scale, str] | None:
        """Returns the scale of an axis that is on one, and the column of the values themselves."""
        if axis == "size_place":
            return self.size_scale, "size"
        return (self.lived_scale, self.lived_on_scale) if axis == "lived_place" else None

    def is_one_value(self, axis: str, rows: Ints) -> bool:
        """Says whether these rows all have one value on an axis, wherever it stands on a scale."""
        scale = self.scale_of(axis)
        values = self.columns[scale[1] if scale else axis][rows]
        return bool(values.min() == values.max())

    def encode(self, axis: str, rows: Ints) -> Any:
        """Returns what a box of these rows keeps of an axis."""
        scale = self.scale_of(axis)
        if axis == "gap" and "exact_gap" in self.columns and self.is_one_value("exact_gap", rows):
            return _plain(float(self.columns["exact_gap"][rows[0]]))
        if scale and self.is_one_value(axis, rows):
            return _plain(scale[0].middle(int(self.columns[scale[1]][rows[0]])))
        return encode_axis(self.columns[axis][rows])


def exponent(mean_share: float) -> float:
    """Returns the p for which u**p has this mean, u uniform between 0 and 1."""
    return (1 - mean_share) / mean_share


def mean_percent(values: Floats) -> int:
    low, high = values.min(), values.max()
    return int(np.clip(round(100 * (values.mean() - low) / (high - low)), 1, 99))


def encode_axis(values: Floats) -> Any:
    """Returns what a box keeps of an axis: one number, or [lowest, how far to the highest, where
    between them the mean is, in percent].
    """
    low, high = _tidy(float(values.min())), _tidy(float(values.max()))
    if high == low:
        return _plain(low)
    return [_plain(low), _plain(_tidy(high - low)), mean_percent(values)]


def _tidy(value: float) -> float:
    """Rounds to four decimals; what is below 1 to five digits."""
    return round(value, 4) if value >= 1 else float(f"{value:.5g}")


def _plain(value: float) -> float:
    return int(value) if value == int(value) else value


def encode_box(group: Group, rows: Ints, *, is_final: bool = True) -> list[Any]:
    """Returns a box as JSON holds it: how many, each axis; of what dies whether its gap is kept or
    for how long it lived, that axis, and its rank correlation with births in percent, any one where
    only the length matters.
    """
    encoded: list[Any] = [len(rows)]
    encoded += [group.encode(axis, rows) for axis in group.axes]
    if group.dies:
        column = death_column(group, rows)
        follows = correlation(group, rows, column) if is_final else _ANY
        encoded += [
            int(column == "gap"),
            group.encode(column, rows),
            round(100 * follows),
        ]
    return encoded


def characters_of(box: list[Any]) -> int:
    """Returns how many characters of JSON a box takes, with the comma after it."""
    return len(str(box).replace(" ", "")) + 1


def death_column(group: Group, rows: Ints) -> str:
    """Returns the column of a box's deaths that varies less."""
    columns = group.columns
    if group.name.startswith("landmark"):
        return "gap" if columns["lived"][rows[0]] > group.unit else "lived_place"
    rows = rows[:: max(1, len(rows) // SAMPLE)]
    moments, lives = (columns[name][rows].std() for name in ("gap", "lived"))
    if moments == lives == 0:  # the moment is known to a birth, long lives are not
        return "gap" if columns["lived"][rows[0]] > group.unit else "lived_place"
    return "gap" if moments * group.unit < lives else "lived_place"


def correlation(group: Group, rows: Ints, column: str) -> float:
    """Returns how a column of a box follows its births: the correlation of two normal variables
    with the same rank correlation (Pearson 1907).
    """
    rows = rows[:: max(1, len(rows) // SAMPLE)]
    if len(rows) < 3:
        return 0.0
    ranks = [_ranks(group.columns[name][rows]) for name in ("exactly_born", column)]
    if ranks[0].std() == 0 or ranks[1].std() == 0:
        return 0.0
    spearman = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
    return float(2 * np.sin(np.pi * spearman / 6))


def _ranks(values: Floats) -> Floats:
    """Returns mid-ranks: ties share theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - counts / 2)[inverse], np.float64)
