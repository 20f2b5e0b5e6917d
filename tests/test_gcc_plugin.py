# SPDX-License-Identifier: MIT
"""The GCC plugin: scopes that nest in every kind of compile, and no compile changed by it.

Rows R7, Q3: the phases of a compiler nobody changed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from alloclab import cli
from alloclab.compile.compiler import identify
from alloclab.compile.gcc_plugin import PLUGIN_FLAGS, gcc_plugin, plugin_include_dir
from alloclab.errors import NotInstalled, UsageError
from alloclab.gcc_phases import add_gcc_phases

PROGRAMS = Path(__file__).parent / "programs"
SOURCES = {
    "thing.cpp": """
#include <vector>
namespace lab {
struct Thing {
    Thing() {}
    ~Thing() { values.clear(); }
    int sum() const {
        auto add = [this](int more) { return more + int(values.size()); };
        return add(3);
    }
    std::vector<int> values;
};
template <class T> T twice(T given) { return given + given; }
}
namespace { int hidden(int given) { return given * 3; } }
int use(int count) {
    lab::Thing thing;
    for (int at = 0; at < count; at++) thing.values.push_back(hidden(at));
    return thing.sum() + lab::twice(count);
}
""",
    "plain.c": """
int redeclared(int);
int redeclared(int given) {
    int inner(int more) { return more + given; }
    return inner(2);
}
int main(void) { return redeclared(-2); }
""",
    "wrong.cpp": """
