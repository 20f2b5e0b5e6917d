# SPDX-License-Identifier: MIT
"""Recording real compilers: complete against the counter, and small."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from alloclab import _core
from alloclab.captures import seal_file
from alloclab.record import record
from support.recorded_programs import Programs, as_counted, environment, record_counted

SOURCE = (
    "#include <map>\n#include <regex>\n#include <string>\nstd::map<std::string, std::regex> m;\n"
)
EXACT = ("allocations", "failed", "frees", "null_frees", "reallocations", "zero_reallocations")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "big.cpp"
    path.write_text(SOURCE)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("compiler", "image"), [("g++", "cc1plus"), ("clang++-14", "clang")])
def test_a_compile_is_recorded_to_the_last_call(
    tmp_path: Path, source: Path, compiler: str, image: str
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    command = [compiler, "-O2", "-std=c++17", "-c", str(source), "-o", str(tmp_path / "big.o")]
    capture, counted = record_counted(Programs(tmp_path), command, tmp_path)
    assert capture.returncode == 0
    assert not capture.warnings
    trace = max((trace for trace in capture if trace.name == image), key=len)
    seen = as_counted(trace)
    counts = counted[trace.metadata["pid"]]
    assert {name: seen[name] for name in EXACT} == {name: counts[name] for name in EXACT}
    assert counts["allocations"] > 100_000
    assert trace.summary()["unknown_frees"] == 0
    assert trace.summary()["inversions"] == 0
    assert trace.summary()["lost_events"] == 0
    footprint = trace.footprint()["anonymous_bytes"]
    assert footprint.max() > trace.summary()["peak_requested_live_bytes"]


@pytest.mark.slow
def test_a_capture_takes_no_more_than_four_bytes_an_event(tmp_path: Path, source: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    command = ["g++", "-O2", "-c", str(source), "-o", str(tmp_path / "big.o")]
    record(command, output=tmp_path / "left", env=environment(), seal=False)
    largest = max((tmp_path / "left").glob("*.capture"), key=lambda path: path.stat().st_size)
    assert _core.read_capture_header(str(largest))["image"].endswith("cc1plus")
    trace = seal_file(largest, tmp_path / "sealed.alloctrace")
    begun_window = 1 << 20  # the last one, of which only a part is used
    assert (largest.stat().st_size - begun_window) / len(trace) <= 4.0
