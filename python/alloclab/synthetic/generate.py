# SPDX-License-Identifier: MIT
"""Makes a trace from a model: draws objects, puts their births and ends in order, writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from alloclab.synthetic.columns import LARGE_BYTES, allocated_before, Floats, Ints
from alloclab.synthetic.companions import place_large
from alloclab.synthetic.fit import GROUPS
from alloclab.synthetic.order import class_of, put_in_order
from alloclab.synthetic.sample import draw_boxes
from alloclab.synthetic.scales import scale_from_json
from alloclab.synthetic.tables import NOBODY, size_bins
from alloclab.trace_builder import TraceBuilder
from alloclab.traces import KINDS, Trace

PAGE = 4096
FLOOR = 0.1


def draw_objects(document: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    parts = []
    for name in GROUPS:
        boxes = document["boxes"][name]
        counts = np.array([box[0] for box in boxes], np.int64)
        drawn = dict(draw_boxes(rng, name, boxes, counts))
        count = len(drawn["born"])
        sort, _, fate = name.partition("_")
        drawn["is_small"] = np.full(count, sort == "small")
        drawn["is_region"] = np.full(count, sort == "region")
        drawn["is_freed"] = np.full(count, fate == "freed")
        for column in ("growth", "kept", "touched", "settled"):
            drawn.setdefault(column, np.ones(count))
        drawn.setdefault("steps", np.zeros(count))
        parts.append(drawn)
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    count = len(columns["born"])
    place = columns["born"] + rng.random(count)
    order = np.argsort(place)
    columns = {key: values[order] for key, values in columns.items()}
    place = place[order]
    scales = {name: scale_from_json(document["tables"][name]) for name in ("sizes", "lives_bytes", "lives")}
    columns["size"] = scales["sizes"].value(columns["size_place"])
    is_large = columns["size"] >= LARGE_BYTES
    others = np.flatnonzero(~is_large)
    others = others[put_in_order(rng, class_of(scales["sizes"], columns["size"][others]), document["tables"]["lifts"])]
    large = np.flatnonzero(is_large)
    slots = place_large(rng, document["tables"]["companions"], large, count)
    order = np.empty(count, np.int64)
    is_slot = np.zeros(count, np.bool_)
    is_slot[slots] = True
    order[is_slot] = large
    order[~is_slot] = others
    columns = {key: values[order] for key, values in columns.items()}
    place = place  # sorted births stand where they stood
    born = np.arange(count)
    where = columns["lived_place"]
    lived = np.where(columns["is_small"], scales["lives_bytes"].value(where), scales["lives"].value(where))
    allocated = allocated_before(columns["size"], columns["is_region"])
    large = np.flatnonzero((columns["size"] >= LARGE_BYTES) & (columns["lived_place"] >= 0))
    if len(large):
        # of large ones near each other the longest-lived come before the largest
        soon = allocated[np.minimum(large + 3, count)] - allocated[large + 1]
        window = large // 256
        lived_l = lived[large]
        size_l = columns["size"][large]
        a = np.lexsort((soon, size_l, window)); b = np.lexsort((lived_l, size_l, window))
        for key in columns:
            columns[key][large[a]] = columns[key][large[b]]
        lived[large[a]] = lived_l[b]
    # dies where the bytes allocated since are nearest, on a scale of doublings
    wanted = allocated[1:] + lived
    after = np.clip(np.searchsorted(allocated, wanted, side="left"), born + 1, count)
    below = np.clip(allocated[after - 1] - allocated[1:], 0, None)
    above = allocated[after] - allocated[1:]
    is_below = (lived.astype(float) ** 2 < np.maximum(below, FLOOR) * above.astype(float)) & (after > born + 1)
    gap = np.where(columns["is_small"], after - 1 - is_below, born + lived)
    at = np.searchsorted(place, columns["gap"] + rng.random(count)) - 1
    gap = np.where(columns["lived_place"] >= 0, gap, at)
    gap = np.clip(gap, born, count - 1)
    columns["gap"] = np.where(columns["is_freed"], gap, -1)
    return columns


def events_of(document, columns, rng):
    count = len(columns["born"])
    born = np.arange(count)
    freed = np.flatnonzero(columns["gap"] >= 0)
    # steps
    steps = np.rint(columns["steps"]).astype(np.int64)
    who = np.repeat(born, steps)
    first = np.cumsum(steps) - steps
    number = np.arange(len(who)) - np.repeat(first, steps) + 1
    life = np.where(columns["gap"] < 0, count - born, columns["gap"] - born + 1)
    tables = dict((a, b) for a, b in document["tables"]["steps"])
    settled = np.minimum(np.floor(columns["settled"] * life + rng.random(count)), life - 1).astype(np.int64)
    bins = size_bins(steps[who])
    share = np.ones(len(who))
    known = np.array(sorted(tables))
    earlier = number < steps[who]
    for b in np.unique(bins[earlier]):
        q = tables[int(known[np.argmin(abs(known - b))])]
        m = (bins == b) & earlier
        share[m] = np.interp(rng.random(m.sum()), np.linspace(0, 1, len(q)), q)
    step_gap = born[who] + np.floor(share * (settled[who] + 1 - 1e-6)).astype(np.int64)
    step_gap[~earlier] = (born + settled)[who[~earlier]]
    step_gap = step_gap[np.lexsort((step_gap, who))]
    size = columns["size"][who].astype(float)
    most = np.maximum(size, 1) * columns["growth"][who]
    last = most * columns["kept"][who]
    total = steps[who]
    shrinks = last < most - 0.5
    up = np.where(shrinks & (most > size + 0.5), total - 1, total)
    up = np.maximum(up, 1)
    target = np.where(most > size + 0.5, most, last)
    path = np.maximum(size, 1) * (np.maximum(target, 1) / np.maximum(size, 1)) ** (np.minimum(number, up) / up)
    new = np.where((number == total), last, path)
    new = np.rint(new).astype(np.int64)
    nulls = document["tables"]["nulls"]
    null_gap = np.floor(np.interp(rng.random(document["tables"]["null_frees"]), np.linspace(0, 1, len(nulls)), nulls) * count).astype(np.int64) if nulls else np.zeros(0, int)
    null_gap = np.minimum(null_gap, max(count - 1, 0))
    kind = np.concatenate([
        np.where(columns["is_region"], KINDS["map"], KINDS["allocate"]),
        np.full(len(who), KINDS["reallocate"]),
        np.where(columns["is_region"][freed], KINDS["unmap"], KINDS["free"]),
        np.full(len(null_gap), KINDS["free_null"])])
    obj = np.concatenate([born, who, freed, np.zeros(len(null_gap), int)])
    sizes = np.concatenate([columns["size"], new, np.zeros(len(freed), int), np.zeros(len(null_gap), int)])
    gaps = np.concatenate([born, step_gap, columns["gap"][freed], null_gap])
    sub = np.concatenate([np.zeros(count), 1 + rng.random(len(who)), 2 + rng.random(len(freed)), 3 * rng.random(len(null_gap))+0.001])
    # in one object order of steps in one gap does not matter except sizes: sort by number
    sub[count:count + len(who)] = 1 + number / (number + 1.0)
    sub[count + len(who):count + len(who) + len(freed)] = 2 + 1 - (freed + 1) / (count + 1)  # LIFO
    order = np.lexsort((sub, gaps))
    touched = np.concatenate([columns["touched"], columns["touched"][who], np.ones(len(freed) + len(null_gap))])
    return {"kind": kind[order], "object": obj[order], "size": sizes[order], "touched": touched[order]}


def generate(document, seed, path) -> Trace:
    rng = np.random.default_rng(seed)
    columns = draw_objects(document, rng)
    ev = events_of(document, columns, rng)
    with TraceBuilder(path, image=document["name"]) as builder:
        builder.append(kind=ev["kind"], object=ev["object"], size=ev["size"])
        large = np.flatnonzero((ev["size"] >= LARGE_BYTES) & np.isin(ev["kind"], [KINDS["allocate"], KINDS["reallocate"], KINDS["map"]]))
        pages = ev["size"][large] // PAGE + 1
        at = np.rint(pages * ev["touched"][large]).astype(np.int64)
        builder.set_touched({"event": large, "pages": pages, "resident_at_birth": np.zeros(len(large), int), "resident_at_death": at, "is_prefix": np.ones(len(large), bool)})
        return builder.finish()
