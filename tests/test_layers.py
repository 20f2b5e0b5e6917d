# SPDX-License-Identifier: MIT
"""The one-way order of the layers, the length of files, and what no committed file may hold."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CPP_ORDER = [
    {"base"},
    {"vm"},
    {"alloc"},
    {"gc"},
    {"trace"},
    {"record"},
    {"seal"},
    {"import"},
    {"measure"},
    {"peers"},
    {"compose"},
    {"subsystems"},
    {"replay"},
    {"bindings", "tools"},
]
PYTHON_ORDER = [
    {"errors", "units"},
    {"marker"},
    {"_core", "_native", "_recording"},
    {
        "stacks",
        "symbols",
        "traces",
        "trace_builder",
        "traces_diff",
        "captures",
        "staging",
        "record",
        "record_options",
        "output_marks",
        "_cells",
        "recording",
        "allocators",
        "growth",
        "formats",
        "compile",
        "concurrency",
        "distributions",
        "gcc_phases",
        "lifetimes",
        "live_bytes",
        "phases",
        "profiles",
        "textbook",
        "top",
        "trace_path",
        "trace_table",
        "views",
    },
    {"live"},
    {"subsystems"},
    {"replay"},
    {"results"},
    {"stats"},
    {"sweep", "tune", "gate", "simulate", "synthetic"},
    {"workloads"},
    {"cli", "_pytest", "_magic", "_recording_magic", "__main__"},
]
SOURCE_SUFFIXES = {".cpp", ".hpp", ".h", ".c", ".py", ".js", ".sh"}
TEXT_SUFFIXES = SOURCE_SUFFIXES | {".md", ".toml", ".txt", ".cmake", ".ipynb", ".json", ".pyi"}


def rank(order: list[set[str]], name: str) -> int | None:
    return next((place for place, names in enumerate(order) if name in names), None)


def cpp_layer(path: Path) -> str | None:
    """The layer a file under cpp/ belongs to: cpp/include/alloclab/<layer>, cpp/src/<layer>, ..."""
    parts = path.parts
    if parts[:3] == ("cpp", "include", "alloclab") and len(parts) > 4:
        return parts[3]
    if parts[:2] == ("cpp", "src") and len(parts) > 3:
        return parts[2]
    if parts[:1] == ("cpp",) and parts[1] in ("bindings", "tools"):
        return parts[1]
    return None


def wrong_includes(layer: str, text: str) -> Iterator[str]:
    own = rank(CPP_ORDER, layer)
    for included in re.findall(r'^\s*#\s*include\s*[<"]alloclab/([^>"]+)[>"]', text, re.M):
        target, _, rest = included.partition("/")
        place = rank(CPP_ORDER, target)
        if not rest:
            continue  # plugin.h, which is below every layer
        if own is None or place is None:
            yield f"{included}: not a layer of the core"
        elif place > own:
            yield included
        elif rest.startswith("detail/") and target != layer:
            yield f"{included}: another layer's detail"


def python_module(path: Path) -> str | None:
    """The module of the package a file belongs to: `views` for python/alloclab/views/lines.py."""
    if path.parts[:2] != ("python", "alloclab") or path.suffix != ".py":
        return None
    name = path.parts[2].removesuffix(".py")
    return None if name == "__init__" else name


def imported_modules(source: str, package: list[str]) -> Iterator[tuple[str, int]]:
    """Yields (module of ours, line) for each import, absolute or relative, at any depth."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("alloclab."):
                    yield alias.name.split(".")[1], node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            full = base + (node.module.split(".") if node.module else [])
            if full[:1] == ["alloclab"]:
                for name in full[1:2] or [alias.name for alias in node.names]:
                    yield name, node.lineno


