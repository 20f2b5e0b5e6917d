# SPDX-License-Identifier: MIT
"""`alloclab info`: what is in a trace."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alloclab.cli.arguments import add_json, print_json
from alloclab.errors import EXIT_FAILED, EXIT_OK, NotMeasured, TraceError, UsageError
from alloclab.traces import SUFFIX, Trace, open_trace
from alloclab.units import format_ratio

NAME = "info"
SUMMARY = "say what is in a trace: counts, peaks, where it came from"
DESCRIPTION = """\
Prints the counts of one or more traces and what the recorder knew of the program. A folder stands
for every trace in it. A damaged trace is a line on standard error and exit code 1; the others are
shown.

  alloclab info recording/cc1plus-4711.alloctrace
  alloclab info recording
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("traces", nargs="+", type=Path, metavar="TRACE", help="a trace or folder")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    say = describe_json if arguments.json else describe
    said: list[Any] = []
    is_whole = True
    for path in expand(arguments.traces):
        try:
            said.append(say(open_trace(path)))
        except (TraceError, OSError) as error:
            print(f"alloclab: {error}", file=sys.stderr)
            is_whole = False
    if arguments.json:
        print_json(said)
    elif said:
        print("\n\n".join(said))
    return EXIT_OK if is_whole else EXIT_FAILED


def expand(paths: list[Path]) -> list[Path]:
    """Returns the traces that paths name: files as they are, folders as the traces in them.

    Raises:
        UsageError: there is no such path, or no trace in a folder.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.glob(f"*{SUFFIX}"))
            if not inside:
                raise UsageError(f"{path}: no {SUFFIX} file in this folder")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"{path}: no such trace")
    return found


def describe_json(trace: Trace) -> dict[str, Any]:
    """Returns what there is to say of a trace as plain JSON values."""
    return {
        "path": str(trace.path),
        "summary": dict(trace.summary()),
        "metadata": dict(trace.metadata),
    }


def describe_briefly(trace: Trace) -> str:
    """Returns a trace's path and its counts as text."""
    return "\n  ".join([str(trace.path), *str(trace.summary()).splitlines()])


def _decoded(trace: Trace) -> Iterator[str]:
    """Yields what only the whole trace tells."""
    try:
        yield str(trace.lifetimes())
    except NotMeasured as reason:
        yield f"lifetimes: not measured: {reason}"
    if trace.summary()["scopes"]:
        kinds = Counter(trace.scopes()["kind"].tolist())
        counts = [f"{count:,} {trace.names[kind]}" for kind, count in kinds.most_common()]
        yield f"scopes by kind: {', '.join(counts)}"


def describe(trace: Trace) -> str:
    """Returns what there is to say of a trace as text: its path, its counts, where it came from."""
    lines = [describe_briefly(trace), *_decoded(trace)]
    try:
        share = format_ratio(trace.uncertain_touched_ratio)
        lines.append(f"{share} of the large blocks' resident pages may never have been touched")
    except NotMeasured as reason:
        lines.append(f"share of uncertain pages: not measured: {reason}")
    for name, known in trace.metadata.items():
        lines.append(f"{name}: {known if isinstance(known, str) else json.dumps(known)}")
    return "\n  ".join(lines)
