# SPDX-License-Identifier: MIT
"""`alloclab seal`: make traces of captures that a crash or a kill left behind."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from alloclab.captures import DEFAULT_LEVEL, seal
from alloclab.cli.arguments import add_json, print_json
from alloclab.cli.info import describe_briefly, describe_json
from alloclab.errors import EXIT_FAILED, EXIT_OK

NAME = "seal"
SUMMARY = "make traces of the captures in a folder, after a crash"
DESCRIPTION = """\
`record` seals what it recorded. Where it could not, because it was killed or the machine went down,
this does it alone: every capture in the folder becomes a trace beside it. A damaged capture is a
warning; the exit code is 1 when no capture at all could be sealed.

  alloclab seal recording
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of captures")
    parser.add_argument(
        "--level",
        type=int,
        choices=range(1, 23),
        default=DEFAULT_LEVEL,
        metavar="N",
        help=f"how hard to compress, 1 to 22 (default {DEFAULT_LEVEL})",
    )
    parser.add_argument(
        "--redact", action="store_true", help="keep hashes in place of paths and arguments"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    capture = seal(arguments.folder, level=arguments.level, redact=arguments.redact)
    for warning in capture.warnings:
        print(f"alloclab: warning: {warning}", file=sys.stderr)
    if arguments.json:
        print_json({"traces": [describe_json(trace) for trace in capture]})
    else:
        for trace in capture:
            print(describe_briefly(trace))
    return EXIT_OK if capture.traces else EXIT_FAILED
