# SPDX-License-Identifier: MIT
"""The shipped recordings are what their .toml files say they are."""

import hashlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

import alloclab as al

NAMES = ["cc1plus", "clang", "freeciv"]


def described(workloads: Path, name: str) -> dict[str, Any]:
    return tomllib.loads((workloads / f"{name}.toml").read_text(encoding="utf-8"))


def test_every_recording_is_described_and_every_description_recorded(workloads: Path) -> None:
    recorded = sorted(path.stem for path in workloads.glob("*.alloctrace"))
    assert recorded == sorted(path.stem for path in workloads.glob("*.toml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_the_one_described(workloads: Path, name: str) -> None:
    trace = described(workloads, name)["trace"]
    content = (workloads / trace["file"]).read_bytes()
    assert len(content) == trace["bytes"]
    assert hashlib.sha256(content).hexdigest() == trace["sha256"]


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_opens_and_counts_as_described(workloads: Path, name: str) -> None:
    workload = described(workloads, name)
    trace = al.open_trace(workloads / workload["trace"]["file"])
    summary = trace.summary()
    # What the recorder did not tell when it was recorded is nothing.
    assert summary == dict.fromkeys(summary, 0) | workload["summary"]
    assert len(trace) == workload["summary"]["events"] == sum(map(len, trace.chunks()))


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_whole(workloads: Path, name: str) -> None:
    summary = described(workloads, name)["summary"]
    assert summary["is_complete"] == 1
    assert summary["has_touched"] == 1
    assert summary["lost_events"] == 0
    assert summary["unknown_frees"] == 0
    assert summary["missed_frees"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_description_says_what_a_stranger_needs(workloads: Path, name: str) -> None:
    workload = described(workloads, name)
    assert {"what", "why", "command", "image", "packages", "inputs", "licence"} <= set(workload)
    for each in workload["inputs"]:
        assert (workloads / each).is_file()


def test_the_recordings_have_the_shapes_they_were_chosen_for(workloads: Path) -> None:
    summaries = {name: described(workloads, name)["summary"] for name in NAMES}
    assert 10e6 < summaries["cc1plus"]["peak_requested_live_bytes"] < 20e6
    assert summaries["cc1plus"]["peak_mapped_live_bytes"] > 200e6
    assert summaries["clang"]["peak_requested_live_bytes"] > 80e6
    # Freeciv asks for far more than it ever has live: blocks of 8 MB come and go.
    requested = summaries["freeciv"]["requested_total_bytes"]
    assert requested > 300 * summaries["freeciv"]["peak_requested_live_bytes"]
