# SPDX-License-Identifier: MIT
"""The committed file of a check: one JSON object, sorted, one metric a line, so that a diff of it
reads as the change it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from alloclab.errors import UsageError

Value = int | float | str


def read_baseline(path: Path) -> dict[str, Value] | None:
    """Returns what the file holds, or None when there is no such file.

    Raises:
        UsageError: it is not one JSON object of numbers and strings; names file and place.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        values = json.loads(content.decode(), object_pairs_hook=_without_duplicates)
    except ValueError as error:  # also what is not UTF-8
        raise UsageError(f"{path}: not a baseline: {error}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path}: not a baseline: expected one object")
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise UsageError(f"{path}: not a baseline: {name} is {value!r}, not a number")
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{path}: not a baseline: {name} is {value!r}")
    return values


def write_baseline(path: Path, values: Mapping[str, Value]) -> None:
    """Writes the file, making its folders; the same values give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(values), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _without_duplicates(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    # A bad merge leaves a metric twice; Python would silently take the last.
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"named twice: {', '.join(twice)}")
    return values
