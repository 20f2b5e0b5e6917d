# SPDX-License-Identifier: MIT
"""Allocators of your own as specs: compiled once, found again, errors in the author's own lines."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import alloclab as al
from alloclab import _native, allocators
from alloclab.cli import main
from alloclab.compile import cache, compile_library, compiler, read_dependencies
from alloclab.compile.diagnostics import read_diagnostics
from alloclab.errors import CompileError, NotInstalled, UsageError, exit_code

FIXED = """\
class Fixed {
public:
    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        const std::size_t first = (used_ + alignment - 1) & ~(alignment - 1);
        if (size > sizeof memory_ - first) return nullptr;
        used_ = first + size;
        return memory_ + first;
    }
    void deallocate(void*, std::size_t, std::size_t) noexcept {}

private:
    alignas(4096) char memory_[1 << 20];
    std::size_t used_ = 0;
};
"""
COMPILERS = [name for name in ("g++", "clang++", "clang++-14") if shutil.which(name)]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the tests' own, the same for all of them; skips without a compiler."""
    if not COMPILERS:
        pytest.skip("no C++ compiler")
    base = tmp_path_factory.getbasetemp() / "plugin-cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(base))
    monkeypatch.delenv("CXX", raising=False)
    return base / "alloclab" / "plugins"


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache only this test has."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "alloclab" / "plugins"


def refused(source: str, **settings: object) -> CompileError:
    with pytest.raises(CompileError) as caught:
        al.compile(source, **settings)  # type: ignore[arg-type]
    return caught.value


def test_a_class_is_compiled_and_is_a_value() -> None:
    spec = al.compile(FIXED, class_name="Fixed")
    assert spec == al.Plugin(source=FIXED, class_name="Fixed")
    assert hash(spec) == hash(al.compile(FIXED, class_name="Fixed"))
    assert al.allocators.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert str(spec).startswith("Fixed#")
    assert spec.library().suffix == ".so"


def test_a_file_reads_back_from_its_text(tmp_path: Path) -> None:
    source = tmp_path / "fixed.cpp"
    source.write_text(f"#include <alloclab/plugin.hpp>\n{FIXED}ALLOCLAB_PLUGIN(Fixed);\n")
    spec = al.Plugin(source, options={"limit": 3, "eager": True})
    assert str(spec) == f"{source}:eager=true,limit=3"
    assert allocators.parse(str(spec)) == spec
    named = al.Plugin(source, class_name="Fixed", flags="-O3 -g")
    assert str(named) == f"{source}:class_name=Fixed,flags=-O3 -g"
    assert allocators.parse(str(named)) == named
    assert allocators.from_json(named.to_json()) == named
    nested = allocators.parse(f"plugin:path={source},limit=3,eager=true")
    assert nested == spec


def test_a_library_is_told_from_a_malloc_by_what_it_exports(tmp_path: Path) -> None:
    library = tmp_path / "mine.so"
    shutil.copy(al.compile(FIXED, class_name="Fixed").library(), library)
    assert allocators.parse(str(library)) == al.Plugin(str(library))
    assert allocators.parse(f"{library}:limit=3") == al.Plugin(library, options={"limit": "3"})
    assert allocators.parse(str(al.Plugin(library))) == al.Plugin(library)
    malloc = str(_native.malloc_library("pool"))
    assert allocators.parse(malloc) == al.Preload(malloc)
    with pytest.raises(UsageError, match="not a library that exports alloclab_plugin"):
        al.Plugin(malloc).library()


def test_what_was_compiled_is_found_again(own_cache: Path) -> None:
    library = al.compile(FIXED, class_name="Fixed").library()
    assert library.parent == own_cache
    modified_ns = library.stat().st_mtime_ns
    assert al.compile(FIXED, class_name="Fixed").library() == library
    assert library.stat().st_mtime_ns == modified_ns
    assert al.compile(FIXED, class_name="Fixed", flags="-O1").library() != library
    assert not [path for path in own_cache.iterdir() if path.is_dir()]


