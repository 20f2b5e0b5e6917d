# SPDX-License-Identifier: MIT
"""`alloclab top`: who asked for memory, as a table, a flame graph or an icicle."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from alloclab.cli.arguments import add_json, check_picture, checked, positive, print_json
from alloclab.errors import EXIT_OK, UsageError
from alloclab.top import BY, WEIGHTS, stack_weights
from alloclab.traces import open_trace
from alloclab.views import folded

NAME = "top"
SUMMARY = "say which call sites, functions, scopes, tags or threads asked for memory"
DESCRIPTION = """\
Sums up a trace's blocks by who asked for them. Call sites come from `record --sites=caller` or
`--sites=stack`, scopes and tags from the program (alloclab/marker.h) or the recorder's switches.

  alloclab record --sites=stack -o recording -- g++ -O2 -c big.cpp
  alloclab top recording/cc1plus-4711.alloctrace
  alloclab top --by function --weight allocations recording/cc1plus-4711.alloctrace
  alloclab top --icicle peak.png --speedscope peak.json recording/cc1plus-4711.alloctrace

https://www.speedscope.app opens the speedscope file; flamegraph.pl and others read the folded one.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", type=Path, metavar="TRACE", help="a trace")
    parser.add_argument("--by", choices=BY, default="site", help="what the rows are (default site)")
    parser.add_argument(
        "--weight",
        choices=WEIGHTS,
        default="peak",
        help="what orders the rows, and what pictures show (default: bytes live at the peak)",
    )
    parser.add_argument(
        "--limit", type=checked(positive), default=20, metavar="N", help="rows at most (default 20)"
    )
    parser.add_argument("--speedscope", type=Path, metavar="FILE", help="write a flame graph")
    parser.add_argument("--folded", type=Path, metavar="FILE", help="write a line a call stack")
    parser.add_argument("--icicle", type=Path, metavar="FILE", help="draw the call stacks (.png)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    check_picture("--icicle", arguments.icicle)
    for path in (arguments.speedscope, arguments.folded):
        if path is not None and path.is_dir():
            raise UsageError(f"cannot write {path}: it is a folder")
    trace = open_trace(arguments.trace)
    rows = trace.top(arguments.by, weight=arguments.weight, limit=arguments.limit)
    if arguments.json:
        print_json(rows.to_json())
    else:
        print(rows)
    if arguments.speedscope is not None:
        arguments.speedscope.write_text(json.dumps(trace.speedscope()), encoding="utf-8")
    if arguments.folded is not None:
        (stacks,) = stack_weights(trace, arguments.weight)
        text = folded(stacks)
        arguments.folded.write_text(text, encoding="utf-8")
    if arguments.icicle is not None:
        trace.plot_icicle(weight=arguments.weight).savefig(
            arguments.icicle, format="png", dpi=120, bbox_inches="tight"
        )
    return EXIT_OK
