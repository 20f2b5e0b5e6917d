# SPDX-License-Identifier: MIT
"""A trace as compare() sees one: a path, counts, and the recorded program's own memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


class FakeTrace:
    """Answers what the fake child's made-up trace would."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metadata: dict[str, Any] = {"allocator": "/lib/x86_64-linux-gnu/libc.so.6"}
        self.own_memory: dict[str, Any] = {
            "event": np.array([0, 600_000, 999_999]),
            "anonymous_bytes": np.array([100_000, 700_000, 1_800_000]),
            "file_bytes": np.array([40_960, 40_960, 40_960]),
            "page_faults": np.array([50, 300, 490]),
        }

    def summary(self) -> dict[str, int]:
        return {"events": 1_000_000, "scopes": 0}

    def footprint(self) -> dict[str, Any]:
        return self.own_memory
