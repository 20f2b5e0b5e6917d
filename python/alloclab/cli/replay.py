# SPDX-License-Identifier: MIT
"""`alloclab replay`: one trace under one allocator."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from alloclab.allocators import parse
from alloclab.cli.arguments import ALLOCATOR_HELP, add_json, add_replaying, checked, print_json
from alloclab.errors import EXIT_NOT_MEASURED, EXIT_OK, NotMeasured
from alloclab.replay import MEASURES, METRICS, Figure, child_count, replay
from alloclab.sweep import ProgressBar
from alloclab.units import format_bytes, format_count, format_ratio

NAME = "replay"
SUMMARY = "replay one trace under one allocator and print every metric"
DESCRIPTION = f"""\
Replays a trace in fresh processes under one allocator and prints every metric of the run. A figure
that cannot be trusted is not printed; the reason is.

  alloclab replay recording/cc1plus-4711.alloctrace jemalloc:narenas=1
  alloclab replay --measure blocks --json trace.alloctrace pool
  alloclab replay --order parallel server.alloctrace tcmalloc

{ALLOCATOR_HELP}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", type=Path, metavar="TRACE")
    parser.add_argument("allocator", type=checked(parse), metavar="ALLOCATOR")
    parser.add_argument(
        "--measure",
        action="append",
        choices=MEASURES,
        help="only this: time (and peak footprint), timeline (memory over time), blocks (usable "
        "sizes), check (stamp blocks and check them at free); may be given several times",
    )
    add_replaying(parser, repeats=1)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    measures = arguments.measure
    steps = child_count(arguments.allocator, measures, arguments.repeats, arguments.order)
    with ProgressBar(steps) as bar:
        bar.begin(f"replaying {arguments.trace.name} under {arguments.allocator}")
        result = replay(
            arguments.trace,
            arguments.allocator,
            measure=measures,
            touch=arguments.touch,
            mapped=arguments.mapped,
            repeats=arguments.repeats,
            cpu=arguments.cpu,
            timeout=arguments.timeout,
            order=arguments.order,
            max_distance=arguments.max_distance,
            progress=bar.within,
            ended=bar.end,
        )
    figures = result.metrics
    for warning in result.warnings:
        print(f"alloclab: warning: {warning}", file=sys.stderr)
    if arguments.json:
        plain = {
            name: {"not_measured": each.reason} if isinstance(each, NotMeasured) else each
            for name, each in figures.items()
        }
        print_json({"metrics": plain, "run": result.to_json()})
    else:
        width = max(len(name) for name in figures)
        for name, figure in figures.items():
            print(f"{name.ljust(width)}  {_write(name, figure)}")
    has_any = any(not isinstance(figure, NotMeasured) for figure in figures.values())
    return EXIT_OK if has_any else EXIT_NOT_MEASURED


def _write(name: str, figure: Figure) -> str:
    if isinstance(figure, NotMeasured):
        return f"not measured: {figure.reason}"
    unit = METRICS[name].unit
    if unit == "bytes":
        return f"{format_bytes(figure)} ({figure:,.0f} bytes)"
    if unit == "ratio":
        return f"{figure:.3f} ({format_ratio(figure)})"
    if unit == "factor":
        return f"{figure:.3f}"
    return f"{figure:.2f} ns" if unit == "ns" else f"{format_count(figure)} {unit}"
