# SPDX-License-Identifier: MIT
"""Arrow and Parquet files: a row an event, or a row an object, or a row a call stack."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from alloclab.errors import NotInstalled
from alloclab.formats.export.arrow_events import Events
from alloclab.formats.export.arrow_names import Table
from alloclab.formats.export.arrow_objects import Objects, Sites
from alloclab.formats.export.format import Format, LeftOut, Option, metadata_json
from alloclab.formats.export.output import Output
from alloclab.traces import Trace

TABLES: Mapping[str, Callable[[Any, Trace], Table]] = {
    "events": Events,
    "objects": Objects,
    "sites": Sites,
}


def write_arrow(trace: Trace, output: Output, options: Mapping[str, Any], left_out: LeftOut) -> int:
    """Writes one table as an Arrow IPC file, a record batch a chunk; returns its rows."""
    pyarrow = _pyarrow()
    from pyarrow import ipc

    rows = 0
    schema, batches = _table(pyarrow, trace, output, options, left_out)
    packed = ipc.IpcWriteOptions(compression="zstd")
    with ipc.new_file(str(output.path), schema, options=packed) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += len(batch)
    return rows


def write_parquet(
    trace: Trace, output: Output, options: Mapping[str, Any], left_out: LeftOut
) -> int:
    """Writes one table as a Parquet file, a row group a chunk; returns its rows."""
    pyarrow = _pyarrow()
    from pyarrow import parquet

    rows = 0
    schema, batches = _table(pyarrow, trace, output, options, left_out)
    with parquet.ParquetWriter(str(output.path), schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += len(batch)
    return rows


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise NotInstalled("pyarrow", "pip install 'alloclab[arrow]'") from None
    return pyarrow


def _table(
    pyarrow: Any, trace: Trace, output: Output, options: Mapping[str, Any], left_out: LeftOut
) -> tuple[Any, Iterator[Any]]:
    """Returns the schema and the batches of the table that was asked for, or that the name says."""
    parts = output.name.split(".")
    named = parts[-2] if len(parts) > 2 else ""
    name = options["table"] or (named if named in TABLES else "events")
    table = TABLES[name](pyarrow, trace)
    about = {
        "alloclab.table": name,
        "alloclab.metadata": metadata_json(trace),
        "alloclab.summary": json.dumps(trace.summary()),
    }
    for what, count in table.left_out().items():
        left_out.add(what, count)
    return pyarrow.schema(table.fields(), metadata=about), table.batches()


_TABLE = Option(
    "table",
    "arrow, parquet: rows are events, objects (blocks and regions) or sites (call stacks); "
    "the default is what the file's name says (x.objects.parquet), or events",
    "",
    tuple(TABLES),
)
ARROW = Format(
    "arrow",
    "an Arrow IPC file (Feather), for pandas, polars, DuckDB, R",
    (".arrow", ".feather"),
    write_arrow,
    (_TABLE,),
)
PARQUET = Format(
    "parquet",
    "a Parquet file, for the same and more",
    (".parquet",),
    write_parquet,
    (_TABLE,),
)
