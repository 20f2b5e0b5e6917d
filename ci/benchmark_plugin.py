# SPDX-License-Identifier: MIT
"""What an allocator of one's own costs: to compile, and to call beside a built-in one."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import alloclab as al
from alloclab.allocators import Launch
from alloclab.replay import NullReplay, order_template
from alloclab.replay.child import run_child
from benchmark_rows import ROOT, Row

EXAMPLES = ROOT / "docs" / "plugins"
COMPILE_LIMIT_S = 0.7
TRACE = ROOT / "workloads" / "cc1plus.alloctrace"


def plugin(repeats: int) -> list[Row]:
    """Compiling the examples, and a bump through the C table against the arena through it."""
    return [*(_compiling(name, repeats) for name in ("readme", "bump.cpp")), _calling(repeats)]


def readme_source() -> str:
    """Returns the C++ of the README's example."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.partition("bump = al.compile(")[2].partition('"""')[2].partition('"""')[0]
    return "\n".join(line.removeprefix("    ") for line in block.splitlines())


def _compiling(name: str, repeats: int) -> Row:
    times, kept = [], os.environ.get("XDG_CACHE_HOME")
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_CACHE_HOME"] = folder
            before = time.perf_counter()
            if name == "readme":
                al.compile(readme_source(), class_name="Bump")
            else:
                al.Plugin(EXAMPLES / name).library()
            times.append(time.perf_counter() - before)
    os.environ.pop("XDG_CACHE_HOME")
    if kept is not None:
        os.environ["XDG_CACHE_HOME"] = kept
    median = statistics.median(times)
    shown = "the README's example" if name == "readme" else f"docs/plugins/{name}"
    return Row(
        f"compiling {shown}",
        f"<= {COMPILE_LIMIT_S} s",
        f"{median:.2f} s ({min(times):.2f} to {max(times):.2f})",
        median <= COMPILE_LIMIT_S,
    )


def _calling(repeats: int) -> Row:
    """Nothing is touched, so that it is the calls that are timed and not the page faults."""
    library = str(al.Plugin(EXAMPLES / "bump.cpp").library())
    specs = {
        "plugin": {"allocator": "plugin", "options": {"library": library}},
        "arena": {"allocator": "arena"},
    }
    template = order_template(TRACE, touch="none")
    null = NullReplay(template)
    times: dict[str, list[float]] = {name: [] for name in specs}
    for _ in range(repeats):
        null.measure()
        for name, spec in specs.items():
            launch = Launch("composed", spec=json.dumps(spec))
            answer = run_child(replace(template, launch=launch))
            batch_ns = answer["cpu_ns"] - null.answers[-1]["cpu_ns"]
            times[name].append(batch_ns / answer["replayed_events"])
    ours, theirs = (statistics.median(times[name]) for name in ("plugin", "arena"))
    return Row(
        f"a plugin's bump against the built-in arena, both type-erased, {Path(TRACE).stem}, "
        "nothing touched",
        "",
        f"{ours:.2f} against {theirs:.2f} ns/event ({ours / theirs:.2f}x)",
        None,
    )
