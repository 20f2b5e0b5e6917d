# SPDX-License-Identifier: MIT
"""`alloclab workloads`: the recordings that come with the lab, and how to make them again."""

from __future__ import annotations

import argparse
import shlex
import tempfile
from pathlib import Path
from typing import Any

from alloclab.cli.arguments import add_json, checked, positive, print_json
from alloclab.errors import EXIT_FAILED, EXIT_OK
from alloclab.traces import open_trace
from alloclab.units import format_bytes
from alloclab.workloads import Workload, workload, workloads
from alloclab.workloads.recording import (
    SHIPPED_LEVEL,
    Difference,
    differences,
    record_workload,
    ship,
    verify,
)
from alloclab.workloads.validation import MALLOCS, Validation, validate

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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, act, help_text in (
        ("list", _list, "one line a workload"),
        ("show", _show, "all that is known of some workloads"),
        ("verify", _verify, "check the shipped recordings (all, when none is named)"),
        ("record", _record, "run the programs again and compare the counts"),
        ("validate", _validate, "set the replay under each malloc beside the program under it"),
    ):
        each = actions.add_parser(name, help=help_text, allow_abbrev=False)
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
            each.add_argument("-o", "--output", type=Path, metavar="DIR", help="keep the traces")
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
        print(f"packages  {' '.join(each.packages)}")
        print(f"licence   {each.licence}")
        print(f"counts    {'the same in every run' if each.is_deterministic else 'vary'}")
        for name, ratio in each.spread.items():
            print(f"  {name} {ratio:.4%} off at most, measured")
        print(f"trace     {each.trace_path}\n\n{each.open().summary()}\n")
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
    is_well = True
    document: dict[str, Any] = {}
    for each in _chosen(arguments):
        with tempfile.TemporaryDirectory(prefix="alloclab-shelf-") as folder:
            place = arguments.output or Path(folder)
            place.mkdir(parents=True, exist_ok=True)
            paths = [
                place / f"{each.name}{f'-{number}' if number else ''}.alloctrace"
                for number in range(arguments.repeats)
            ]
            for path in paths:
                is_shipped = arguments.write and path == paths[0]
                record_workload(each, path, level=SHIPPED_LEVEL if is_shipped else 6)
            summaries = [open_trace(path).summary() for path in paths]
            rows = [differences(each, summary) for summary in summaries]
            if arguments.write:
                ship(each, paths[0], summaries[1:])
        document[each.name] = [[_difference_json(row) for row in table] for table in rows]
        if not arguments.json:
            _print_differences(each.name, rows)
        is_well &= arguments.write or all(row.is_within for table in rows for row in table)
    if arguments.json:
        print_json(document)
    return EXIT_OK if is_well else EXIT_FAILED


def _difference_json(row: Difference) -> dict[str, Any]:
    return {
        "name": row.name,
        "shipped": row.shipped,
        "recorded": row.recorded,
        "ratio": row.ratio,
        "is_within": row.is_within,
    }


def _print_differences(name: str, tables: list[list[Difference]]) -> None:
    for table in tables:
        print(name)
        for row in table:
            verdict = "" if row.is_within else f"  more than {row.tolerance_ratio:.2%}"
            print(
                f"  {row.name:<26} {row.shipped:>15,} shipped {row.recorded:>15,} now "
                f"{row.ratio:>8.3%} off{verdict}"
            )


def _validate(arguments: argparse.Namespace) -> int:
    found: list[Validation] = []
    for each in _chosen(arguments):
        found.append(validate(each, MALLOCS, repeats=arguments.repeats))
        if not arguments.json:
            print(found[-1].table(), flush=True)
    if arguments.json:
        print_json([each.to_json() for each in found])
    return EXIT_OK if all(each.is_close for each in found) else EXIT_FAILED
