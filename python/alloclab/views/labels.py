# SPDX-License-Identifier: MIT
"""Labels short enough for a column or a legend."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_LABEL = 48  # of an allocator; composed ones go on for lines


def short_labels(labels: Sequence[str]) -> dict[str, str]:
    """Returns a short form for each label too long for a column, every one of its own."""
    short: dict[str, str] = {}
    for label in labels:
        if len(label) > LONGEST_LABEL:
            start = f"{label[: LONGEST_LABEL - 6]}..."
            count = sum(each.startswith(start) for each in short.values())
            short[label] = start if count == 0 else f"{start} #{count + 1}"
    return short
