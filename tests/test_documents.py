# SPDX-License-Identifier: MIT
"""What the documents say can be followed: links lead somewhere, examples are real."""

import ast
import re
import shlex
import shutil
from pathlib import Path

import pytest

import alloclab
from alloclab import cli
from alloclab.allocators import KNOWN, OwnAllocator


def documents(checkout: Path) -> list[Path]:
    names = [*checkout.glob("*.md"), checkout / "cpp" / "README.md"]
    return sorted([*names, *(checkout / "docs").rglob("*.md")])


def code_blocks(text: str) -> list[str]:
    """The indented blocks of a document, as they would be typed."""
    blocks, lines = [], []
    for line in [*text.splitlines(), "end"]:
        if line.startswith("    ") or (lines and not line.strip()):
            lines.append(line[4:])
        elif lines:
            blocks.append("\n".join(lines).rstrip())
            lines = []
    return blocks


def test_every_link_between_documents_leads_somewhere(checkout: Path) -> None:
    broken = []
    for document in documents(checkout):
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8")):
            if "://" not in target and not (document.parent / target).exists():
                broken.append(f"{document.relative_to(checkout)}: {target}")
    assert broken == []


def test_the_python_of_the_readme_names_what_there_is(checkout: Path) -> None:
    blocks = code_blocks((checkout / "README.md").read_text(encoding="utf-8"))
    examples = [block for block in blocks if block.startswith("import alloclab as al")]
    assert len(examples) >= 2
    for block in examples:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "al":
                assert hasattr(alloclab, node.attr), node.attr


def test_the_commands_of_the_readme_have_their_verbs(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = code_blocks((checkout / "README.md").read_text(encoding="utf-8"))
    commands = [
        shlex.split(line)
        for block in blocks
        for line in block.splitlines()
        if line.startswith("alloclab ")
    ]
    assert len(commands) >= 5
    for verb in sorted({words[1] for words in commands}):
        assert cli.main([verb, "--help"]) == 0
        assert f"  alloclab {verb}" in capsys.readouterr().out, f"{verb} shows no example"


def test_the_scripts_the_documents_name_exist(checkout: Path) -> None:
    for document in documents(checkout):
        for script in re.findall(r"\bci/\w+\.(?:sh|py)\b", document.read_text(encoding="utf-8")):
            assert (checkout / script).is_file(), f"{document.name}: {script}"


def test_the_allocator_in_the_readme_runs_as_it_stands(
    checkout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not (shutil.which("c++") or shutil.which("g++")):
        pytest.skip("no C++ compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.chdir(checkout)
    blocks = code_blocks((checkout / "README.md").read_text(encoding="utf-8"))
    (example,) = [block for block in blocks if "al.compile(" in block]
    names: dict[str, object] = {}
    exec(example, names)
    table = capsys.readouterr().out
    assert re.search(r"^Bump#[0-9a-f]{8} .* MB ", table, re.MULTILINE), table


def own_allocators() -> list[type[OwnAllocator]]:
    return [kind for kind in KNOWN.values() if issubclass(kind, OwnAllocator)]


def test_every_allocator_has_a_document_and_a_line_in_the_index(checkout: Path) -> None:
    folder = checkout / "docs" / "allocators"
    index = (folder / "README.md").read_text(encoding="utf-8")
    for kind in own_allocators():
        name = kind.__name__
        line = re.search(rf"^\| \[{name}\]\((\S+)\) \| `al\.{name}\(", index, re.MULTILINE)
        assert line, f"{name} is not in docs/allocators/README.md"
        document = (folder / line[1]).read_text(encoding="utf-8")
        assert re.search(rf"\b{name}\b", document), f"{line[1]}: no {name}"


def test_every_allocator_passes_the_conformance_suite(checkout: Path) -> None:
    tests = checkout / "cpp" / "tests"
    cases = "".join(
        path.read_text(encoding="utf-8")
        for path in [*tests.rglob("*_cases.hpp"), *tests.rglob("*conformance*.cpp")]
    )
    # One refuses everything; of the last two, one is the user's own and one a stack of others.
    exempt = {"Null", "Plugin", "Debug"}
    named = {"Traced": "Trace"}
    for kind in own_allocators():
        name = named.get(kind.__name__, kind.__name__)
        if name not in exempt:
            assert re.search(rf"\b{name}(Case|<|>)", cases), f"{name} has no conformance case"
