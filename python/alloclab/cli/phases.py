# SPDX-License-Identifier: MIT
"""`alloclab phases`: what each phase of a recorded program did to its heap."""

from __future__ import annotations

import argparse
from pathlib import Path

from alloclab.cli.arguments import add_json, check_picture, checked, positive, print_json
from alloclab.errors import EXIT_OK
from alloclab.phases import Phases, phases
from alloclab.traces import open_trace

NAME = "phases"
SUMMARY = "say what each phase, pass and function of a recorded program did to its heap"
DESCRIPTION = """\
Prints the scopes of a trace summed up by kind and name: a line a phase with the memory resident at
its end and, apart from it, the peak within; then a table of each kind, of passes and functions
those that allocate most. Scopes come from the program (alloclab/marker.h), from `record
--gcc-phases` or from the recorder's other switches. Allocations are those of the scope's thread,
live bytes the whole program's; times include the recorder's own.

  alloclab record --gcc-phases -o recording -- g++ -O2 -c big.cpp
  alloclab phases recording/cc1plus-4711.alloctrace
  alloclab phases --kind function --limit 50 recording/cc1plus-4711.alloctrace
  alloclab phases --plot live.png recording/cc1plus-4711.alloctrace
"""
_LINED = "phase"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", type=Path, metavar="TRACE", help="a trace with scopes")
    parser.add_argument(
        "--kind",
        action="append",
        metavar="KIND",
        help="phase, stage, function, frame ...: only this kind; may be given several times",
    )
    parser.add_argument(
        "--limit",
        type=checked(positive),
        default=20,
        metavar="N",
        help="rows of each table (default 20)",
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw live bytes over the phases (.png)"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    check_picture("--plot", arguments.plot)
    trace = open_trace(arguments.trace)
    found = phases(trace)
    kinds = list(dict.fromkeys(arguments.kind or found.kinds))
    for kind in kinds:
        found.of_kind(kind)
    if arguments.json:
        document = found.to_json()
        document["phases"] = {kind: document["phases"][kind] for kind in kinds}
        print_json(document)
    else:
        print("\n\n".join(_describe(found, kind, arguments) for kind in kinds))
    if arguments.plot is not None:
        from alloclab.views import plot_live

        is_drawn = arguments.kind[0] if arguments.kind else None
        plot_live(trace, kind=is_drawn).savefig(arguments.plot, dpi=120)
    return EXIT_OK


def _describe(found: Phases, kind: str, arguments: argparse.Namespace) -> str:
    table = found.table(kind, arguments.limit)
    if kind != _LINED and not arguments.kind:
        return table
    return "\n".join([*found.lines(kind, arguments.limit), "", table])
