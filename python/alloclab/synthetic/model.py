# SPDX-License-Identifier: MIT
"""A model of how a program uses its heap: fitted to a trace, kept as JSON, generated from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alloclab.synthetic.columns import LARGE_BYTES, Heap, read_heap
from alloclab.synthetic.companions import fit_companions
from alloclab.synthetic.document import FORMAT, MAX_JSON_BYTES, check_document
from alloclab.synthetic.fit import fit_boxes, fit_scales
from alloclab.synthetic.generate import generate
from alloclab.synthetic.order import fit_lifts
from alloclab.synthetic.tables import fit_tables
from alloclab.traces import Trace, open_trace
from alloclab.units import format_bytes

_RESERVE = 600  # characters between the estimate of what boxes take and what they take


@dataclass(frozen=True)
class Model:
    """How a program uses its heap: sizes, lifetimes and their order, as distributions.

    Made by `alloclab.model` or `from_json`. Immutable; the same model, events and seed give the
    same trace, byte for byte, with one version of NumPy.
    """

    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The program's name."""
        return str(self.document["name"])

    @property
    def events(self) -> int:
        """Events of the trace that the model was fitted to, less those of `left_out`."""
        return int(self.document["events"])

    @property
    def left_out(self) -> Mapping[str, int]:
        """Events of that trace that have no counterpart in a model, by kind."""
        return dict(self.document["left_out"])

    def generate(self, events: int | None, seed: int, path: str | Path) -> Trace:
        """Writes a trace that this model makes, and opens it.

        Args:
            events: how many, exactly; None for as many as the model has. Another number stretches
                the run: lives within a phase stay as long, what lives through phases becomes
                more, so that live bytes grow with the number of events.
            seed: which of all traces of the model. Any whole number from 0 on.
            path: of the trace.

        Raises:
            UsageError: fewer events than none, or more than 2^31.
            Error: the file cannot be written.

        Cost: 1 to 5 us and some 200 bytes of memory an event.
        """
        return generate(self.document, self.events if events is None else events, seed, path)

    def to_json(self) -> str:
        """Returns the model as JSON, at most 64 KiB of it."""
        return json.dumps(self.document, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Model:
        """Returns the model that `to_json` wrote.

        Raises:
            Error: the text is no model; says which part is not what it should be.
        """
        return Model(check_document(text))

    def __str__(self) -> str:
        boxes = sum(len(each) for each in self.document["boxes"].values())
        return (
            f"{self.name}: {self.events:,} events, {self.document['births']:,} objects in "
            f"{boxes:,} boxes, {format_bytes(len(self.to_json()))} of JSON"
        )

    def __repr__(self) -> str:
        return f"<Model {self}>"


def model(trace: Trace | str | Path) -> Model:
    """Fits a model to a trace, or to the trace in a file.

    The fit draws nothing by chance that a caller could seed: a trace has one model.

    Cost: 4 to 13 us an object; 400 bytes of memory an object.

    Raises:
        TraceError: the trace is damaged.
    """
    opened = trace if isinstance(trace, Trace) else open_trace(trace)
    heap = read_heap(opened)
    scales = fit_scales(heap)
    document = {
        "format": FORMAT,
        "name": opened.name[:200],
        "births": heap.births,
        "events": heap.events,
        "left_out": heap.left_out,
        "has_touched": heap.has_touched,
        "tables": {
            **{name: scale.to_json() for name, scale in scales.items()},
            **_order_tables(heap, scales),
            **fit_tables(heap),
        },
    }
    used = len(json.dumps(document, separators=(",", ":")))
    boxes = fit_boxes(heap, scales, MAX_JSON_BYTES - used - _RESERVE)
    return Model({**document, "boxes": boxes})


def _order_tables(heap: Heap, scales: Mapping[str, Any]) -> dict[str, Any]:
    sizes = heap.objects["size"]
    return {
        "lifts": fit_lifts(scales["sizes"], sizes[sizes < LARGE_BYTES]),
        "companions": fit_companions(sizes),
    }
