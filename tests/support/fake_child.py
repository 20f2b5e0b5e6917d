# SPDX-License-Identifier: MIT
"""Puts the fake replay child in the real one's place for one test."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from alloclab import _native
from alloclab.allocators import elf

SOURCE = Path(__file__).with_name("fake_replay.py")


class FakeChild:
    """The fake child and what it is to say; `calls()` is what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.executable = folder / "fake_replay.py"
        shutil.copyfile(SOURCE, self.executable)
        text = self.executable.read_text()
        self.executable.write_text(f"#!{sys.executable} -IS\n{text}")
        self.executable.chmod(0o755)
        self.trace = folder / "small.alloctrace"
        self.trace.write_bytes(b"the fake child reads no trace")
        self._script: dict[str, Any] = {}
        self.say()

    def say(self, **by_heap: Any) -> None:
        """Sets what children of a heap or a library do; a dot in a name is written `__`."""
        for name, said in by_heap.items():
            self._script[name.replace("__", ".")] = said
        self.executable.with_suffix(".json").write_text(json.dumps(self._script))

    def calls(self) -> list[dict[str, Any]]:
        log = self.executable.with_suffix(".log")
        return [json.loads(line) for line in log.read_text().splitlines()]


def harmless_library(path: Path) -> Path:
    """Puts a library there that the loader takes and that changes nothing: the maths library."""
    maps = Path("/proc/self/maps").read_text().split()
    if not path.exists():
        shutil.copyfile(next(word for word in maps if "/libm.so" in word or "/libm-" in word), path)
    return path


@pytest.fixture
def fake_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeChild:
    child = FakeChild(tmp_path)
    libraries = tmp_path / "lib"
    libraries.mkdir()

    def malloc_library(name: str) -> Path:
        return harmless_library(libraries / f"liballoclab_malloc_{name}.so")

    monkeypatch.setattr(_native, "replay_executable", lambda: child.executable)
    monkeypatch.setattr(_native, "malloc_library", malloc_library)
    monkeypatch.setattr(elf, "_check_once", lambda *_: None)
    for peer in ("jemalloc", "mimalloc", "tcmalloc"):
        library = harmless_library(libraries / f"lib{peer}.so")
        monkeypatch.setenv(f"ALLOCLAB_{peer.upper()}_LIBRARY", str(library))
    return child