def test_a_damaged_entry_is_compiled_anew(own_cache: Path) -> None:
    library = al.compile(FIXED, class_name="Fixed").library()
    whole = library.read_bytes()
    library.write_bytes(whole[:1000])
    assert al.compile(FIXED, class_name="Fixed").library().read_bytes() == whole
    library.unlink()
    assert al.compile(FIXED, class_name="Fixed").library().read_bytes() == whole
    for text in ("", "[]", "{", '{"library": "../../x.so", "needs": {}}', '{"library": 3}'):
        manifest = next(own_cache.glob("*.json"))
        manifest.write_text(text)
        assert al.compile(FIXED, class_name="Fixed").library() == library


def test_an_edited_header_compiles_anew(tmp_path: Path) -> None:
    header, source = tmp_path / "my header.hpp", tmp_path / "fixed.cpp"
    header.write_text(FIXED)
    source.write_text(
        '#include <alloclab/plugin.hpp>\n#include "my header.hpp"\nALLOCLAB_PLUGIN(Fixed);\n'
    )
    first = al.Plugin(source).library()
    os.utime(header, ns=(1, 1))
    assert al.Plugin(source).library() == first, "a new date alone changes nothing"
    header.write_text(FIXED.replace("1 << 20", "1 << 21"))
    assert al.Plugin(source).library() != first


def test_the_oldest_entries_go_and_fresh_ones_stay(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_KEPT_ENTRIES", 1)
    old = al.compile(FIXED, class_name="Fixed").library()
    al.compile(FIXED + "// another\n", class_name="Fixed")
    long_ago = time.time() - 10 * 24 * 3600
    for path in own_cache.iterdir():
        os.utime(path, (long_ago, long_ago))
    fresh = al.compile(FIXED.replace("20", "19"), class_name="Fixed").library()
    assert fresh.exists() and not old.exists()
    assert len(list(own_cache.glob("*.json"))) == 1


def test_a_folder_others_can_write_in_is_not_trusted(own_cache: Path) -> None:
    own_cache.mkdir(parents=True)
    own_cache.chmod(0o777)
    with pytest.raises(UsageError, match="others can write there"):
        al.compile(FIXED, class_name="Fixed")


def test_a_cache_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="set XDG_CACHE_HOME"):
        al.compile(FIXED, class_name="Fixed")


@pytest.mark.parametrize("name", COMPILERS)
def test_errors_point_into_the_source(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", name)
    source = tmp_path / "mine.cpp"
    source.write_text(f"#include <alloclab/plugin.hpp>\n{FIXED}\nint f() {{ return missing; }}\n")
    with pytest.raises(CompileError) as caught:
        al.Plugin(source).library()
    error = caught.value
    line = source.read_text().splitlines().index("int f() { return missing; }") + 1
    assert (error.file, error.line, error.column) == (str(source), line, 18)
    assert str(error).startswith(f"{source}:{line}:18: ") and "missing" in str(error)
    assert error.output and exit_code(error) == 2
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.line) == (str(error), line)


