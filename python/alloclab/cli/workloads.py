# SPDX-License-Identifier: MIT
"""`alloclab workloads`: the recordings that come with the lab, and how to make them again."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alloclab.cli.arguments import add_json, checked, positive, print_json
from alloclab.errors import EXIT_FAILED, EXIT_OK, UsageError
from alloclab.traces import Summary, open_trace
from alloclab.units import format_bytes
from alloclab.workloads import Workload, workload, workloads
from alloclab.workloads.recording import (
    COUNTS,
    SHIPPED_LEVEL,
    Difference,
    check_output,
    differences,
    output_paths,
    record_workload,
    ship,
    verify,
)
from alloclab.workloads.rewriting import rewritten
from alloclab.workloads.validation import LIMIT_RATIO, MALLOCS, Validation, validate

_RECORD = "`alloclab workloads record {} --write`"
NAME = "workloads"
SUMMARY = "the recordings that come with the lab: list, show, verify, record, validate"
DESCRIPTION = """\
Recordings of compilers, games, a server and models of real systems, each with the command that
makes it again.

  alloclab workloads list
  alloclab workloads show freeciv
  alloclab workloads verify                  are they what was shipped?
  alloclab workloads record freeciv          run the program again: how far are its counts off?
  alloclab workloads validate freeciv        does replay say of each malloc what really happens?

With --folder, or where ALLOCLAB_WORKLOADS names one, it is a shelf of your own.
"""
_RULES = {
    "record": """\
Run the programs again and compare the counts. Ends with 1 where one is off by more than 0.1 %; by
more than twice the measured spread, where is_deterministic is not set. A first recording has
nothing to be set beside: its counts are printed.
""",
    "validate": f"""\
