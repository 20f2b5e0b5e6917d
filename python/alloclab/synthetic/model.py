# SPDX-License-Identifier: MIT
"""A model of how a program uses its heap: fitted to a trace, kept as JSON, generated from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alloclab.synthetic.columns import LARGE_BYTES, read_heap
from alloclab.synthetic.companions import fit_companions
from alloclab.synthetic.fit import fit_boxes, fit_scales
from alloclab.synthetic.order import fit_lifts
from alloclab.synthetic.tables import fit_tables
from alloclab.traces import Trace, open_trace

MAX_JSON_BYTES = 65_536
FORMAT = "alloclab-model-1"


@dataclass(frozen=True)
class Model:
    document: Mapping[str, Any]

    def to_json(self) -> str:
        return json.dumps(self.document, separators=(",", ":"))


def model(trace: Trace | str | Path) -> Model:
    """Fits a model to a trace."""
    heap = read_heap(trace if isinstance(trace, Trace) else open_trace(trace))
    name = trace.name if isinstance(trace, Trace) else Path(trace).stem
    scales = fit_scales(heap)
    document = {
        "format": FORMAT,
        "name": name,
        "births": heap.births,
        "events": heap.events,
        "left_out": heap.left_out,
        "has_touched": True,
        "tables": {
            **fit_tables(heap),
            **{name: scale.to_json() for name, scale in scales.items()},
            "lifts": fit_lifts(
                scales["sizes"], heap.objects["size"][heap.objects["size"] < LARGE_BYTES]
            ),
            "companions": fit_companions(heap.objects["size"]),
        },
    }
    used = len(json.dumps(document, separators=(",", ":")))
    boxes = fit_boxes(heap, scales, MAX_JSON_BYTES - used - 1000)
    return Model({**document, "boxes": boxes})
