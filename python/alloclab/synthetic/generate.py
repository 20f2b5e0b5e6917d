# SPDX-License-Identifier: MIT
"""Makes a trace from a model's document: draws objects, puts their events in order, writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from alloclab.errors import UsageError
from alloclab.synthetic import attributes
from alloclab.synthetic.chains import draw_steps
from alloclab.synthetic.columns import LARGE_BYTES, Ints
from alloclab.synthetic.draw import draw_objects, scaled_counts
from alloclab.synthetic.fit import position_unit
from alloclab.synthetic.lives import order_births, place_deaths
from alloclab.synthetic.scales import scale_from_json
from alloclab.synthetic.timeline import fit_events, order_events
from alloclab.trace_builder import TraceBuilder
from alloclab.traces import KINDS, Trace

MAX_EVENTS = 1 << 31
_PAGE_BYTES = 4096
_BATCH = 1 << 20
_ALIGNED_CALLS = (4, 5, 6)  # posix_memalign, aligned_alloc, memalign


def generate(document: Mapping[str, Any], events: int, seed: int, path: str | Path) -> Trace:
    """Writes a trace of exactly so many events; see `Model.generate`."""
    if not 0 <= events <= MAX_EVENTS:
        raise UsageError(f"a model generates 0 to {MAX_EVENTS:,} events, not {events:,}")
    rng = np.random.default_rng(seed)
    tables = document["tables"]
    columns, gap, steps, null_frees = _draw(rng, document, events)
    count = len(gap)
    null_gap = attributes.spread(rng, tables["nulls"], null_frees, count)
    rows = order_events(rng, columns, gap, steps, null_gap, tables["lifo_percent"] / 100)
    origin = {"generator": "alloclab model", "model": document["name"], "seed": seed}
    with TraceBuilder(path, image=document["name"], origin=origin) as builder:
        _append(builder, rows, columns, tables["clock_ns"])
        if document["has_touched"]:
            builder.set_touched(_touched(rows, columns))
        return builder.finish()


def _draw(
    rng: np.random.Generator, document: Mapping[str, Any], events: int
) -> tuple[dict[str, Any], Ints, tuple[Ints, Ints, Ints], int]:
    """Draws objects in the order of their births, their gaps and their reallocations."""
    tables = document["tables"]
    scales = {name: scale_from_json(tables[name]) for name in ("sizes", "lives_bytes", "lives")}
    positions = document["births"] / position_unit(document["births"])
    factor = events / max(document["events"], 1)
    drawn = draw_objects(rng, document["boxes"], scaled_counts(document["boxes"], factor))
    if len(drawn["born"]) == 0:
        columns, place = {**drawn, "size": np.zeros(0, np.int64)}, np.zeros(0)
    else:
        columns, place = order_births(rng, drawn, scales["sizes"], tables, positions)
    gap = place_deaths(rng, columns, place, scales["sizes"], scales["lives_bytes"], scales["lives"])
    if columns["steps"].sum() > 2 * events + 100:
        raise UsageError("the model has more reallocations than events")
    steps = draw_steps(rng, columns, gap, tables["steps"], tables["rungs"])
    gap, steps, null_frees = fit_events(rng, gap, steps, events, tables["null_frees"] > 0)
    size, calls = columns["size"], np.zeros(len(gap), np.int64)
    calls, alignment = attributes.draw_calls(rng, size, tables["calls"])
    columns["call"], columns["alignment"] = calls, alignment
    columns["is_zeroed"] = attributes.draw_zeroed(rng, calls, tables["zeroed"])
    columns["thread"] = attributes.draw_threads(
        rng, len(gap), tables["threads"], tables["thread_changes"]
    )
    columns["freeing"] = attributes.draw_freeing_threads(
        rng, columns["thread"], tables["handovers"]
    )
    return columns, gap, steps, null_frees


def _append(
    builder: TraceBuilder, rows: Mapping[str, Any], columns: Mapping[str, Any], clock: list[int]
) -> None:
    """Appends all events in batches, as wide columns of few rows."""
    events = len(rows["kind"])
    for begin in range(0, events, _BATCH):
        kind, source = (rows[key][begin : begin + _BATCH] for key in ("kind", "source"))
        if len(columns["size"]) == 0:
            builder.append(kind=kind)
            continue
        is_birth = kind == KINDS["allocate"]
        call = np.where(is_birth, columns["call"][source], 0)
        is_aligned = is_birth & np.isin(call, _ALIGNED_CALLS)
        ends = (kind == KINDS["free"]) | (kind == KINDS["reallocate_zero"])
        thread = np.where(ends, columns["freeing"][source], columns["thread"][source])
        at = np.linspace(0, 1, len(clock)) * max(events - 1, 1)
        number = np.arange(begin, begin + len(kind))
        builder.append(
            kind=kind,
            call=call,
            thread=thread,
            object=rows["object"][begin : begin + _BATCH],
            size=rows["size"][begin : begin + _BATCH],
            alignment=np.where(is_aligned, columns["alignment"][source], 0),
            time_ns=np.interp(number, at, clock).astype(np.uint64) if clock else None,
        )


def _touched(rows: Mapping[str, Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the touched table: a row for each event that gives a large block its size."""
    sizing = np.isin(rows["kind"], [KINDS[name] for name in ("allocate", "reallocate", "map")])
    event = np.flatnonzero(sizing & (rows["size"] >= LARGE_BYTES))
    pages = rows["size"][event] // _PAGE_BYTES + 1
    share = np.clip(columns["touched"][rows["source"][event]], 0.0, 1.0)
    return {
        "event": event,
        "pages": pages,
        "resident_at_birth": np.zeros(len(event), np.int64),
        "resident_at_death": np.rint(pages * share).astype(np.int64),
        "is_prefix": np.ones(len(event), np.bool_),
    }