@pytest.mark.parametrize("name", COMPILERS)
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("void* allocate(", "void* reserve(", "there is no public `void* allocate("),
        ("public:", "private:", "there is no public `void* allocate("),
        ("void deallocate(", "void release(", "there is no public `void deallocate("),
        ("alignment) noexcept", "alignment)", "allocate must return void*, deallocate noth"),
        ("private:", "    void reset() {}", "reset must be `void reset() noexcept`"),
        ("private:", "    bool owns(void*) noexcept { return 1; }", "owns must be `bool owns("),
        ("private:", "    int stats() const { return 1; }", "stats must be const and return"),
        ("private:", "    Fixed(int) {}", "it must be made by default or, having `Options`"),
        ("private:", "    struct Options {};", "it must be made by default or, having `Opt"),
    ],
)
def test_a_class_is_told_what_it_lacks(
    name: str, old: str, new: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", name)
    error = refused("\n// comment\n" + FIXED.replace(old, new, 1), class_name="Fixed")
    assert error.messages[0].startswith("<source>:3:")
    assert f"Fixed: {message}" in error.messages[0]


def test_a_source_says_where_it_comes_from() -> None:
    error = refused('#line 2 "In [3]"\nint f() {\n    return missing;\n}\n')
    assert (error.file, error.line) == ("In [3]", 3)


def test_an_error_in_a_header_points_to_the_line_that_led_there() -> None:
    source = "#include <vector>\n\nint f() {\n    std::vector<int&> v;\n    return 0;\n}\n"
    error = refused(source)
    assert (error.file, error.line) == ("<source>", 4)


def test_what_cannot_be_linked_is_named() -> None:
    assert "undefined reference to" in str(refused("void absent();\nvoid f() { absent(); }"))


def test_many_errors_are_cut_short() -> None:
    error = refused("\n".join(f"int f{n}() {{ return a{n}; }}" for n in range(9)))
    assert len(error.messages) == 6
    assert error.messages[-1] == "and 4 more"


def test_a_source_without_a_plugin_is_told_how_to_make_one() -> None:
    assert "ALLOCLAB_PLUGIN(YourClass)" in str(refused("int f() { return 1; }"))


@pytest.mark.parametrize("name", ["1x", "a b", "Fixed); int main(", "", "a;b"])
def test_a_name_that_is_no_class_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        al.compile(FIXED if name else "", class_name=name)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "give the path of a source or library, or a source"),
        ({"path": "a.cpp", "source": "x"}, "give the path of a source or library, or a source"),
        ({"path": "mine.rs"}, "not one of .cpp, .cc, .cxx, .so"),
        ({"path": "mine.so", "flags": "-O3"}, "a library takes no class_name and no flags"),
        ({"path": "a.cpp", "options": {"library": 1}}, "not an option a plugin can have"),
        ({"path": "a.cpp", "options": 3}, "not a mapping of names to values"),
        ({"path": "a.cpp", "options": {"child": al.Pool()}}, "not a mapping of names to values"),
        ({"path": "a.cpp", "flags": "-D'"}, "not a list of compiler flags"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        al.Plugin(**settings)  # type: ignore[arg-type]


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.cpp: no such file"):
        al.Plugin("nowhere.cpp").library()


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("no-such-compiler -O2", NotInstalled, "apt-get install g"),
        ("c++ 'unfinished", UsageError, "CXX is not a command"),
        ("false", UsageError, "not a C.. compiler"),
        ("/dev/null", NotInstalled, "apt-get install g"),
    ],
)
def test_a_compiler_that_is_none_is_named(
    value: str, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", value)
    with pytest.raises(error, match=message):
        al.compile(FIXED, class_name="Fixed")


def test_a_machine_without_a_compiler_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled, match=r"a C\+\+ compiler is not installed: apt-get install g"):
        al.compile(FIXED, class_name="Fixed")


def test_cxx_may_have_spaces_and_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    (folder / "c++").symlink_to(str(shutil.which(COMPILERS[0])))
    monkeypatch.setenv("CXX", f"'{folder}/c++' -DANSWER=3")
    assert al.compile(FIXED + "static_assert(ANSWER == 3);\n", class_name="Fixed").library()


def test_a_compiler_that_does_not_end_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\ncase $1 in --version) echo 1 ;; *) exec sleep 60 ;; esac\n")
    slow.chmod(0o755)
    monkeypatch.setenv("CXX", str(slow))
    with pytest.raises(CompileError, match=r"not compiled within 0\.2 s"):
        compile_library(FIXED, name="slow.cpp", folder=tmp_path, timeout_s=0.2)


def test_the_version_of_a_compiler_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler.find_compiler()
    monkeypatch.setattr(subprocess, "run", None)
    assert compiler.find_compiler().words


