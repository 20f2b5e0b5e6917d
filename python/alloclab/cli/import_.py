# SPDX-License-Identifier: MIT
"""`alloclab import`: a trace of what another tool wrote."""

from __future__ import annotations

import argparse
from pathlib import Path

from alloclab.cli.arguments import add_json, print_json
from alloclab.cli.info import describe_briefly, describe_json
from alloclab.errors import EXIT_OK, UsageError
from alloclab.formats import FORMATS, import_trace

NAME = "import"
SUMMARY = "make a trace of what another tool wrote"
DESCRIPTION = """\
Makes a trace of a file that another tool wrote, and says what is in it. The format is known by the
file's first bytes; gzip, bzip2, xz, zstd and zip files are decompressed. What the file does not
tell (threads, times, ...) is not made up; what had no place in a trace is counted.

  alloclab import com.example.app.txt.zip
  alloclab import heap.log.gz -o heap.alloctrace --format ltrace
  alloclab import --list
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="what to import")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="TRACE",
        help="where the trace goes (default: beside the file, ending in .alloctrace)",
    )
    parser.add_argument("--format", metavar="NAME", help="the file's format, one of --list")
    parser.add_argument(
        "--allow-truncated",
        action="store_true",
        help="of a file that breaks off, make a trace of what there is, marked as incomplete",
    )
    parser.add_argument("--list", action="store_true", help="print the formats")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.list:
        list_formats(as_json=arguments.json)
        return EXIT_OK
    if arguments.file is None:
        raise UsageError("import: name a file, or --list")
    trace = import_trace(
        arguments.file,
        arguments.output,
        format=arguments.format,
        allow_truncated=arguments.allow_truncated,
    )
    if arguments.json:
        print_json(describe_json(trace))
        return EXIT_OK
    print(describe_briefly(trace))
    origin = trace.metadata["origin"]
    print(f"  format: {origin['format']}; it cannot say: {', '.join(origin['cannot_say']) or '-'}")
    if origin["left_out"]:
        counts = (f"{count:,} {kind}" for kind, count in origin["left_out"].items())
        print(f"  put right or left out: {', '.join(counts)}")
    if "truncated_at" in origin:
        print(f"  the file breaks off at {origin['truncated_at']}")
    return EXIT_OK


def list_formats(*, as_json: bool) -> None:
    """Prints a line a format."""
    if as_json:
        print_json(
            [
                {
                    "name": each.name,
                    "description": each.description,
                    "suffixes": list(each.suffixes),
                    "cannot_say": list(each.cannot_say),
                }
                for each in FORMATS
            ]
        )
        return
    width = max(len(each.name) for each in FORMATS)
    for each in FORMATS:
        print(f"{each.name:{width}}  {each.description}")
        print(f"{'':{width}}  cannot say: {', '.join(each.cannot_say)}")
