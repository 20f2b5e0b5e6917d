# SPDX-License-Identifier: MIT
"""A compiler that is killed in mid-compile: what it did until then is a prefix of the whole."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import alloclab as al
from alloclab.gcc_phases import add_gcc_phases
from alloclab.record import record
from alloclab.traces import Trace

SOURCE = (
    "#include <map>\n#include <string>\nstd::map<std::string, std::string> table;\n"
    "const char* f(const std::string& name) { return table[name].c_str(); }\n"
)

pytestmark = pytest.mark.skipif(
    any(shutil.which(name) is None for name in ("g++", "setarch")), reason="needs g++ and setarch"
)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A compile that tells its phases, at the same addresses each time: GCC hashes by them."""
    folder = tmp_path_factory.mktemp("compile")
    (folder / "in.cpp").write_text(SOURCE)
    compile_ = ["g++", "-O2", "-c", str(folder / "in.cpp"), "-o", str(folder / "in.o")]
    phased = add_gcc_phases(compile_)
    if phased.warnings:
        pytest.skip(phased.warnings[0])
    return ["setarch", "-R", *phased.words]


@pytest.fixture(scope="module", params=[None, "stack"], ids=["plain", "stacks"])
def whole(
    request: pytest.FixtureRequest, command: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str | None, Trace]:
    """An undisturbed recording, and its kind of sites."""
    sites: str | None = request.param
    capture = record(command, output=tmp_path_factory.mktemp("whole"), sites=sites)
    assert capture.returncode == 0
    return sites, capture["cc1plus"]


@contextmanager
def killed_at(stage: Path, least_bytes: int) -> Iterator[None]:
    """Kills the compiler proper some time after its capture has reached a size."""
    is_over = threading.Event()

    def kill() -> None:
        while not is_over.is_set():
            for path in stage.glob("alloclab-stage-*/captures/*.capture"):
                pid = int(path.name.split("-")[0])
                image = Path(f"/proc/{pid}/exe")
                if path.stat().st_size >= least_bytes and image.resolve().name == "cc1plus":
                    os.kill(pid, signal.SIGKILL)
                    return
            time.sleep(0.001)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def allocated(trace: Trace) -> npt.NDArray[np.uint64]:
    return np.concatenate([chunk.size[chunk.is_kind("allocate")] for chunk in trace.chunks()])


@pytest.mark.parametrize("least_bytes", [400_000, 900_000])
def test_what_a_killed_compiler_did_is_a_prefix_of_the_whole(
    whole: tuple[str | None, Trace],
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    least_bytes: int,
) -> None:
    sites, complete = whole
    monkeypatch.setattr("alloclab.staging._open_folder", lambda: tmp_path)
    with killed_at(tmp_path, least_bytes):
        capture = record(command, output=tmp_path / "out", sites=sites)
    assert capture.returncode == 1  # the driver's, whose compiler proper was killed
    trace = capture["cc1plus"]
    summary = trace.summary()
    assert (summary["is_complete"], trace.metadata["stop_reason"]) == (0, "")
    assert summary["open_scopes_at_end"] >= 2  # the build, a phase, and what was in it
    assert (summary["unknown_frees"], summary["missed_frees"], summary["lost_events"]) == (0, 0, 0)
    sizes, expected = allocated(trace), allocated(complete)
    assert 0 < len(sizes) < len(expected)
    assert np.count_nonzero(sizes != expected[: len(sizes)]) <= len(sizes) // 10_000
    scopes = trace.scopes()
    assert 0 < len(scopes["name"]) <= len(complete.scopes()["name"])
    assert (summary["sited_calls"] > 0) == (sites is not None)


def test_a_recording_of_a_killed_compiler_says_so_and_is_replayed(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alloclab.staging._open_folder", lambda: tmp_path)
    with killed_at(tmp_path, 400_000):
        trace = record(command, output=tmp_path / "out")["cc1plus"]
    assert "the end of the program was not seen" in str(trace.summary())
    (build,) = trace.phases().of_kind("build")
    assert build.allocated_bytes > 0  # it lasts until the recording's end
    run = al.replay(trace, al.Glibc(), measure="check")
    assert run["events"] == len(trace)
