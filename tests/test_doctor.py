# SPDX-License-Identifier: MIT
"""`alloclab doctor`: what it finds, what it says of what it does not, and that it never fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from alloclab import _native, cli
from alloclab.allocators import find
from alloclab.cli import doctor
from alloclab.errors import Error


def state_of(name: str) -> doctor.Finding:
    return next(finding for finding in doctor.examine() if finding.name == name)


def test_the_doctor_prints_every_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    groups = [line for line in lines if line and not line.startswith(" ")]
    assert groups == [
        "The lab",
        "Allocators of others",
        "Python packages",
        "Compilers",
        "The machine",
    ]
    assert any(line.split()[:2] == ["ok", "glibc"] for line in lines)


def test_the_doctor_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert {finding["state"] for finding in findings} <= {"ok", "missing", "note"}
    assert "kernel" in {finding["name"] for finding in findings}


def test_missing_peers_are_named_with_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for peer in ("JEMALLOC", "MIMALLOC", "TCMALLOC"):
        monkeypatch.delenv(f"ALLOCLAB_{peer}_LIBRARY", raising=False)
    monkeypatch.setattr(find, "_loader_cache", dict)
    monkeypatch.setattr(find, "_folders", list)
    assert cli.main(["doctor"]) == 0
    shown = capsys.readouterr().out
    for package in ("libjemalloc2", "libmimalloc2.0", "libtcmalloc-minimal4"):
        assert f"apt-get install {package}" in shown


def test_a_package_that_was_not_built_whole_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> Path:
        raise Error("bin/alloclab-replay is missing: install it again")

    monkeypatch.setattr(_native, "replay_executable", absent)
    assert state_of("replay child").state == "missing"


def test_a_debug_build_and_no_build_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = sys.modules["alloclab.results.environment"]
    monkeypatch.setattr(environment, "core_fact", lambda name: {"version": "1"}.get(name, "Debug"))
    assert state_of("alloclab").state == "note"
    monkeypatch.setattr(environment, "core_fact", lambda name: "not built")
    assert state_of("alloclab").state == "missing"


def test_a_machine_that_forbids_fixed_addresses_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_can_fix_addresses", lambda: False)
    finding = state_of("address randomisation")
    assert finding.state == "note"
    assert "personality" in finding.detail


def test_counters_that_are_not_there_are_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "_PERF", tmp_path / "absent")
    assert state_of("hardware counters").state == "note"
    (tmp_path / "strict").write_text("4\n")
    monkeypatch.setattr(doctor, "_PERF", tmp_path / "strict")
    assert state_of("hardware counters").detail == "perf_event_paranoid is 4"
