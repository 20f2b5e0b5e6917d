# SPDX-License-Identifier: MIT
"""One allocator under test: collects its children's answers, so that several can be interleaved."""

from __future__ import annotations

import os
from dataclasses import replace

from alloclab.allocators import Allocator, Launch
from alloclab.errors import ChildFailed, NotMeasured, UsageError
from alloclab.replay.child import Answer, Order, Progress, run_child
from alloclab.replay.run import Run

NULL_REPLAY = Launch("null_replay")


class Subject:
    """Runs the children of one allocator on one trace, one measurement at a time.

    A child that fails ends the subject, not the sweep: `failure` holds it, and later measurements
    do nothing; where it refused a setting, `refusal` says so too. An allocator that is not
    installed raises on construction.
    """

    def __init__(self, allocator: Allocator, template: Order) -> None:
        self.allocator = allocator
        self.failure: ChildFailed | None = None
        self.refusal: UsageError | None = None
        self._template = template
        self._answers: dict[str, list[Answer]] = {}
        self._declined: dict[str, str] = {}
        self._kernel = allocator.kernel()
        try:
            self._launch = allocator.launch()
            if template.order == "parallel":
                self._kernel = None  # the templated kernels are for one thread
        except NotMeasured:
            if self._kernel is None:
                raise
            # Its answers say which path they came from; such a run is never ranked with mallocs.
            self._launch = self._kernel

    def measure(self, measure: str, progress: Progress | None = None) -> None:
        """Runs one child, through the malloc face where there is one, and keeps its answer."""
        self._run(measure, self._launch, measure, progress)

    def measure_kernel(self, measure: str, progress: Progress | None = None) -> None:
        """Runs one child through the templated kernel, where the allocator has one."""
        if self._kernel is not None:
            self._run("kernel", self._kernel, measure, progress)

    @property
    def has_kernel(self) -> bool:
        return self._kernel is not None

    def _run(self, part: str, launch: Launch, measure: str, progress: Progress | None) -> None:
        if self.failure is not None or part in self._declined:
            return
        order = replace(self._template, launch=launch, measure=measure)
        try:
            self._answers.setdefault(part, []).append(run_child(order, progress))
        except NotMeasured as reason:
            self._declined[part] = reason.reason
        except ChildFailed as failure:
            self.failure = failure
        except UsageError as error:
            # The child's word on a setting only it can judge: this allocator's fault, not the
            # trace's, so the others go on.
            self.refusal = error
            self.failure = ChildFailed(str(error))

    def run(self, null: NullReplay) -> Run:
        """Returns what was collected as a value, beside the null replays of the same rounds."""
        answers = {part: tuple(each) for part, each in self._answers.items() if each}
        if null.answers:
            answers["null"] = tuple(null.answers)
        declined = dict(self._declined)
        if null.declined is not None:
            declined["null"] = null.declined
        return Run(
            trace=str(self._template.trace),
            allocator=self.allocator,
            touch=self._template.touch,
            mapped=self._template.mapped,
            order=self._template.order,
            answers=answers,
            declined=declined,
            failure=self.failure,
        )


class NullReplay:
    """The same trace in the same order without an allocator: what every figure is taken above."""

    def __init__(self, template: Order) -> None:
        self.answers: list[Answer] = []
        self.declined: str | None = None
        self._order = replace(template, launch=NULL_REPLAY, measure="time")

    def measure(self, progress: Progress | None = None) -> None:
        """Runs one null replay; a child that declines is kept as the reason.

        Raises:
            TraceError, ChildFailed: the trace cannot be replayed at all.
        """
        if self.declined is not None:
            return
        try:
            self.answers.append(run_child(self._order, progress))
        except NotMeasured as reason:
            self.declined = reason.reason


def default_cpu() -> int:
    """Returns the processor children are pinned to: the last this process may use."""
    return max(os.sched_getaffinity(0))
