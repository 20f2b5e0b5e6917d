# SPDX-License-Identifier: MIT
"""What the tests of the importers share."""

from pathlib import Path

import alloclab as al
from alloclab.traces import KINDS

_COUNTED = (
    "allocations",
    "frees",
    "null_frees",
    "reallocations",
    "failed_calls",
    "zero_size_allocations",
    "aligned_allocations",
    "unknown_frees",
    "missed_frees",
    "inversions",
    "threads",
    "requested_total_bytes",
    "peak_requested_live_bytes",
    "live_objects_at_end",
    "requested_live_bytes_at_end",
)
_NAMES = {number: name for name, number in KINDS.items()}


def counts(trace: al.Trace) -> dict[str, int]:
    """Returns the counts of a trace that an importer makes, but for those that are 0."""
    summary = trace.summary()
    return {name: summary[name] for name in _COUNTED if summary[name]}


def events_of(trace: al.Trace) -> list[tuple[str, int, int, int, int]]:
    """Returns each event as (kind, thread, object, size, alignment)."""
    return [
        (_NAMES[int(kind)], int(thread), int(object), int(size), int(alignment))
        for chunk in trace.chunks()
        for kind, thread, object, size, alignment in zip(
            chunk.kind, chunk.thread, chunk.object, chunk.size, chunk.alignment, strict=True
        )
    ]


def check_every_truncation(path: Path, format: str, folder: Path) -> None:
    """Cuts a file after every byte: it is refused and leaves nothing, or its trace is shorter and
    marked, and what `allow_truncated` makes of it as well.
    """
    whole = path.read_bytes()
    full = al.import_trace(path, folder / "full.alloctrace", format=format).summary()
    cut = folder / f"cut{path.suffix}"
    trace = folder / "cut.alloctrace"
    refused = 0
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        for allow_truncated in (False, True):
            try:
                made = al.import_trace(
                    cut, trace, format=format, allow_truncated=allow_truncated
                ).summary()
            except al.TraceError as error:
                assert str(error).startswith(f"{cut}: "), error
                assert not trace.exists()
                refused += 1
                continue
            assert made["is_complete"] == 0
            assert made["events"] <= full["events"]
            trace.unlink()
    assert refused > 0
