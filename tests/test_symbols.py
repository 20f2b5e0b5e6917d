# SPDX-License-Identifier: MIT
"""What is said of addresses, against programs whose labels stand at known lines."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from alloclab import _native
from alloclab.symbols import NOT_BUILT, SourceFrame, Symbols, symbolize

SOURCE = Path(__file__).resolve().parent / "programs" / "inlining.cpp"
CHAIN = [
    ("outer::innermost(unsigned long)", 16, True),
    ("outer::middle(unsigned long)", 21, True),
    ("outer::caller(unsigned long)", 25, False),
]

pytestmark = pytest.mark.skipif(
    _native.symbolize_executable() is None, reason="built without libdw"
)


def run(*words: str | Path, cwd: Path | None = None) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True, cwd=cwd).stdout


def build(path: Path, *flags: str, compiler: str | None = None) -> Path:
    chosen = compiler or os.environ.get("CXX", "c++")
    # Split debug information is left where the compiler is run.
    run(chosen, "-Wl,--build-id", "-o", path, SOURCE, *flags, cwd=path.parent)
    return path


def places(path: Path) -> dict[str, int]:
    words = [line.split() for line in run("nm", path).splitlines()]
    return {word[2].removeprefix("place_"): int(word[0], 16) for word in words if len(word) == 3}


def build_id(path: Path) -> str:
    return run("readelf", "-n", path).split("Build ID:")[1].split()[0]


def look_up(path: Path, addresses: Sequence[int], identity: str = "") -> Symbols:
    exact = [True] * len(addresses)
    return symbolize([(str(path), identity)], [(0, each) for each in addresses], exact=exact)


def told(frames: Sequence[SourceFrame]) -> list[tuple[str, int, bool]]:
    return [(frame.function, frame.line, frame.is_inlined) for frame in frames]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("symbols") / "program", "-O2", "-g")


@pytest.mark.parametrize(
    "flags",
    [
        ("-O0", "-g"),
        ("-O2", "-g"),
        ("-O2", "-g", "-gdwarf-4"),
        ("-O2", "-g", "-gz"),
        ("-O2", "-g", "-no-pie"),
        ("-O2", "-g", "-flto"),
        ("-O2", "-g", "-fPIC", "-shared"),
    ],
    ids=" ".join,
)
def test_inlined_functions_are_named_innermost_first(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    path = build(tmp_path / "program", *flags)
    found = look_up(path, [places(path)["inlined"]], build_id(path))
    assert found.warnings == []
    assert told(found.frames[0]) == CHAIN
    assert {frame.file for frame in found.frames[0]} == {str(SOURCE)}


@pytest.mark.parametrize("flags", [("-g",), ("-g", "-gsplit-dwarf")], ids=" ".join)
def test_clang_leaves_out_tables_that_are_not_needed(tmp_path: Path, flags: Sequence[str]) -> None:
    clang = shutil.which("clang++-14") or shutil.which("clang++")
    if clang is None:
        pytest.skip("no clang")
    path = build(tmp_path / "program", "-O2", *flags, compiler=clang)
    assert told(look_up(path, [places(path)["inlined"]]).frames[0]) == CHAIN


@pytest.mark.parametrize(
    ("place", "function", "line"),
    [
        ("plain", "plain_c", 9),
        ("of_template", "outer::Holder<long>::make(long)", 30),
        ("hidden", "(anonymous namespace)::hidden(unsigned long)", 40),
    ],
)
def test_each_language_has_its_names(program: Path, place: str, function: str, line: int) -> None:
    found = look_up(program, [places(program)[place]])
    assert told(found.frames[0]) == [(function, line, False)]


def test_a_member_of_a_local_class_is_found_outside_its_function(program: Path) -> None:
    (frames,) = look_up(program, [places(program)["of_local_class"]]).frames
    assert (frames[0].line, len(frames)) == (49, 1)
    assert "Local::make" in frames[0].function


def test_a_return_address_is_looked_up_in_the_call_before_it(program: Path) -> None:
    sizes = run("nm", "-S", program).splitlines()
    (end,) = {
        int(word[0], 16) + int(word[1], 16)
        for word in map(str.split, sizes)
        if word[-1] == "plain_c"
    }
    modules = [(str(program), "")]
    inside = symbolize(modules, [(0, end)]).frames[0]
    behind = symbolize(modules, [(0, end)], exact=[True]).frames[0]
    assert inside[0].function == "plain_c"
    assert "plain_c" not in [frame.function for frame in behind]


def test_names_come_from_the_symbol_table_where_nothing_else_is(tmp_path: Path) -> None:
    path = build(tmp_path / "program", "-O2")
    found = look_up(path, [places(path)["inlined"], places(path)["plain"]])
    assert [told(frames) for frames in found.frames] == [
        [("outer::caller(unsigned long)", 0, False)],
        [("plain_c", 0, False)],
    ]
    assert found.warnings == [f"{path}: no debug information"]


def test_a_stripped_library_still_names_what_it_exports(tmp_path: Path) -> None:
    path = build(tmp_path / "program.so", "-O2", "-fPIC", "-shared")
    at = places(path)
    run("strip", path)
    found = look_up(path, [at["plain"], at["hidden"]])
    assert [told(frames) for frames in found.frames] == [[("plain_c", 0, False)], []]


def test_a_stripped_program_leaves_addresses_without_frames(tmp_path: Path, program: Path) -> None:
    path = tmp_path / "stripped"
    run("strip", "-o", path, program)
    found = look_up(path, [places(program)["plain"]])
    assert found.frames == [()]
    assert found.warnings[0].startswith(f"{path}: no debug information")


def test_debug_information_in_a_file_of_its_own_is_found(tmp_path: Path, program: Path) -> None:
    path, debug = tmp_path / "stripped", tmp_path / "stripped.debug"
    run("objcopy", "--only-keep-debug", program, debug)
    run("strip", "-o", path, program)
    run("objcopy", f"--add-gnu-debuglink={debug}", path)
    found = look_up(path, [places(program)["inlined"]], build_id(program))
    assert (told(found.frames[0]), found.warnings) == (CHAIN, [])


def test_a_file_that_has_changed_is_not_believed(program: Path) -> None:
    recorded = "00" * 20
    found = look_up(program, [places(program)["plain"]], recorded)
    assert found.frames == [()]
    assert found.warnings == [
        f"{program}: the file has changed since: its build id is {build_id(program)}, "
        f"recorded was {recorded}"
    ]


def test_what_is_no_program_file_is_a_warning_that_says_so(tmp_path: Path, program: Path) -> None:
    text, folder, pipe = tmp_path / "text", tmp_path / "folder", tmp_path / "pipe"
    text.write_text("not a program\n")
    folder.mkdir()
    os.mkfifo(pipe)
    entire = program.read_bytes()
    (tmp_path / "cut").write_bytes(entire[:200])
    paths = ["[vdso]", "", "relative", f"{tmp_path}/gone", text, folder, pipe, tmp_path / "cut"]
    modules = [(str(path), "") for path in [*paths, program]]
    at = places(program)["plain"] + 1
    found = symbolize(modules, [(module, at) for module in range(len(modules))])
    assert found.frames[:-1] == [()] * len(paths)
    assert found.frames[-1][0].function == "plain_c"
    for path, reason in [
        ("[vdso]", "not a file"),
        ("relative", "not a file"),
        (f"{tmp_path}/gone", "the file is gone"),
        (text, "not an ELF file"),
        (folder, "not a file"),
        (pipe, "not a file"),
    ]:
        assert f"{path}: {reason}" in found.warnings


def test_a_path_cannot_break_the_warning_in_two() -> None:
    found = symbolize([("/no/such\nfile: fine", "")], [(0, 1)])
    assert found.warnings == [r"'/no/such\nfile: fine': the file is gone"]


def test_answers_keep_the_order_of_the_questions(program: Path, tmp_path: Path) -> None:
    other = build(tmp_path / "other", "-O0", "-g")
    order = [(place, path) for place in ("plain", "inlined") for path in (other, program)] * 3
    modules = [(str(program), ""), ("/no/module", ""), (str(other), "")]
    asked = [(0 if path is program else 2, places(path)[place]) for place, path in order]
    found = symbolize(modules, np.array(asked, dtype=np.uint64), exact=[True] * len(asked))
    assert [told(frames) for frames in found.frames] == (
        [[("plain_c", 9, False)]] * 2 + [CHAIN] * 2
    ) * 3
    assert found.warnings == []


def test_no_question_has_no_answer() -> None:
    assert symbolize([("/no/module", "")], []) == Symbols([], [])


def test_an_address_in_no_module_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(IndexError, match="module 1: there are 1"):
        symbolize([("/no/module", "")], [(1, 0)])


def test_without_the_reader_there_is_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_native, "symbolize_executable", lambda: None)
    assert symbolize([("/no/module", "")], [(0, 1)] * 2) == Symbols([(), ()], [NOT_BUILT])


def damaged(content: bytes, start: int, size: int, rng: random.Random) -> bytes:
    altered = bytearray(content)
    for _ in range(rng.choice([1, 4, 40])):
        altered[start + rng.randrange(size)] = rng.randrange(256)
    return bytes(altered)


@pytest.mark.parametrize("section", ["info", "abbrev", "line", "ranges", "anywhere"])
def test_damaged_debug_information_never_fails_the_caller(
    tmp_path: Path, program: Path, section: str
) -> None:
    content, at = program.read_bytes(), places(program)
    start, size = 0, len(content)
    names = {"info": ".debug_info", "abbrev": ".debug_abbrev", "line": ".debug_line"}
    for line in run("readelf", "-SW", program).splitlines():
        words = line.replace("[ ", "[").split()
        if len(words) > 5 and words[1] == names.get(section, ".debug_rnglists"):
            start, size = (int(words[4], 16), int(words[5], 16))
    if section == "anywhere":
        start, size = 0, len(content)
    rng = random.Random(section)
    modules = []
    for number in range(80):
        path = tmp_path / f"{number}"
        path.write_bytes(damaged(content, start, size, rng))
        modules.append((str(path), ""))
    modules.append((str(program), ""))
    asked = [(module, address) for module in range(len(modules)) for address in at.values()]
    found = symbolize(modules, asked, timeout_s=60)
    assert len(found.frames) == len(asked)
    whole = look_up(program, [address - 1 for address in at.values()])
    assert found.frames[-len(at) :] == whole.frames
    assert all("\n" not in warning for warning in found.warnings)


def test_files_cut_short_never_fail_the_caller(tmp_path: Path, program: Path) -> None:
    content, at = program.read_bytes(), places(program)
    modules = []
    for number in range(60):
        path = tmp_path / f"{number}"
        path.write_bytes(content[: len(content) * number // 60])
        modules.append((str(path), ""))
    found = symbolize(modules, [(module, at["plain"]) for module in range(60)])
    assert len(found.frames) == 60


class Readers:
    """Readers that fail at chosen files, in place of damage that libdw has not been mended for."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "reader"

    def write(self, fault: str) -> Path:
        real = _native.symbolize_executable()
        # Fails while the request holds the file's name; answers what stands before it first.
        self.path.write_text(
            "#!/usr/bin/env python3\n"
            "import os, signal, struct, subprocess, sys, time\n"
            "request = sys.stdin.buffer.read()\n"
            f"answers = subprocess.run(['{real}'], input=request, stdout=subprocess.PIPE).stdout\n"
            "at, before = 20, 0\n"
            "(count,) = struct.unpack_from('<I', request, 16)\n"
            "for _ in range(count):\n"
            "    (size,) = struct.unpack_from('<I', request, at)\n"
            "    path = request[at + 4 : at + 4 + size]\n"
            "    at += 4 + size\n"
            "    (size,) = struct.unpack_from('<I', request, at)\n"
            "    flags, addresses = struct.unpack_from('<II', request, at + 4 + size)\n"
            "    at += 12 + size + 9 * addresses\n"
            "    if b'hostile' in path and (not flags or b'worse' in path):\n"
            f"        {fault}\n"
            "    (size,) = struct.unpack_from('<Q', answers, before)\n"
            "    sys.stdout.buffer.write(answers[before : before + 8 + size])\n"
            "    sys.stdout.buffer.flush()\n"
            "    before += 8 + size\n"
        )
        self.path.chmod(0o755)
        return self.path


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "reading it ended the reader with signal 11"),
        ("sys.exit('no memory')", "reading it ended the reader with exit code 1 (no memory)"),
        pytest.param("signal.pause()", "reading it took more than 5 s", marks=pytest.mark.slow),
    ],
    ids=["crash", "exit", "stall"],
)
def test_a_file_that_ends_the_reader_costs_its_own_names_only(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch, fault: str, reason: str
) -> None:
    reader = Readers(tmp_path).write(fault)
    for name in ("hostile", "hostile-worse"):
        shutil.copy(program, tmp_path / name)
    paths = [program, tmp_path / "hostile", tmp_path / "hostile-worse", program]
    at = places(program)["inlined"]
    monkeypatch.setattr(_native, "symbolize_executable", lambda: reader)
    found = symbolize(
        [(str(path), "") for path in paths],
        [(module, at) for module in range(4)],
        exact=[True] * 4,
        timeout_s=5 if "pause" in fault else 60,
    )
    assert [told(frames) for frames in found.frames] == [
        CHAIN,
        [("outer::caller(unsigned long)", 0, False)],
        [],
        CHAIN,
    ]
    assert found.warnings == [
        f"{paths[1]}: its debug information is left out: {reason}",
        f"{paths[2]}: its symbols are left out: {reason}",
    ]
