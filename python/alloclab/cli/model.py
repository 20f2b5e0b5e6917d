# SPDX-License-Identifier: MIT
"""`alloclab model`: fit a model of sizes and lifetimes to a trace."""

from __future__ import annotations

import argparse
from pathlib import Path

from alloclab.cli.arguments import add_json, print_json
from alloclab.errors import EXIT_OK
from alloclab.synthetic import model

NAME = "model"
SUMMARY = "fit a model of sizes and lifetimes to a trace"
DESCRIPTION = """\
Writes how a program uses its heap as distributions: at most 64 KiB of JSON, from which
`alloclab generate --model` makes traces. docs/synthetic.md says what it keeps and how near it
comes.

  alloclab model workloads/freeciv.alloctrace -o freeciv.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", type=Path, metavar="TRACE", help="a trace")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="MODEL.json", help="the model's file"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    found = model(arguments.trace)
    text = found.to_json()
    arguments.output.write_text(text + "\n", encoding="utf-8")
    if arguments.json:
        print_json(
            {
                "model": str(arguments.output),
                "events": found.events,
                "left_out": found.left_out,
                "json_bytes": len(text),
            }
        )
        return EXIT_OK
    print(f"{found}: {arguments.output}")
    if found.left_out:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.left_out.items())
        print(f"events a model has no counterpart for: {kinds}")
    return EXIT_OK
