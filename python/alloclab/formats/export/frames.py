# SPDX-License-Identifier: MIT
"""Call stacks as other tools have them: an address, with all that was inlined there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alloclab.stacks import Frame

Place = tuple[Frame, ...]
"""The frames that share one address, innermost first: all but the last were inlined."""


def places(stack: Sequence[Frame]) -> Iterator[Place]:
    """Yields the addresses of a call stack, innermost first."""
    shared: list[Frame] = []
    for frame in stack:
        shared.append(frame)
        if not frame.is_inlined:
            yield tuple(shared)
            shared = []
    if shared:
        yield tuple(shared)
