# SPDX-License-Identifier: MIT
"""`alloclab diff`: what one trace has more of than another."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from alloclab.cli.arguments import add_json, checked, positive, print_json
from alloclab.errors import EXIT_OK
from alloclab.traces import open_trace
from alloclab.traces_diff import DIMENSIONS, diff

NAME = "diff"
SUMMARY = "say what one trace has more of than another"
DESCRIPTION = """\
Sets two traces side by side and prints the largest differences by size class, by lifetime in
events, and, where the traces know them, by scope and by call site.

  alloclab diff before.alloctrace after.alloctrace
  alloclab diff --by lifetime before.alloctrace after.alloctrace
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", type=Path, metavar="BEFORE", help="a trace")
    parser.add_argument("second", type=Path, metavar="AFTER", help="the trace to set beside it")
    parser.add_argument(
        "--by",
        action="append",
        choices=DIMENSIONS,
        help="only this dimension; may be given several times",
    )
    parser.add_argument(
        "--limit",
        type=checked(positive),
        default=10,
        metavar="N",
        help="lines of each dimension (default 10)",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    found = diff(
        open_trace(arguments.first), open_trace(arguments.second), by=arguments.by or DIMENSIONS
    )
    for name in arguments.by or ():
        if name not in found.groups:
            print(f"alloclab: by {name}: neither trace knows its {name}s", file=sys.stderr)
    if arguments.json:
        print_json(found.to_json())
    else:
        print(found.table(arguments.limit))
    return EXIT_OK
