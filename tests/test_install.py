# SPDX-License-Identifier: MIT
"""What an installed lab consists of; run against the tree's environment and against a wheel."""

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import alloclab
from alloclab import _core, _native


def needed_libraries(path: Path) -> str:
    dynamic = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True)
    return "\n".join(line for line in dynamic.stdout.splitlines() if "NEEDED" in line)


def test_the_core_is_built_to_measure() -> None:
    assert _core.build_type == "RelWithDebInfo"
    assert _core.version == metadata.version("alloclab")


PARTS = {
    "replay": _native.replay_executable,
    "record": _native.record_library,
    "malloc_pool": lambda: _native.malloc_library("pool"),
    "malloc_arena": lambda: _native.malloc_library("arena"),
    "malloc": _native.malloc_library,
}


@pytest.mark.parametrize("part", sorted(PARTS))
def test_the_native_parts_hold_no_python(part: str) -> None:
    path = PARTS[part]()
    assert path.is_file()
    assert "python" not in needed_libraries(path)


def test_what_is_preloaded_brings_no_library_that_could_change_the_program() -> None:
    # A preloaded library that needs libstdc++ would start that library's own allocations.
    for path in (
        _native.record_library(),
        _native.malloc_library("pool"),
        _native.malloc_library(),
    ):
        assert "libstdc++" not in needed_libraries(path)


def test_the_replay_child_is_executable() -> None:
    assert os.access(_native.replay_executable(), os.X_OK)


def test_what_names_functions_is_executable() -> None:
    path = _native.symbolize_executable()
    assert path is not None, "built without libdw"
    assert os.access(path, os.X_OK)
    assert "python" not in needed_libraries(path)


def test_the_package_is_typed() -> None:
    package = Path(alloclab.__file__).parent
    assert (package / "py.typed").is_file()
    assert (package / "_core.pyi").is_file()


def test_the_command_is_on_the_path_of_the_environment() -> None:
    command = shutil.which("alloclab", path=str(Path(sys.executable).parent))
    assert command is not None
    shown = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    for verb in ("record", "seal", "info", "diff", "replay", "compare", "doctor"):
        assert verb in shown.stdout


def test_only_numpy_is_required() -> None:
    required = [each for each in metadata.requires("alloclab") or [] if "extra ==" not in each]
    assert [each.split(">")[0].strip() for each in required] == ["numpy"]


def test_importing_the_lab_imports_no_extra() -> None:
    probe = "import alloclab, sys; print(*sorted({'matplotlib', 'pandas'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert (shown.returncode, shown.stdout.strip()) == (0, "")