def tracked(checkout: Path) -> list[Path]:
    """What is committed, or would be: paths relative to the checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        names = [Path(name) for name in listed.stdout.split("\0") if name]
    else:  # an unpacked source archive has no history
        names = [path.relative_to(checkout) for path in checkout.rglob("*")]
        names = [path for path in names if path.parts[0] not in ("build", ".venv", "compare")]
    return [path for path in names if (checkout / path).is_file()]


def test_cpp_layers_include_only_what_is_below_them(checkout: Path) -> None:
    wrong, seen = [], 0
    for path in tracked(checkout):
        layer = cpp_layer(path)
        if layer is None or path.suffix not in (".hpp", ".cpp", ".h", ".c"):
            continue
        seen += 1
        text = (checkout / path).read_text(encoding="utf-8")
        wrong += [f"{path} includes {name}" for name in wrong_includes(layer, text)]
    assert wrong == []
    assert seen > 20


def test_python_modules_import_only_what_is_below_them(checkout: Path) -> None:
    wrong, seen = [], 0
    for path in tracked(checkout):
        module = python_module(path)
        if module is None:
            continue
        own = rank(PYTHON_ORDER, module)
        assert own is not None, f"{path}: a module without a place in the order"
        seen += 1
        source = (checkout / path).read_text(encoding="utf-8")
        for name, line in imported_modules(source, list(path.parts[1:-1])):
            place = rank(PYTHON_ORDER, name)
            if name != module and place is not None and place > own:
                wrong.append(f"{path}:{line} imports {name}")
    assert wrong == []
    assert seen > 10


def test_files_are_short_enough_to_read(checkout: Path) -> None:
    lengths = {
        path: len((checkout / path).read_text(encoding="utf-8").splitlines())
        for path in tracked(checkout)
        if path.suffix in SOURCE_SUFFIXES
    }
    limits = {path: 800 if "tests" in path.parts else 600 for path in lengths}
    assert [f"{path}: {n} lines" for path, n in lengths.items() if n > limits[path]] == []
    assert len((checkout / "CMakeLists.txt").read_text(encoding="utf-8").splitlines()) <= 150


def test_source_files_open_with_their_licence(checkout: Path) -> None:
    bare = []
    for path in tracked(checkout):
        if path.suffix in SOURCE_SUFFIXES:
            opening = (checkout / path).read_text(encoding="utf-8").splitlines()[:2]
            if not any("SPDX-License-Identifier: MIT" in line for line in opening):
                bare.append(str(path))
    assert bare == []


def test_no_file_names_a_machine_or_leaves_work_behind(checkout: Path) -> None:
    home = re.compile(r"(?<![\w.$}~-])/(?:root|home/\w+|work|Users/\w+)/\w")
    unfinished = re.compile(r"\b(?:TO" r"DO|FIX" r"ME)\b(?!\s*\(?#\d)")
    found = []
    for path in tracked(checkout):
        if path.suffix not in TEXT_SUFFIXES:
            continue
        for number, line in enumerate(
            (checkout / path).read_text(encoding="utf-8").splitlines(), start=1
        ):
            if home.search(line) or unfinished.search(line):
                found.append(f"{path}:{number}: {line.strip()[:80]}")
    assert found == []


def test_shipped_recordings_stay_small(checkout: Path) -> None:
    sizes = {
        path: (checkout / path).stat().st_size
        for path in tracked(checkout)
        if path.parts[0] == "workloads"
    }
    assert {path: size for path, size in sizes.items() if size > 4 << 20} == {}
    assert sum(sizes.values()) <= 20 << 20


@pytest.mark.parametrize(
    ("layer", "line"),
    [
        ("base", "#include <alloclab/vm/page_source.hpp>"),
        ("alloc", '#include "alloclab/trace/event.hpp"'),
        ("record", "#include <alloclab/seal/sealer.hpp>"),
        ("replay", "#include <alloclab/trace/detail/columns.hpp>"),
        ("replay", "#include <alloclab/stray/thing.hpp>"),
    ],
)
def test_a_wrong_include_is_found(layer: str, line: str) -> None:
    assert len(list(wrong_includes(layer, f"#pragma once\n{line}\n"))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "from alloclab.cli import main",
        "from ..cli import main",
        "from .. import cli",
        "import alloclab.cli.compare",
        "def late() -> None:\n    from alloclab import cli",
    ],
)
def test_every_way_to_import_is_seen(line: str) -> None:
    assert [name for name, _ in imported_modules(line, ["alloclab", "views"])] == ["cli"]
