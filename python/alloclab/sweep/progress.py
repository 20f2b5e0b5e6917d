# SPDX-License-Identifier: MIT
"""A progress bar on standard error: one line, drawn only where someone watches."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import Self, TextIO

_BAR_CELLS = 24
_REDRAW_S = 0.1


class ProgressBar:
    """Counts steps of known number, each of which may tell how far it is.

    Args:
        steps: how many there are.
        shown: False keeps it silent; so does a stream that is no terminal.
    """

    def __init__(self, steps: int, shown: bool = True, stream: TextIO | None = None) -> None:
        self._steps = max(steps, 1)
        self._stream = stream if stream is not None else sys.stderr
        self._shown = shown and self._stream.isatty()
        self._done = 0
        self._what = ""
        self._drawn_at = 0.0

    def begin(self, what: str) -> None:
        """Names the step that begins now."""
        self._what = what
        self._draw(0.0, force=True)

    def within(self, done: int, total: int) -> None:
        """Says how far the step is; called from any thread."""
        self._draw(done / total if total else 0.0)

    def end(self) -> None:
        """Counts the step as done."""
        self._done += 1
        self._draw(0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _draw(self, part: float, force: bool = False) -> None:
        now = time.monotonic()
        if not self._shown or (not force and now - self._drawn_at < _REDRAW_S):
            return
        self._drawn_at = now
        share = min((self._done + min(part, 1.0)) / self._steps, 1.0)
        cells = round(share * _BAR_CELLS)
        bar = "#" * cells + "." * (_BAR_CELLS - cells)
        line = f"[{bar}] {100 * share:3.0f} %  {self._what}"
        width = shutil.get_terminal_size().columns - 1
        self._stream.write(f"\r\x1b[K{line[:width]}")
        self._stream.flush()
