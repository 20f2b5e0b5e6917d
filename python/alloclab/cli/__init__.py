# SPDX-License-Identifier: MIT
"""The command line: `alloclab VERB ...`. A verb is a file here and a line in `_VERBS`."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, Protocol

from alloclab import _core
from alloclab.cli import (
    compare,
    compile,
    diff,
    doctor,
    export,
    generate,
    import_,
    info,
    model,
    phases,
    record,
    replay,
    seal,
    top,
    workloads,
)
from alloclab.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, Error, exit_code

_DESCRIPTION = """\
Record the heap of a real program, replay it under any allocator, compare.

  alloclab record -o recording -- g++ -O2 -c big.cpp
  alloclab compare recording/cc1plus-*.alloctrace glibc jemalloc pool
"""
_EPILOG = """\
`alloclab VERB --help` explains a verb. Exit codes: 0 all is well, 1 a verdict failed or something
broke, 2 the command was wrong, 3 a figure could not be had or compared.
"""
_INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C


class Verb(Protocol):
    """A verb of the command line."""

    NAME: str
    SUMMARY: str
    DESCRIPTION: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


_VERBS: tuple[Verb, ...] = (
    record,
    seal,
    import_,
    info,
    top,
    phases,
    diff,
    export,
    replay,
    compare,
    compile,
    workloads,
    model,
    generate,
    doctor,
)


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with a command in one line, and where the usage is to be read."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"alloclab: {message}; see {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = OneLineParser(
        prog="alloclab",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=shape,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"alloclab {_core.version}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in _VERBS:
        each = verbs.add_parser(
            verb.NAME,
            help=verb.SUMMARY,
            description=verb.DESCRIPTION,
            formatter_class=shape,
            allow_abbrev=False,
        )
        verb.add_arguments(each)
        each.set_defaults(run=verb.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code. Errors are one line on standard error."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name need not be UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as end:  # argparse has said why, or shown its help
        return int(end.code or EXIT_OK)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except Error as error:
        print(f"alloclab: {error}", file=sys.stderr)
        return exit_code(error)
    except BrokenPipeError:
        # The reader of our output has left; nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        print(f"alloclab: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("alloclab: interrupted", file=sys.stderr)
        return _INTERRUPTED
