# SPDX-License-Identifier: MIT
"""Makes a trace of a file that another tool wrote."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alloclab import _core
from alloclab.errors import TraceError, UsageError
from alloclab.formats.importers import SNIFFED_BYTES, ImportFormat, format_named, format_of
from alloclab.formats.reading import Source
from alloclab.traces import SUFFIX, Trace

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")


def import_trace(
    path: str | Path,
    output: str | Path | None = None,
    *,
    format: str | None = None,
    allow_truncated: bool = False,
) -> Trace:
    """Makes a trace of a foreign file and opens it.

    What the file does not tell is not made up: where it has no threads every event is thread 0's,
    where it has no times they are 0. The metadata say so under "origin": the format, the file, what
    it `cannot_say`, and how much was `left_out` because it had no place.

        al.import_trace("com.example.txt.zip").summary()

    Args:
        path: of the file; gzip, bzip2, xz, zstd and zip files are decompressed on the way.
        output: of the trace; beside the file, with the ending .alloctrace, when it is not given.
        format: its name, when the file's first bytes do not tell it.
        allow_truncated: makes a trace of what there is of a file that breaks off, marked as not
            complete; its origin then says where, as `truncated_at`.

    Raises:
        TraceError: the file is not what its format allows; it names the line or the offset, and
            there is no trace.
        UsageError: there is no such file or format, or the trace is there already.

    Cost: some 0.3 us an event; memory follows the objects, 16 bytes each, and the live blocks.
    """
    path = Path(path)
    output = output_path(path) if output is None else Path(output)
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    if output.exists():
        raise UsageError(f"will not overwrite {output}")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"cannot write {output}: there is no such folder")
    chosen = format_named(format) if format is not None else None
    source = Source(path, allow_truncated=allow_truncated)
    start, pieces = _beginning(source.pieces())
    chosen = chosen or format_of(path, start)
    if chosen.read is not None:
        return chosen.read(path, output, allow_truncated=allow_truncated)
    return _import(source, pieces, chosen, output, allow_truncated)


def output_path(path: Path) -> Path:
    """Returns where the trace of a file goes: beside it, without the endings it has."""
    stem = path.name
    for ending in (*_COMPRESSED, ""):
        if ending and stem.endswith(ending):
            stem = stem.removesuffix(ending)
            break
    stem = stem.rsplit(".", 1)[0] or stem
    return path.with_name(stem + SUFFIX)


def _beginning(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Returns the first bytes, and all the pieces once more."""
    taken: list[bytes] = []
    while sum(map(len, taken)) < SNIFFED_BYTES and (piece := next(pieces, b"")):
        taken.append(piece)
    return b"".join(taken)[:SNIFFED_BYTES], itertools.chain(taken, pieces)


def _import(
    source: Source,
    pieces: Iterator[bytes],
    chosen: ImportFormat,
    output: Path,
    allow_truncated: bool,
) -> Trace:
    importer = _core.Importer(chosen.name, os.fsencode(output), allow_truncated=allow_truncated)
    try:
        for piece in pieces:
            _of_file(source.path, importer.feed, piece)
        report = _of_file(source.path, importer.end, is_cut=source.is_cut)
        importer.finish(json.dumps(_metadata(source.path, chosen, report)))
    finally:
        importer.give_up()
    return Trace(output)


def _of_file(path: Path, call: Any, *arguments: Any, **named: Any) -> Any:
    """Calls what parses, and names the file in its errors."""
    try:
        return call(*arguments, **named)
    except TraceError as error:
        raise TraceError(f"{path}: {error}") from None


def _metadata(path: Path, chosen: ImportFormat, report: dict[str, Any]) -> dict[str, Any]:
    origin: dict[str, Any] = {
        "format": chosen.name,
        "file": path.name,
        "cannot_say": report["cannot_say"],
        "left_out": report["left_out"],
    }
    if report["told"]:
        origin["told"] = report["told"]
    if report["truncated_at"]:
        origin["truncated_at"] = report["truncated_at"]
    return {
        "image": output_path(path).stem,
        "arguments": [],
        "is_complete": report["is_complete"],
        "lost_events": report["lost_events"],
        "origin": origin,
        "sealed_by": f"alloclab {_core.version}",
    }
