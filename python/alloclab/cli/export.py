# SPDX-License-Identifier: MIT
"""`alloclab export`: a trace as a file of another tool."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from alloclab.cli.arguments import add_json, checked, positive, print_json
from alloclab.errors import EXIT_OK, UsageError
from alloclab.formats.export import EXPORTS, export_trace, format_of

NAME = "export"
SUMMARY = "write a trace as a file of another tool"
DESCRIPTION = """\
Writes a trace as a file of another tool and says what that format has no words for.

  alloclab export game.alloctrace -o game.parquet
  alloclab export game.alloctrace -o game.objects.parquet
  alloclab export game.alloctrace -o game.json             # open it at https://ui.perfetto.dev
  alloclab export game.alloctrace -o game.pb.gz            # go tool pprof game.pb.gz
  alloclab export game.alloctrace -o game.heaptrack.gz     # heaptrack_print game.heaptrack.gz
  alloclab export game.alloctrace -o game.txt --format android

Formats, and the names that mean them:
"""
DESCRIPTION += "".join(
    f"  {each.name:<10} {each.summary} ({', '.join(each.suffixes)})\n" for each in EXPORTS.values()
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", type=Path, metavar="TRACE", help="a trace")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the file to write"
    )
    parser.add_argument(
        "--format", choices=EXPORTS, help="the format, where the file's name does not say it"
    )
    for option in _options().values():
        if option.choices:
            parser.add_argument(f"--{option.name}", choices=option.choices, help=option.summary)
        else:
            parser.add_argument(
                f"--{option.name}", type=checked(positive), metavar="N", help=option.summary
            )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    named = EXPORTS[arguments.format] if arguments.format else format_of(arguments.output)
    if named is None:
        raise UsageError(
            f"the name {arguments.output.name} says no format; say --format: {', '.join(EXPORTS)}"
        )
    given = {name: getattr(arguments, name) for name in _options()}
    report = export_trace(
        arguments.trace,
        arguments.output,
        named.name,
        **{name: value for name, value in given.items() if value is not None},
    )
    if arguments.json:
        print_json(report.to_json())
    else:
        print(report)
    return EXIT_OK


def _options() -> dict[str, Any]:
    return {option.name: option for each in EXPORTS.values() for option in each.options}
