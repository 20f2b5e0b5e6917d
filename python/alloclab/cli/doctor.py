# SPDX-License-Identifier: MIT
"""`alloclab doctor`: what this machine has, lacks, and how to get it."""

from __future__ import annotations

import argparse
import importlib.metadata
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from alloclab import _native
from alloclab.allocators import Arena, Jemalloc, Mimalloc, Peer, Pool, Tcmalloc
from alloclab.cli.arguments import add_json, print_json
from alloclab.errors import EXIT_OK, Error, NotInstalled
from alloclab.results import environment

NAME = "doctor"
SUMMARY = "say what is installed, what is missing, and how to get it"
DESCRIPTION = """\
Looks at the lab's own parts, the allocators it can compare, Python packages, compilers and the
kernel's settings that matter to measuring. Changes nothing; a missing peer is no failure.

  alloclab doctor
"""
_PERF = Path("/proc/sys/kernel/perf_event_paranoid")


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ok, missing, or a note; and what to do, where there is something."""

    group: str
    name: str
    state: str
    detail: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    findings = examine()
    if arguments.json:
        print_json([asdict(each) for each in findings])
        return EXIT_OK
    width = max(len(each.name) for each in findings)
    group = ""
    for each in findings:
        if each.group != group:
            print(each.group if not group else f"\n{each.group}")
            group = each.group
        print(f"  {each.state.ljust(7)}  {each.name.ljust(width)}  {each.detail}")
    return EXIT_OK


def examine() -> list[Finding]:
    """Returns everything the doctor looks at, in the order it is printed."""
    return [*_parts(), *_peers(), *_packages(), *_compilers(), *_machine()]


def _parts() -> list[Finding]:
    group = "The lab"
    version, build = environment.core_fact("version"), environment.core_fact("build_type")
    findings = [Finding(group, "alloclab", "ok", f"{version}, {build} build")]
    if version == "not built":
        hint = "the compiled core is missing: pip install ."
        findings = [Finding(group, "alloclab", "missing", hint)]
    elif build == "Debug":
        hint = f"{version}, a Debug build: it refuses to time; build RelWithDebInfo"
        findings = [Finding(group, "alloclab", "note", hint)]
    parts: dict[str, Callable[[], Path]] = {
        "replay child": _native.replay_executable,
        "recorder": _native.record_library,
        "pool behind malloc": lambda: Pool().launch().preload[0],
        "arena behind malloc": lambda: Arena().launch().preload[0],
    }
    for name, find in parts.items():
        try:
            findings.append(Finding(group, name, "ok", str(find())))
        except Error as error:
            findings.append(Finding(group, name, "missing", str(error)))
    return findings


def _peers() -> list[Finding]:
    group = "Allocators of others"
    findings = [Finding(group, "glibc", "ok", environment.c_library())]
    peers: tuple[type[Peer], ...] = (Jemalloc, Mimalloc, Tcmalloc)
    for peer in peers:
        try:
            library = peer().launch().preload[0]
            version = environment.package_version(library)
            detail = f"{library}, package version {version}" if version else str(library)
            findings.append(Finding(group, peer.name, "ok", detail))
        except NotInstalled as error:
            findings.append(Finding(group, peer.name, "missing", error.how))
        except Error as error:
            findings.append(Finding(group, peer.name, "missing", str(error)))
    return findings


def _packages() -> list[Finding]:
    extras = {"numpy": "", "matplotlib": "plot", "pandas": "pandas", "nbclient": "notebook"}
    findings = []
    for name, extra in extras.items():
        try:
            version = importlib.metadata.version(name)
            findings.append(Finding("Python packages", name, "ok", version))
        except importlib.metadata.PackageNotFoundError:
            how = f"pip install 'alloclab[{extra}]'" if extra else f"pip install {name}"
            findings.append(Finding("Python packages", name, "missing", how))
    return findings


def _compilers() -> list[Finding]:
    findings = []
    for name, package in (("g++", "g++"), ("clang++", "clang"), ("cmake", "cmake")):
        path = shutil.which(name) or shutil.which(f"{name}-14")
        if path is None:
            findings.append(Finding("Compilers", name, "missing", f"apt-get install {package}"))
        else:
            findings.append(Finding("Compilers", name, "ok", f"{path}, {_first_line(path)}"))
    return findings


def _machine() -> list[Finding]:
    group = "The machine"
    facts = environment.fingerprint()
    findings = [
        Finding(group, "processor", "ok", f"{facts['cpu_model']}, {facts['cpu_count']} usable"),
        Finding(group, "kernel", "ok", facts["kernel"]),
        Finding(
            group,
            "huge pages",
            "ok",
            f"{facts['system_transparent_huge_pages']}; measuring children turn them off",
        ),
    ]
    if _can_fix_addresses():
        detail = f"{facts['system_address_randomisation']}; measuring children turn it off"
        findings.append(Finding(group, "address randomisation", "ok", detail))
    else:
        detail = (
            "cannot be turned off here (a container's filter?): footprints vary by a few pages; "
            "allow the personality system call"
        )
        findings.append(Finding(group, "address randomisation", "note", detail))
    findings.append(_perf(group))
    return findings


def _perf(group: str) -> Finding:
    try:
        level = int(_PERF.read_text())
    except (OSError, ValueError):
        return Finding(group, "hardware counters", "note", "not there; the lab needs none")
    state = "ok" if level <= 2 else "note"
    return Finding(group, "hardware counters", state, f"perf_event_paranoid is {level}")


def _can_fix_addresses() -> bool:
    setarch = shutil.which("setarch")
    if setarch is None:
        return True  # cannot be asked; the child says so itself when it cannot
    return subprocess.run([setarch, "-R", "true"], capture_output=True, check=False).returncode == 0


def _first_line(path: str) -> str:
    try:
        result = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return "does not start"
    return next(iter(result.stdout.splitlines()), "says no version")