template <class T> struct Box { void open() { T value; value.nothing(); } };
void use() { Box<int> box; box.open(); auto call = [](int at) { return at + absent; }; call(1); }
int broken( { return 1; }
""",
}


@pytest.fixture(scope="module")
def plugin() -> Path:
    if not shutil.which("g++") or not identify(["g++"]).is_gcc:
        pytest.skip("g++ is not GCC")
    try:
        return gcc_plugin("g++")
    except NotInstalled as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("recorder") / "scope_log.so"
    source = str(PROGRAMS / "scope_log.c")
    subprocess.run(["cc", "-shared", "-fPIC", source, "-o", str(library)], check=True)
    return library


class Compiles:
    """Compiles in a folder that has the sources, bare, with the plugin, and with a recorder."""

    def __init__(self, folder: Path, plugin: Path, recorder: Path) -> None:
        self.folder, self.plugin, self.recorder = folder, plugin, recorder
        for name, text in SOURCES.items():
            (folder / name).write_text(text, encoding="utf-8")

    def bare(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self._run(words, {})

    def loaded(self, *words: str, plugin: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self._run((*words, f"-fplugin={plugin or self.plugin}"), {})

    def recorded(self, *words: str) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
        """Returns how it ended, and the scopes of each process in the order they began."""
        log = self.folder / "scopes"
        with_recorder = {"LD_PRELOAD": str(self.recorder), "SCOPE_LOG": str(log)}
        ended = self._run((*words, f"-fplugin={self.plugin}"), with_recorder)
        logs = sorted(self.folder.glob("scopes.*"), key=lambda path: path.stat().st_mtime_ns)
        scopes = [path.read_text("utf-8").splitlines() for path in logs]
        for path in logs:
            path.unlink()
        return ended, scopes

    def _run(
        self, words: tuple[str, ...], more: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"LC_ALL": "C", "CCACHE_DISABLE": "1"} | more
        return subprocess.run(
            words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def compiles(tmp_path: Path, plugin: Path, recorder: Path) -> Compiles:
    return Compiles(tmp_path, plugin, recorder)


def names_at(scopes: list[str], indent: int, kind: str) -> list[str]:
    opening = " " * indent + kind + " "
    return [line.removeprefix(opening) for line in scopes if line.startswith(opening)]


ORDERLY = (
    ("g++", "-O0", "-c", "thing.cpp"),
    ("g++", "-O2", "-c", "thing.cpp"),
    ("g++", "-O2", "-g", "-fopenmp", "-c", "thing.cpp"),
    ("gcc", "-O0", "-c", "plain.c"),
    ("gcc", "-O2", "-c", "plain.c"),
    ("gcc", "-O2", "-x", "c", "-c", "plain.c"),
)


@pytest.mark.parametrize("words", ORDERLY, ids=" ".join)
def test_the_object_is_the_same_with_the_plugin_and_while_recorded(
    compiles: Compiles, words: tuple[str, ...]
) -> None:
    quiet = (*words, "-gno-record-gcc-switches")
    objects = []
    for run in (compiles.bare, compiles.loaded, lambda *each: compiles.recorded(*each)[0]):
        ended = run(*quiet, "-o", "same.o")
        assert (ended.returncode, ended.stderr) == (0, "")
        objects.append((compiles.folder / "same.o").read_bytes())
    assert objects[0] == objects[1] == objects[2]


@pytest.mark.parametrize("words", ORDERLY, ids=" ".join)
def test_scopes_nest_and_are_all_left(compiles: Compiles, words: tuple[str, ...]) -> None:
    _, [scopes] = compiles.recorded(*words, "-o", "any.o")
    assert scopes[0] == f"build {words[-1]}"
    assert scopes[-1] == "all left"
    assert "disorder" not in scopes
    phases = ["parse", "lower", "ipa", "optimise", "finish"]
    assert names_at(scopes, 1, "phase") == phases
    assert max(len(line) - len(line.lstrip()) for line in scopes) <= 9


def test_functions_are_named_as_they_are_parsed_and_as_they_are_optimised(
    compiles: Compiles,
) -> None:
    _, [scopes] = compiles.recorded("g++", "-O0", "-c", "thing.cpp")
    phase_at = {line.split()[1]: at for at, line in enumerate(scopes) if line[:2] == " p"}
    parsed = [line.strip().removeprefix("function ") for line in scopes[: phase_at["lower"]]]
    expanded = names_at(scopes[phase_at["optimise"] :], 2, "function")
    for name in (
        "use",
        "(anonymous)::hidden",
        "lab::twice",
        "lab::Thing::Thing",
        "lab::Thing::~Thing",
        "lab::Thing::sum",
        "lab::Thing::sum::(anonymous)::operator()",
        "std::vector::push_back",
    ):
        assert name in parsed
        assert name in expanded


def test_a_pass_lies_in_the_pass_it_is_part_of(compiles: Compiles) -> None:
    _, [scopes] = compiles.recorded("gcc", "-O2", "-c", "plain.c")
    assert "free_lang_data" in names_at(scopes, 2, "stage")
    at = scopes.index("   stage all_optimizations")
    within = scopes[at + 1 :]
    within = within[: next(n for n, line in enumerate(within) if not line.startswith("    "))]
    assert {"ccp", "vrp"} <= set(names_at(within, 4, "stage"))
    assert "local-fnsummary" in names_at(scopes, 4, "stage")
    lowered = scopes[scopes.index(" phase lower") : scopes.index(" phase ipa")]
    assert "cfg" in names_at(lowered, 3, "stage")
    assert not names_at(lowered, 2, "stage")


def test_a_wrong_source_fails_as_it_does_without(compiles: Compiles) -> None:
    words = ("g++", "-O2", "-c", "wrong.cpp")
    bare, loaded = compiles.bare(*words), compiles.loaded(*words)
    recorded, [scopes] = compiles.recorded(*words)
    assert bare.returncode == loaded.returncode == recorded.returncode == 1
    assert bare.stderr == loaded.stderr == recorded.stderr
    assert scopes[-1] == "all left"
    assert "disorder" not in scopes


@pytest.mark.parametrize("linking", ["-flto", "-flto=2"])
def test_link_time_compiles_are_told_too(compiles: Compiles, linking: str) -> None:
    ended, scopes = compiles.recorded("gcc", "-O2", linking, "plain.c", "-o", "plain")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert subprocess.run([compiles.folder / "plain"], check=False).returncode == 0
    assert all(each[-1] == "all left" and "disorder" not in each for each in scopes)
    firsts = [names_at(each, 1, "phase")[0] for each in scopes]
    assert firsts == ["parse", "read", "read"]
    assert names_at(scopes[-1], 1, "phase") == ["read", "ipa", "optimise", "finish"]


def test_a_plugin_for_another_gcc_steps_aside_in_one_line(
    compiles: Compiles, tmp_path: Path
) -> None:
    include = plugin_include_dir(identify(["g++"]))
    version = (include / "plugin-version.h").read_text("utf-8")
    other = tmp_path / "other"
    other.mkdir()
    altered = version.replace('basever[] = "', 'basever[] = "9')
    assert altered != version
    (other / "plugin-version.h").write_text(altered, encoding="utf-8")
    made = tmp_path / "other.so"
    from alloclab import _native

    subprocess.run(
        [
            "g++",
            *PLUGIN_FLAGS,
            f"-I{other}",
            f"-I{include}",
            _native.gcc_plugin_source(),
            "-o",
            made,
        ],
        check=True,
    )
    ended = compiles.loaded("g++", "-c", "thing.cpp", "-o", "a.o", plugin=made)
    assert ended.returncode == 0
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"alloclab: {made} was built for GCC 9")
    assert compiles.loaded("g++", "-c", "wrong.cpp", plugin=made).returncode == 1


def test_what_a_gcc_may_lack_is_no_reason_to_refuse_the_plugin(plugin: Path) -> None:
    shown = subprocess.run(["nm", "-D", plugin], check=True, capture_output=True, text=True).stdout
    needed = [line.split()[1] for line in shown.splitlines() if line.split()[0] == "U"]
    assert needed
    assert [
        name for name in needed if "@GLIBC" not in name and name != "plugin_default_version_check"
    ] == []


def test_the_plugin_is_built_once_and_serves_both_languages(plugin: Path) -> None:
    assert gcc_plugin("g++") == plugin
    before = plugin.stat().st_mtime_ns
    assert gcc_plugin(["g++"]).stat().st_mtime_ns == before


def fake_compiler(path: Path, version: str) -> Path:
    path.write_text(f"#!/bin/sh\n[ $1 = --version ] && echo '{version}' || echo 14\n")
    path.chmod(0o755)
    return path


def test_missing_headers_and_other_compilers_are_named(tmp_path: Path) -> None:
    bare = fake_compiler(tmp_path / "g++-14", "g++ 14 Free Software Foundation")
    with pytest.raises(NotInstalled, match=r"plugin headers of .*: apt-get install gcc-14-plugin"):
        gcc_plugin(str(bare))
    other = fake_compiler(tmp_path / "c++", "clang version 14")
    with pytest.raises(UsageError, match="is not GCC"):
        add_gcc_phases([str(other), "-c", "a.cpp"])
    with pytest.raises(NotInstalled, match="'no-such-gcc'"):
        gcc_plugin("no-such-gcc")


def test_the_plugin_is_added_behind_the_driver(plugin: Path, tmp_path: Path) -> None:
    added = add_gcc_phases(["g++", "-c", "a.cpp"])
    assert added.words == ("g++", f"-fplugin={plugin}", "-c", "a.cpp")
    assert added.warnings == ()
    cache = tmp_path / "ccache"
    cache.write_text('#!/bin/sh\nexec "$@"\n')
    cache.chmod(0o755)
    behind = add_gcc_phases([str(cache), "g++", "-c", "a.cpp"])
    assert behind.words[:2] == (str(cache), "g++")
    assert behind.words[2].startswith("-fplugin=")
    assert "CCACHE_DISABLE=1" in behind.warnings[0]


@pytest.mark.parametrize("command", [["make", "-j2"], ["clang++", "-c", "a.cpp"], ["python3"]])
def test_what_is_no_driver_is_told_of_flags(command: list[str]) -> None:
    with pytest.raises(
        UsageError, match=f"{re.escape(command[0])} is no driver of GCC; .*CXXFLAGS"
    ):
        add_gcc_phases(command)
    with pytest.raises(UsageError, match="no command"):
        add_gcc_phases([])


def test_the_command_line_prints_where_the_plugin_is(
    plugin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compile", "--gcc-plugin"]) == 0
    assert capsys.readouterr().out == f"{plugin}\n"
