# SPDX-License-Identifier: MIT
"""A run: one trace under one allocator, what its children answered, and the metrics of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alloclab.allocators import Allocator, from_json
from alloclab.errors import ChildFailed, NotMeasured, UsageError
from alloclab.replay.child import Answer
from alloclab.replay.metrics import METRICS
from alloclab.replay.parts import Parts

Figure = float | int | NotMeasured


@dataclass(frozen=True)
class Run:
    """What one allocator did with one trace.

    Attributes:
        trace: the trace's path.
        allocator: the spec.
        touch: how blocks were touched (recorded, page, none, all).
        mapped: whether the program's own mappings were mapped too.
        answers: the children's answers by part: null, time, timeline, blocks, check, kernel.
        declined: for a part that gave no figure, why.
        failure: the child that failed, if one did.
        order: how threads were replayed; "exact" is the recorded global order on one thread,
            "parallel" a thread for each, together where an object crosses threads.
    """

    trace: str
    allocator: Allocator
    touch: str
    mapped: bool
    answers: Mapping[str, tuple[Answer, ...]] = field(repr=False)
    declined: Mapping[str, str] = field(default_factory=dict, repr=False)
    failure: ChildFailed | None = None
    order: str = "exact"

    def __getitem__(self, name: str) -> float | int:
        """Returns a metric by its name.

        Raises:
            NotMeasured: there is no trustworthy figure; says why.
            UsageError: there is no metric of this name.
        """
        values = self.samples(name)
        ordered = sorted(values)
        middle = len(ordered) // 2
        if len(ordered) % 2:
            return ordered[middle]
        return (ordered[middle - 1] + ordered[middle]) / 2

    def samples(self, name: str) -> list[float] | list[int]:
        """Returns a metric of each repeat, in order; one value where it was taken once.

        Raises:
            NotMeasured, UsageError: as `run[name]`.
        """
        metric = METRICS.get(name)
        if metric is None:
            raise UsageError(f"unknown metric {name!r}: known are {', '.join(METRICS)}")
        if self.failure is not None:
            raise NotMeasured(f"the run failed: {self.failure}")
        return metric.samples(self._parts())

    @property
    def metrics(self) -> dict[str, Figure]:
        """Every metric of the parts that were asked for; a NotMeasured where there is no figure."""
        parts = self._parts()
        figures: dict[str, Figure] = {}
        for name, metric in METRICS.items():
            if not metric.applies(parts):
                continue
            try:
                figures[name] = self[name]
            except NotMeasured as reason:
                figures[name] = reason
        return figures

    def _parts(self) -> Parts:
        return Parts(self.answers, self.declined, self.order)

    @property
    def warnings(self) -> list[str]:
        """What a reader of the figures must know: failed requests, fallbacks, what was printed."""
        lines: dict[str, None] = {}
        for part, answers in self.answers.items():
            for answer in answers:
                if answer.get("failed_allocations"):
                    count, size = answer["failed_allocations"], answer.get("failed_bytes", 0)
                    first = next(iter(self.answers.get("time", ())), answer)
                    is_other = first["call_path"] != answer["call_path"]
                    taken = str(answer["call_path"]).replace("_", "-")
                    path = f" on its {taken} path" if is_other else ""
                    lines[f"{count:,} requests ({size:,} bytes) failed{path}"] = None
                if answer.get("touch_fallback") and part != "null":
                    lines["the trace does not know what was touched: a byte a page was"] = None
                lines.update(dict.fromkeys(answer.get("stderr", "").splitlines()))
        return list(lines)

    def to_json(self) -> dict[str, Any]:
        """Returns the run as plain JSON values."""
        failure = None
        if self.failure is not None:
            failure = {
                "message": self.failure.message,
                "signal_number": self.failure.signal_number,
                "last_event": self.failure.last_event,
                "stderr": self.failure.stderr,
            }
        return {
            "trace": self.trace,
            "allocator": self.allocator.to_json(),
            "touch": self.touch,
            "mapped": self.mapped,
            "order": self.order,
            "answers": {part: list(answers) for part, answers in self.answers.items()},
            "declined": dict(self.declined),
            "failure": failure,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Run:
        """Builds the run from what `to_json` gave."""
        failure = dict(document["failure"] or {})  # the caller keeps its own
        return cls(
            trace=document["trace"],
            allocator=from_json(document["allocator"]),
            touch=document["touch"],
            mapped=document["mapped"],
            order=document["order"],
            answers={part: tuple(answers) for part, answers in document["answers"].items()},
            declined=dict(document["declined"]),
            failure=ChildFailed(failure.pop("message"), **failure) if failure else None,
        )
