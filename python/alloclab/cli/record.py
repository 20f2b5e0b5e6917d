# SPDX-License-Identifier: MIT
"""`alloclab record`: run a program and keep what its heap did."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from alloclab.cli.arguments import add_json, checked, print_json
from alloclab.cli.info import describe_briefly, describe_json
from alloclab.errors import EXIT_FAILED, EXIT_NOT_MEASURED, EXIT_OK, UsageError
from alloclab.record import record
from alloclab.units import parse_bytes, parse_seconds

NAME = "record"
SUMMARY = "run a program and record its heap, one trace for each process image"
DESCRIPTION = """\
Runs a command as it is, with its own allocator, and records every allocation of it and of the
programs it starts. Afterwards the recordings are sealed: one .alloctrace file for each program.

  alloclab record -o recording -- g++ -O2 -c big.cpp
  alloclab record --duration "60 s" -o recording -- my-server --port 8080

Ctrl-C reaches the program; what was recorded until then is kept. With --json what the program
prints goes to standard error, so that standard output holds nothing else. The exit code is 1 when
the program failed, 3 when nothing was recorded.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="where traces go (default: a new folder)",
    )
    parser.add_argument(
        "--duration",
        type=checked(parse_seconds),
        metavar="TIME",
        help='stop recording after so long, for instance "60 s"; the program goes on',
    )
    parser.add_argument(
        "--max-bytes",
        type=checked(parse_bytes),
        metavar="SIZE",
        help='stop recording when the captures are this large, for instance "2 GiB"',
    )
    parser.add_argument(
        "--redact", action="store_true", help="keep hashes in place of paths and arguments"
    )
    parser.add_argument(
        "--gcc-phases",
        action="store_true",
        help="make a compile by GCC tell its phases, passes and functions as scopes",
    )
    parser.add_argument(
        "--frame-on",
        type=_names,
        default=(),
        metavar="NAME[,NAME]",
        help="each call of such a function ends a frame: usleep, poll, SDL_GL_SwapWindow, ...",
    )
    parser.add_argument(
        "--scope-on",
        type=_names,
        default=(),
        metavar="NAME[,NAME]",
        help="each activation of such a function is a scope",
    )
    parser.add_argument(
        "--mark-output",
        metavar="REGEX",
        help="a line the program prints that matches is a mark; with a group named scope it begins "
        "a phase, named frame, turn or tick it ends one",
    )
    parser.add_argument(
        "--sites",
        metavar="none|caller|stack[:N]",
        help="where allocations come from: their caller, or so many frames of the stack",
    )
    parser.add_argument(
        "--edges",
        metavar="none|frame|phase|N",
        help="look which block refers to which at each end of a frame or phase, or every N events",
    )
    add_json(parser)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def run(arguments: argparse.Namespace) -> int:
    command = arguments.command
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        raise UsageError("no command to record: write it after --")
    with _output_to_stderr() if arguments.json else contextlib.nullcontext():
        capture = record(
            command,
            output=arguments.output,
            duration=arguments.duration,
            max_bytes=arguments.max_bytes,
            redact=arguments.redact,
            gcc_phases=arguments.gcc_phases,
            frame_on=arguments.frame_on,
            scope_on=arguments.scope_on,
            mark_output=arguments.mark_output,
            sites=arguments.sites,
            edges=arguments.edges,
        )
    for warning in capture.warnings:
        print(f"alloclab: warning: {warning}", file=sys.stderr)
    traces = list(capture)
    if arguments.json:
        print_json(
            {
                "returncode": capture.returncode,
                "warnings": list(capture.warnings),
                "traces": [describe_json(trace) for trace in traces],
            }
        )
    else:
        for trace in traces:
            print(describe_briefly(trace))
    if capture.returncode:
        print(f"alloclab: {command[0]} ended with {capture.returncode}", file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK if any(len(trace) for trace in traces) else EXIT_NOT_MEASURED


@contextlib.contextmanager
def _output_to_stderr() -> Iterator[None]:
    """Sends what programs started meanwhile write to standard output to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
