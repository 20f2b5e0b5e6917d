# SPDX-License-Identifier: MIT
"""`alloclab compare`: one trace under several allocators, side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

from alloclab.allocators import parse
from alloclab.cli.arguments import (
    ALLOCATOR_HELP,
    add_json,
    add_replaying,
    check_picture,
    check_writable,
    checked,
    print_json,
)
from alloclab.errors import EXIT_NOT_MEASURED, EXIT_OK
from alloclab.sweep import compare
from alloclab.traces import open_trace

NAME = "compare"
SUMMARY = "replay one trace under several allocators and set the figures side by side"
DESCRIPTION = f"""\
Replays a trace under each allocator in interleaved rounds of fresh processes, beside a replay
without any allocator whose time is subtracted, and prints the figures side by side.

  alloclab compare recording/cc1plus-4711.alloctrace
  alloclab compare trace.alloctrace glibc jemalloc:narenas=1 pool --plot footprint.png

{ALLOCATOR_HELP}
An allocator that is not installed is a row that says how to get it. The exit code is 3 when no
allocator could be measured at all.
"""
DEFAULT_ALLOCATORS = ("glibc", "jemalloc", "mimalloc", "tcmalloc", "pool", "arena")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", type=Path, metavar="TRACE")
    parser.add_argument(
        "allocators",
        nargs="*",
        type=checked(parse),
        metavar="ALLOCATOR",
        help=f"default: {' '.join(DEFAULT_ALLOCATORS)}",
    )
    parser.add_argument(
        "--baseline",
        type=checked(parse),
        metavar="ALLOCATOR",
        help="which of them ratios are to (default: the first glibc, or else the first)",
    )
    add_replaying(parser, repeats=5)
    add_json(parser)
    parser.add_argument(
        "--save", type=Path, metavar="FILE.json", help="write every figure and sample to a file"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw footprint over time")


def run(arguments: argparse.Namespace) -> int:
    if arguments.save is not None:
        check_writable(arguments.save, b"{")
    check_picture("--plot", arguments.plot)
    allocators = arguments.allocators or [parse(name) for name in DEFAULT_ALLOCATORS]
    comparison = compare(
        open_trace(arguments.trace),
        allocators,
        baseline=arguments.baseline,
        repeats=arguments.repeats,
        touch=arguments.touch,
        mapped=arguments.mapped,
        cpu=arguments.cpu,
        timeout=arguments.timeout,
        order=arguments.order,
        max_distance=arguments.max_distance,
    )
    if arguments.json:
        print_json(comparison.to_json())
    else:
        print(comparison.table())
    if arguments.save is not None:
        comparison.save(arguments.save)
    if arguments.plot is not None:
        comparison.plot_footprint().savefig(arguments.plot, format="png", dpi=120)
    is_measured = any(row.problem is None for row in comparison)
    return EXIT_OK if is_measured else EXIT_NOT_MEASURED
