# SPDX-License-Identifier: MIT
"""Feeds importers with pieces of a file."""

from pathlib import Path

import alloclab as al
from alloclab import _core
from support.importing import events_of


def check_every_piece_size(path: Path, format: str, folder: Path) -> None:
    """Feeds a file in pieces of 1, 2, 3, ... bytes: the trace is what the whole file gives."""
    content = path.read_bytes()
    whole = al.import_trace(path, folder / "whole.alloctrace", format=format)
    for size in (1, 2, 3, 7, 63, 65):
        trace = folder / f"pieces-{size}.alloctrace"
        importer = _core.Importer(format, str(trace))
        for begin in range(0, len(content), size):
            importer.feed(content[begin : begin + size])
        importer.end()
        importer.finish("{}")
        made = al.open_trace(trace)
        assert events_of(made) == events_of(whole)
        assert list(made.stacks()) == list(whole.stacks())
