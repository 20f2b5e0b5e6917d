# SPDX-License-Identifier: MIT
"""Checks a model's JSON before anything is drawn from it: it comes from outside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from alloclab.errors import Error
from alloclab.synthetic.fit import GROUPS, group_axes
from alloclab.synthetic.order import CLASSES, LAGS
from alloclab.synthetic.scales import LENGTH

FORMAT = "alloclab-model-1"
MAX_JSON_BYTES = 65_536
_MAX_NUMBER = 2**48  # of bytes, objects, nanoseconds: more is no run
_MAX_THREAD = 2**20
_CALLS = 9


def check_document(text: str) -> dict[str, Any]:
    """Returns the document of a model, every part of it checked.

    Raises:
        Error: "model: PLACE: what is wrong".
    """
    if len(text) > MAX_JSON_BYTES:
        _fail("", f"{len(text):,} characters of JSON; a model has at most {MAX_JSON_BYTES:,}")
    try:
        document = json.loads(text, parse_constant=lambda name: _fail("", f"{name} is no number"))
    except (ValueError, RecursionError) as error:
        _fail("", f"not JSON: {error}")
    if not isinstance(document, dict):
        _fail("", "not a JSON object")
    if document.get("format") != FORMAT:
        _fail("format", f"{str(document.get('format'))[:60]!r}, not {FORMAT!r}")
    if not isinstance(document.get("name"), str):
        _fail("name", "no string")
    for name in ("births", "events"):
        _number(document.get(name), name, 0, _MAX_NUMBER)
    if document["births"] > document["events"]:
        _fail("births", f"{document['births']} objects in {document['events']} events")
    if not isinstance(document.get("has_touched"), bool):
        _fail("has_touched", "neither true nor false")
    for kind, count in _table(document.get("left_out"), "left_out").items():
        _number(count, f"left_out.{kind}", 0, _MAX_NUMBER)
    _check_tables(_table(document.get("tables"), "tables"))
    _check_boxes(_table(document.get("boxes"), "boxes"), document["births"])
    if document["births"] and not document["tables"]["sizes"]:
        _fail("tables.sizes", "empty, though there are objects")
    return document


def _fail(place: str, reason: str) -> NoReturn:
    raise Error(f"model: {place}: {reason}" if place else f"model: {reason}")


def _table(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        _fail(place, "missing, or not an object")
    return value


def _list(value: Any, place: str, length: int | None = None) -> list[Any]:
    if not isinstance(value, list):
        _fail(place, "missing, or not a list")
    if length is not None and len(value) != length:
        _fail(place, f"{len(value)} values, not {length}")
    return value


def _number(value: Any, place: str, least: float, most: float, *, whole: bool = True) -> float:
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        _fail(place, f"no {'whole ' if whole else ''}number: {str(value)[:40]}")
    if not least <= value <= most:
        _fail(place, f"{value} is not from {least:,} to {most:,}")
    return float(value)


def _rows(value: Any, place: str, limits: list[tuple[int, int]]) -> list[Any]:
    """Checks a list of rows of whole numbers within these limits, column by column."""
    for index, row in enumerate(_list(value, place)):
        for column, (least, most) in enumerate(limits):
            inside = f"{place}[{index}]"
            _number(_list(row, inside, len(limits))[column], inside, least, most)
    return list(value)


def _check_scale(value: Any, place: str) -> None:
    end, width = -1.0, 0.0
    for index, row in enumerate(
        _rows(value, place, [(0, _MAX_NUMBER), (0, _MAX_NUMBER), (0, 200 * LENGTH)])
    ):
        if row[0] <= end:
            _fail(f"{place}[{index}]", f"{row[0]} does not come after {end:.0f}")
        end = row[0] + row[1]
        width += row[2] / 100
    if value and not 0.9 * LENGTH <= width <= 1.1 * LENGTH:
        _fail(place, f"it is {width:,.0f} long, not {LENGTH:,}")


def _check_tables(tables: Mapping[str, Any]) -> None:
    for name in ("sizes", "lives_bytes", "lives"):
        _check_scale(tables.get(name), f"tables.{name}")
    some, thread = (1, _MAX_NUMBER), (0, _MAX_THREAD)
    _rows(tables.get("calls"), "tables.calls", [(0, 64), (0, _CALLS - 1), (0, 2**40), some])
    for index, (_, _, alignment, _) in enumerate(tables["calls"]):
        if alignment & (alignment - 1):
            _fail(f"tables.calls[{index}]", f"an alignment of {alignment} is no power of two")
    _rows(tables.get("zeroed"), "tables.zeroed", [(0, _CALLS - 1), (0, 1), some])
    _rows(tables.get("handovers"), "tables.handovers", [thread, thread, some])
    for index, part in enumerate(_list(tables.get("threads"), "tables.threads")):
        _rows(part, f"tables.threads[{index}]", [thread, some])
    _number(tables.get("thread_changes"), "tables.thread_changes", 0, 1, whole=False)
    _number(tables.get("lifo_percent"), "tables.lifo_percent", 0, 100)
    _number(tables.get("null_frees"), "tables.null_frees", 0, _MAX_NUMBER)
    _quantiles(tables.get("nulls"), "tables.nulls", 1.0)
    _quantiles(tables.get("clock_ns"), "tables.clock_ns", 2**63)
    for index, row in enumerate(_list(tables.get("steps"), "tables.steps")):
        place = f"tables.steps[{index}]"
        _number(_list(row, place, 2)[0], place, 0, 64)
        if not _quantiles(row[1], place, 1.0):
            _fail(place, "empty")
    _check_rungs(tables.get("rungs"))
    for lag, lifts in enumerate(_list(tables.get("lifts"), "tables.lifts", len(LAGS))):
        for index, row in enumerate(_list(lifts, f"tables.lifts[{lag}]")):
            place = f"tables.lifts[{lag}][{index}]"
            for value in _list(row, place, CLASSES):
                _number(value, place, 0, _MAX_NUMBER, whole=False)
        if len(lifts) not in (0, CLASSES):
            _fail(f"tables.lifts[{lag}]", f"{len(lifts)} rows, not {CLASSES}")
    if len({len(lifts) for lifts in tables["lifts"]}) > 1:
        _fail("tables.lifts", "some empty, some not")
    companions = _table(tables.get("companions"), "tables.companions")
    _rows(companions.get("distances"), "tables.companions.distances", [(1, 2**20), some])
    for name in ("near_again", "near_at_once"):
        place = f"tables.companions.{name}"
        near, of = _rows([companions.get(name)], place, [(0, _MAX_NUMBER), (0, _MAX_NUMBER)])[0]
        if near > of:
            _fail(place, f"{near} of {of}")


def _check_rungs(value: Any) -> None:
    last = -1
    for index, row in enumerate(_list(value, "tables.rungs")):
        place = f"tables.rungs[{index}]"
        bits, total, rows = _list(row, place, 3)
        last = int(_number(bits, place, last + 1, 64))
        _number(total, place, 1, _MAX_NUMBER)
        some = (1, _MAX_NUMBER)
        if sum(row[1] for row in _rows(rows, place, [some, some])) > total:
            _fail(place, f"more than the {total:,} it is of")


def _quantiles(value: Any, place: str, most: float) -> list[Any]:
    last = 0.0
    for each in _list(value, place):
        last = _number(each, place, last, most, whole=False)
    return list(value)


def _check_axis(axis: Any, place: str, most: float) -> None:
    if not isinstance(axis, list):
        _number(axis, place, 0, most, whole=False)
        return
    low, width, percent = _list(axis, place, 3)
    _number(low, place, 0, most, whole=False)
    _number(width, place, 0, most, whole=False)
    _number(percent, place, 1, 99)


_AXIS_LIMITS: Mapping[str, float] = {
    "born": 20_000,
    "size_place": 1.1 * LENGTH,
    "growth": _MAX_NUMBER,
    "kept": 1,
    "steps": _MAX_NUMBER,
    "settled": 1,
    "touched": 1,
}


def _check_boxes(boxes: Mapping[str, Any], births: int) -> None:
    total = 0
    for name in GROUPS:
        axes, dies = group_axes(name)
        for index, box in enumerate(_list(boxes.get(name), f"boxes.{name}")):
            place = f"boxes.{name}[{index}]"
            length = 1 + len(axes) + 3 * dies
            _list(box, place, length)
            total += int(_number(box[0], place, 1, _MAX_NUMBER))
            for axis, encoded in zip(axes, box[1:], strict=False):
                _check_axis(encoded, f"{place}, {axis}", _AXIS_LIMITS[axis])
            if dies:
                _number(box[-3], place, 0, 1)
                _check_axis(box[-2], f"{place}, its end", 20_000)
                _number(box[-1], place, -100, 100)
    if total != births:
        _fail("boxes", f"they hold {total:,} objects, not {births:,}")
