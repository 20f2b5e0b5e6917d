# SPDX-License-Identifier: MIT
"""Reads call sites out of a capture file: which functions stand above an allocation of a size."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from alloclab import _native
from support.capture_events import RawCapture, read_capture
from support.recorded_programs import environment

ALLOCATIONS = ("allocate", "allocate_any", "realloc_end", "realloc_end_any")


@dataclass
class Module:
    begin: int
    end: int
    path: str
    build_id: str
    bias: int


@dataclass
class Sites:
    """The stacks of a capture's allocations by size, as (object's path, function), innermost first.

    An allocation without a site has an empty stack.
    """

    by_size: dict[int, list[tuple[tuple[str, str], ...]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    frames: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    modules: list[Module] = field(default_factory=list)
    gone: list[Module] = field(default_factory=list)
    frame_count: int = 0
    site_count: int = 0

    def functions(self, size: int) -> list[list[str]]:
        return [[function for _, function in stack] for stack in self.by_size[size]]


def run_with_sites(command: list[str], folder: Path, sites: str) -> list[RawCapture]:
    """Runs a command under the recorder itself, without the driver; reads what it left."""
    folder.mkdir(exist_ok=True)
    (folder / "options").write_text(f"sites={sites}\n", encoding="ascii")
    given = environment(LD_PRELOAD=str(_native.record_library()), ALLOCLAB_RECORD_DIR=str(folder))
    subprocess.run(command, check=True, env=given, stdout=subprocess.DEVNULL)
    paths = sorted(folder.glob("*.capture"), key=os.path.getmtime)
    return [read_capture(path) for path in paths]


def sites_of(capture: RawCapture) -> Sites:
    """Puts the stacks together: events of one thread are in order, which is all that counts."""
    sites = Sites()
    frames: dict[int, list[tuple[int, tuple[str, str]]]] = defaultdict(list)
    pending: dict[int, int] = {}
    for event in capture.events:
        thread = event.thread
        if event.word == "module":
            change, begin, end, path, build_id, bias = event.fields
            module = Module(begin, end, capture.names[path], capture.names[build_id], bias)
            (sites.modules if change else sites.gone).append(module)
        elif event.word == "frame":
            parent, address = event.fields
            assert event.lane == 0
            assert parent <= len(frames[thread])
            frames[thread].append((parent, _function_at(sites.modules, address - 1)))
        elif event.word == "site":
            assert event.lane == 0
            assert 0 < event.fields[0] <= len(frames[thread])
            assert thread not in pending
            pending[thread] = event.fields[0]
            sites.site_count += 1
        elif event.word in ALLOCATIONS and event.lane == 0:
            stack, site = [], pending.pop(thread, 0)
            frame = site
            while frame:
                frame, function = frames[thread][frame - 1]
                stack.append(function)
            if len(event.fields) > 1:
                size = _size_of(event.word, event.fields)
                sites.by_size[size].append(tuple(stack))
                sites.frames[size].append(site)
    sites.frame_count = sum(map(len, frames.values()))
    return sites


def _size_of(word: str, fields: tuple[int, ...]) -> int:
    return fields[1] if word == "allocate_any" else fields[0]


def _function_at(modules: list[Module], address: int) -> tuple[str, str]:
    for module in reversed(modules):  # the latest at an address is the one that is there
        if module.begin <= address < module.end:
            return module.path, _symbol(module.path, address - module.bias)
    return "", ""


_symbols: dict[str, list[tuple[int, str]]] = {}


def _symbol(path: str, address: int) -> str:
    if not path.startswith("/"):
        return ""
    if path not in _symbols:
        told = subprocess.run(["nm", "-n", path], capture_output=True, text=True, check=False)
        rows = [line.split() for line in told.stdout.splitlines()]
        _symbols[path] = [(int(row[0], 16), row[2]) for row in rows if len(row) == 3]
    found = ""
    for begin, name in _symbols[path]:
        if begin > address:
            break
        found = name
    return found