def test_dependencies_are_read_as_make_writes_them() -> None:
    text = "plugin: - /usr/a.hpp \\\n  my\\ header.hpp b$$c.hpp \\\n d\\#e.hpp\n"
    names = [str(path) for path in read_dependencies(text, Path("/f"))]
    assert names == ["/usr/a.hpp", "/f/my header.hpp", "/f/b$c.hpp", "/f/d#e.hpp"]


def test_a_compiler_without_a_word_we_know_still_names_the_file() -> None:
    assert read_diagnostics("Segmentation fault\n") == []


def test_the_labs_own_blocks_can_be_built_upon() -> None:
    source = """\
#include <alloclab/alloc/arena.hpp>
class Twice {
public:
    using Options = alloclab::ArenaOptions;
    explicit Twice(Options options) : arena_(options) {}
    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        return arena_.allocate(2 * size, alignment);
    }
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
        arena_.deallocate(block, 2 * size, alignment);
    }
    auto stats() const noexcept { return arena_.stats(); }

private:
    alloclab::Arena<> arena_;
};
"""
    assert al.compile(source, class_name="Twice", options={"initial_bytes": "1 MiB"}).library()


def test_the_verb_prints_the_library_and_the_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "mine.cpp"
    source.write_text(FIXED)
    assert main(["compile", str(source), "--class", "Fixed"]) == 0
    assert Path(capsys.readouterr().out.strip()) == al.Plugin(source, class_name="Fixed").library()
    source.write_text("int f( { }\n")
    assert main(["compile", str(source)]) == 2
    assert f"alloclab: {source}:1:11: " in capsys.readouterr().err
    assert main(["compile", "--include"]) == 0
    assert Path(capsys.readouterr().out.strip(), "alloclab", "plugin.h").is_file()
    assert main(["compile"]) == 2


class FakeShell:
    """As much of IPython's shell as the magic sees."""

    execution_count = 7

    def __init__(self) -> None:
        self.user_ns: dict[str, object] = {}
        self.magics: dict[str, Callable[[str, str], al.Plugin]] = {}

    def register_magic_function(
        self, func: Callable[[str, str], al.Plugin], magic_kind: str, magic_name: str
    ) -> None:
        assert magic_kind == "cell"
        self.magics[magic_name] = func


@pytest.fixture
def shell() -> FakeShell:
    made = FakeShell()
    al.load_ipython_extension(made)
    return made


def test_a_cell_becomes_an_allocator_of_its_name(shell: FakeShell) -> None:
    spec = shell.magics["allocator"]("Fixed -O1", FIXED)
    assert shell.user_ns == {"Fixed": spec}
    assert (spec.class_name, spec.flags) == ("Fixed", ("-O1",))
    with_macro = f"#include <alloclab/plugin.hpp>\n{FIXED}ALLOCLAB_PLUGIN(Fixed);\n"
    shell.magics["allocator"]("Other", with_macro)
    assert set(shell.user_ns) == {"Fixed", "Other"}


def test_errors_in_a_cell_count_its_lines_as_shown(shell: FakeShell) -> None:
    with pytest.raises(CompileError) as caught:
        shell.magics["allocator"]("Fixed", FIXED + "int f() { return missing; }\n")
    lines = ["%%allocator Fixed", *FIXED.splitlines()]
    assert (caught.value.file, caught.value.line) == ("In [7]", len(lines) + 1)


@pytest.mark.parametrize("line", ["", "  ", "-O2", "'", "a-b"])
def test_a_cell_without_a_name_is_told_how(shell: FakeShell, line: str) -> None:
    with pytest.raises(UsageError, match="write %%allocator NAME"):
        shell.magics["allocator"](line, FIXED)


def test_the_magic_works_in_ipython(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    made = interactive.InteractiveShell.instance()
    try:
        made.run_line_magic("load_ext", "alloclab")
        ran = made.run_cell(f"%%allocator Fixed\n{FIXED}", store_history=False)
        assert ran.success and isinstance(made.user_ns["Fixed"], al.Plugin)
    finally:
        interactive.InteractiveShell.clear_instance()