Set the replay under each malloc beside the program under it. Ends with 1 where the replayed
difference to glibc is off by more than {LIMIT_RATIO * 100:.0f} % of the program's peak. Only
workloads with is_deterministic are judged: the others cannot fail, and a line says so.
""",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, act, help_text in (
        ("list", _list, "one line a workload"),
        ("show", _show, "all that is known of some workloads"),
        ("verify", _verify, "check the shipped recordings (all, when none is named)"),
        ("record", _record, "run the programs again and compare the counts"),
        ("validate", _validate, "set the replay under each malloc beside the program under it"),
    ):
        each = actions.add_parser(
            name, help=help_text, description=_RULES.get(name, help_text), allow_abbrev=False
        )
        if name != "list":
            each.add_argument("names", nargs="*" if name == "verify" else "+", metavar="NAME")
        each.add_argument("--folder", type=Path, metavar="DIR", help="the shelf")
        add_json(each)
        each.set_defaults(act=act)
        if name in ("record", "validate"):
            each.add_argument(
                "--repeats",
                type=checked(positive),
                default=1 if name == "record" else 3,
                metavar="N",
                help="how often each program is run",
            )
        if name == "record":
            each.add_argument(
                "-o",
                "--output",
                type=Path,
                metavar="DIR",
                help="keep the traces there; none that is there is overwritten",
            )
            each.add_argument(
                "--write",
                action="store_true",
                help="put the new recording on the shelf in place of the old one",
            )


def run(arguments: argparse.Namespace) -> int:
    code: int = arguments.act(arguments)
    return code


def _chosen(arguments: argparse.Namespace) -> list[Workload]:
    if not arguments.names:
        return workloads(arguments.folder)
    return [workload(name, arguments.folder) for name in arguments.names]


def _describe(each: Workload) -> dict[str, Any]:
    return {
        "name": each.name,
        "kind": each.kind,
        "what": each.what,
        "why": each.why,
        "command": list(each.command),
        "packages": list(each.packages),
        "licence": each.licence,
        "seed": each.seed,
        "is_deterministic": each.is_deterministic,
        "recording": dict(each.recording),
        "trace": str(each.trace_path),
        "is_recorded": each.is_recorded,
        "trace_bytes": each.trace.get("bytes"),
        "summary": dict(each.summary),
        "spread": dict(each.spread),
    }


def _list(arguments: argparse.Namespace) -> int:
    shelf = workloads(arguments.folder)
    if arguments.json:
        print_json([_describe(each) for each in shelf])
        return EXIT_OK
    print(f"{'name':<18} {'kind':<12} {'events':>12} {'peak live':>10} {'file':>9}  what")
    for each in shelf:
        events = each.summary.get("events", 0)
        peak = format_bytes(each.summary.get("peak_requested_live_bytes", 0))
        size = format_bytes(each.trace.get("bytes", 0))
        print(f"{each.name:<18} {each.kind:<12} {events:>12,} {peak:>10} {size:>9}  {each.what}")
    return EXIT_OK


def _show(arguments: argparse.Namespace) -> int:
    chosen = _chosen(arguments)
    if arguments.json:
        print_json([_describe(each) for each in chosen])
        return EXIT_OK
    for each in chosen:
        print(f"{each.name} ({each.kind}): {each.what}\n\n{each.why}\n")
        for words in each.build:
            print(f"build     {shlex.join(words)}")
        print(f"command   {shlex.join(each.command)}")
        if each.recording:
            print(f"recorded  {', '.join(f'{k}={v!r}' for k, v in each.recording.items())}")
        print(f"packages  {' '.join(each.packages) or 'none'}")
        print(f"licence   {each.licence}")
        print(f"counts    {'the same in every run' if each.is_deterministic else 'vary'}")
        for name, ratio in each.spread.items():
            print(f"  {name} {ratio:.4%} off at most, measured")
        if each.is_recorded:
            print(f"trace     {each.trace_path}\n\n{each.open().summary()}\n")
        else:
            print(f"trace     no recording yet: {_RECORD.format(each.name)} makes it\n")
    return EXIT_OK


def _verify(arguments: argparse.Namespace) -> int:
    found = {each.name: verify(each) for each in _chosen(arguments)}
    if arguments.json:
        print_json(found)
    else:
        for name, wrong in found.items():
            print(f"{name}: {'; '.join(wrong) if wrong else 'as shipped'}")
    return EXIT_FAILED if any(found.values()) else EXIT_OK


def _record(arguments: argparse.Namespace) -> int:
    chosen = list({each.name: each for each in _chosen(arguments)}.values())
    if arguments.write:
        _check_writable(chosen)
    kept: dict[str, list[Path]] = {}
    if arguments.output:
        kept = check_output(chosen, arguments.output, arguments.repeats)
        arguments.output.mkdir(parents=True, exist_ok=True)
    is_well = True
    document: dict[str, Any] = {}
    for each in chosen:
        with tempfile.TemporaryDirectory(prefix="alloclab-shelf-") as folder:
            paths = kept.get(each.name) or output_paths(each, Path(folder), arguments.repeats)
            for path in paths:
                is_shipped = arguments.write and path == paths[0]
                level = SHIPPED_LEVEL if is_shipped else 6
                record_workload(each, path, level=level, warn=_warn)
            summaries = [open_trace(path).summary() for path in paths]
            if arguments.write:
                ship(each, paths[0], summaries[1:])
        rows = [differences(each, summary) for summary in summaries]
        if any(rows):
            document[each.name] = [[_difference_json(row) for row in table] for table in rows]
        else:
            document[each.name] = [_first_json(summary) for summary in summaries]
        if not arguments.json:
            _print_differences(each.name, rows)
            if not any(rows):
                _print_first(each.name, summaries, is_written=arguments.write)
        is_well &= arguments.write or all(row.is_within for table in rows for row in table)
    if arguments.json:
        print_json(document)
    return EXIT_OK if is_well else EXIT_FAILED


def _check_writable(chosen: list[Workload]) -> None:
    for each in chosen:
        if not os.access(each.folder, os.W_OK | os.X_OK):
            raise UsageError(f"{each.folder}: the shelf may not be written")
        rewritten(each.toml_path, [])  # complains now and not after the program ran


def _warn(line: str) -> None:
    print(f"alloclab: warning: {line}", file=sys.stderr)


def _difference_json(row: Difference) -> dict[str, Any]:
    return {
        "name": row.name,
        "shipped": row.shipped,
        "recorded": row.recorded,
        "ratio": row.ratio,
        "is_within": row.is_within,
    }


def _first_json(summary: Mapping[str, int]) -> list[dict[str, Any]]:
    """The rows of a recording that has none to be set beside."""
    nothing = {"shipped": None, "ratio": None, "is_within": None}
    return [{"name": name, "recorded": summary[name], **nothing} for name in COUNTS]


def _print_differences(name: str, tables: list[list[Difference]]) -> None:
    for table in filter(None, tables):
        print(name)
        for row in table:
            verdict = "" if row.is_within else f"  more than {row.tolerance_ratio:.2%}"
            print(
                f"  {row.name:<26} {row.shipped:>15,} shipped {row.recorded:>15,} now "
                f"{row.ratio:>8.3%} off{verdict}"
            )


def _print_first(name: str, summaries: list[Summary], *, is_written: bool) -> None:
    for summary in summaries:
        print(name)
        for count in COUNTS:
            print(f"  {count:<26} {summary[count]:>15,} now")
    now = "it is on the shelf now" if is_written else "--write puts it on the shelf"
    print(f"{name}: nothing shipped yet; {now}")


def _validate(arguments: argparse.Namespace) -> int:
    found: list[Validation] = []
    chosen = _chosen(arguments)
    for each in chosen:
        each.open()  # complains before any program runs
    for each in chosen:
        found.append(validate(each, MALLOCS, repeats=arguments.repeats))
        if not arguments.json:
            print(found[-1].table())
            print(found[-1].verdict(), flush=True)
    if arguments.json:
        print_json([each.to_json() for each in found])
    return EXIT_OK if all(each.is_close for each in found) else EXIT_FAILED
