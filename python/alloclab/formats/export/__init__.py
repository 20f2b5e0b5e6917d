# SPDX-License-Identifier: MIT
"""Traces for other tools. A format is a file here and a line in `_FORMATS`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alloclab.errors import UsageError
from alloclab.formats.export import android, arrow, heaptrack, perfetto, pprof
from alloclab.formats.export.format import ExportReport, Format, LeftOut
from alloclab.formats.export.output import written_whole
from alloclab.traces import Trace, open_trace

__all__ = ["EXPORTS", "ExportReport", "export_trace", "format_of"]

_FORMATS = (
    arrow.ARROW,
    arrow.PARQUET,
    android.FORMAT,
    heaptrack.FORMAT,
    perfetto.FORMAT,
    pprof.FORMAT,
)
EXPORTS: dict[str, Format] = {each.name: each for each in _FORMATS}
"""What a trace can be written as, by name."""


def export_trace(
    trace: Trace | str | Path, path: str | Path, format: str | None = None, **options: Any
) -> ExportReport:
    """Writes a trace as a file of another tool.

    The file appears whole or not at all; one of that name is replaced, unless it is a trace.

    Args:
        trace: a trace, or its path.
        path: the file to write. A name that ends in .gz is compressed where the format has that.
        format: a name in `EXPORTS`; may be left out where the file's name says it.
        options: what the format leaves open, see docs/formats.md: `table` (arrow, parquet),
            `times` (android), `samples` (perfetto), `at` (pprof).

    Returns:
        How many events were told, and how many of each kind the format has no words for.

    Raises:
        UsageError: an unknown format or option, or a path that cannot be written to.
        NotInstalled: the format needs a package that is not there.
        TraceError: the trace is damaged.
        OSError: the file cannot be written.

    Cost: decodes the trace chunk by chunk, once or twice; memory is bounded by a chunk and a few
    numbers an object. About a second for a million events.
    """
    path = Path(path)
    known = format_of(path) if format is None else EXPORTS.get(format)
    if known is None:
        what = f"the name {path.name} says no format" if format is None else f"no format {format!r}"
        raise UsageError(f"{what}; there are {', '.join(EXPORTS)}")
    given = known.check_options(options)
    opened = trace if isinstance(trace, Trace) else open_trace(trace)
    left_out = LeftOut()
    with written_whole(path) as output:
        events = known.write(opened, output, given, left_out)
    return ExportReport(events, left_out.counts(), known.name, path)


def format_of(path: Path) -> Format | None:
    """Returns the format that the name of a file says, by its longest suffix; None for none."""
    found = [
        (len(suffix), each.name)
        for each in _FORMATS
        for suffix in each.suffixes
        if path.name.endswith(suffix)
    ]
    return EXPORTS[max(found)[1]] if found else None
