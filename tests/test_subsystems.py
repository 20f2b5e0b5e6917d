# SPDX-License-Identifier: MIT
"""An allocator for each part of a program: presets, figures, reports, what the environment asks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import alloclab as al
from alloclab.subsystems import preset_rows

BLOCKS = al.Arena(initial="256 KiB", growth=1, max_chunk="256 KiB")


def test_the_eleven_rows_of_swiftlang() -> None:  # S8 to S19
    rows = {row.key: row for row in preset_rows("swiftlang")}
    assert list(rows) == [
        *("vm", "objects", "strings", "bytecode", "compiler", "ast"),
        *("parser", "symbols", "modules", "stdlib", "temp"),
    ]
    for key in ("vm", "modules", "stdlib"):
        assert rows[key].spec == al.Platform()
    for key in ("bytecode", "compiler", "ast", "parser", "symbols", "temp"):
        assert rows[key].spec == BLOCKS
        assert rows[key].reset_when is not None
    assert rows["strings"].spec == al.Arena(initial="1 MiB", growth=1, max_chunk="1 MiB")
    assert rows["objects"].spec.name == "segregator"
    assert rows["vm"].title == "VM Core"
    assert rows["bytecode"].reset_with == "compiler"


@pytest.mark.parametrize("preset", ["swiftlang", "weir", "roc"])
@pytest.mark.parametrize("traced", [False, True])
def test_every_part_of_every_preset_works(preset: str, traced: bool) -> None:
    with al.subsystems(preset, statistics=False, traced=traced) as parts:
        for key, part in parts.items():
            block = part.allocate(100, tag=key)
            with memoryview(block) as view:
                view[:] = b"x" * 100
            assert part.stats()["current_bytes"] == 100


def test_the_scopes_of_roc_and_weir() -> None:  # R7, R37, W1
    roc = {row.key: row.spec.name for row in preset_rows("roc")}
    kinds = ["build", "module", "task", "session", "artifact", "stage", "backend"]
    assert list(roc) == [*kinds, "result"]
    assert {key for key, name in roc.items() if name == "arena"} == {
        *("task", "session", "artifact", "stage")
    }
    weir = {row.key: row.spec.name for row in preset_rows("weir")}
    assert weir == {"heap": "pool", "arena": "arena"}


def test_an_unknown_preset_or_part_is_named_with_the_known_ones() -> None:
    with pytest.raises(al.Error, match='no preset "javalang"; known: swiftlang, weir, roc'):
        al.subsystems("javalang")
    with pytest.raises(al.UsageError, match="no subsystem 'gpu': weir has heap, arena"):
        al.subsystems("weir")["gpu"]


def test_statistics_are_the_text_of_the_document() -> None:  # S38
    parts = al.subsystems("swiftlang", statistics=False, traced=False)
    kept = [parts["vm"].allocate(1000) for _ in range(3)]
    parts["vm"].deallocate(kept.pop())
    parts["ast"].allocate(500)
    parts.reset("ast")
    assert parts.statistics_report() == (
        "=== Memory Allocator Statistics ===\n"
        "\n--- VM Core ---\n"
        "Total Allocated:  3000 bytes\n"
        "Current Usage:    2000 bytes\n"
        "Peak Usage:       3000 bytes\n"
        "Allocations:      3\n"
        "\n--- AST ---\n"
        "Total Allocated:  500 bytes\n"
        "Current Usage:    0 bytes (reset after compilation)\n"
        "Peak Usage:       500 bytes\n"
    )


def test_the_compilers_reset_takes_the_bytecode_along() -> None:
    parts = al.subsystems("swiftlang", statistics=False, traced=False)
    compiler, code = parts["compiler"].allocate(8), parts["bytecode"].allocate(8)
    other = parts["ast"].allocate(8)
    parts.reset("compiler")
    assert not compiler.is_live and not code.is_live
    assert other.is_live


def test_a_reset_of_a_group_is_all_or_nothing() -> None:
    parts = al.subsystems("swiftlang", statistics=False, traced=False)
    compiler = parts["compiler"].allocate(8)
    code = parts["bytecode"].array(10, tag="opcodes")
    with pytest.raises(al.ArenaEscapeError, match=r"'Bytecode' cannot reset.*\[opcodes\]"):
        parts.reset("compiler")
    assert compiler.is_live
    del code
    parts.reset("compiler")
    assert not compiler.is_live
    with pytest.raises(AttributeError, match="platform has no reset"):
        parts.reset("vm")


def test_leaks_name_the_line_and_the_tag() -> None:  # S2, S3, S37
    parts = al.subsystems("swiftlang", statistics=False, traced=True)
    assert parts.leak_report() == ""
    state = parts["vm"].allocate(200, tag="game-state")
    parts["ast"].allocate(50, tag="an arena's blocks end with it")
    line = sys._getframe().f_lineno - 2
    assert parts.leak_report() == (
        "=== MEMORY LEAKS DETECTED ===\n"
        "200 bytes leaked in 1 allocations\n"
        f"  {state.address:#x}: 200 bytes at test_subsystems.py:{line} [game-state]\n"
    )
    assert "| game-state          |     1 |         200  |      200  |" in parts.tag_report()


def run(code: str, **environment: str) -> str:
    """Runs Python in a process of its own and returns what it wrote to standard error."""
    plain = {name: value for name, value in os.environ.items() if "_MEM_" not in name}
    done = subprocess.run(
        [sys.executable, "-c", f"import alloclab as al\n{code}"],
        env={**plain, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


USE = "parts = al.subsystems()\nkept = parts['vm'].allocate_address(64, tag='kept')\n"


@pytest.mark.parametrize("prefix", ["ALLOCLAB", "SWIFTLANG"])
def test_the_environment_asks_for_statistics_at_exit(prefix: str) -> None:  # S24
    printed = run(USE, **{f"{prefix}_MEM_STATS": "1"})
    assert printed.count("=== Memory Allocator Statistics ===") == 1
    assert "--- VM Core ---\nTotal Allocated:  64 bytes\n" in printed
    assert run(USE) == ""
    assert run(USE, **{f"{prefix}_MEM_STATS": "0"}) == ""


def test_the_environment_asks_for_traces() -> None:  # S25
    printed = run(USE, ALLOCLAB_MEM_DEBUG="1")
    assert printed.count("=== MEMORY LEAKS DETECTED ===") == 1
    assert "64 bytes at <string>:3 [kept]" in printed
    assert "Statistics" not in printed


def test_what_is_asked_for_is_printed_once() -> None:  # Bug G
    printed = run(USE + "parts.close()\nparts.close()\n", ALLOCLAB_MEM_STATS="1")
    assert printed.count("=== Memory Allocator Statistics ===") == 1
