# SPDX-License-Identifier: MIT
"""The verbs `model` and `generate`."""

import json
from pathlib import Path

import pytest

import alloclab as al
from alloclab.cli import main
from alloclab.traces import KINDS


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "recorded.alloctrace"
    with al.TraceBuilder(path, image="hand") as builder:
        for number in range(500):
            kinds = [KINDS["allocate"], KINDS["free"]]
            builder.append(kind=kinds, object=[number] * 2, size=[16 + number % 7, 0])
        builder.finish()
    return path


def test_a_model_is_fitted_and_generated_from_by_two_verbs(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, generated = tmp_path / "m.json", tmp_path / "g.alloctrace"
    assert main(["model", str(recorded), "-o", str(model)]) == 0
    assert "hand: 1,000 events, 500 objects" in capsys.readouterr().out
    command = ["generate", "--model", str(model), "--events", "100", "--seed", "3"]
    assert main([*command, "-o", str(generated), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
    trace = al.open_trace(generated)
    assert len(trace) == 100
    assert trace.metadata["origin"]["seed"] == 3
    again = tmp_path / "again.alloctrace"
    al.model(recorded).generate(100, 3, again)
    assert again.read_bytes() == generated.read_bytes()


def test_like_generates_as_many_events_as_the_trace_has(recorded: Path, tmp_path: Path) -> None:
    generated = tmp_path / "g.alloctrace"
    assert main(["generate", "--like", str(recorded), "-o", str(generated)]) == 0
    assert len(al.open_trace(generated)) == 1000


def test_a_shape_takes_its_parameters_by_name(tmp_path: Path) -> None:
    path = tmp_path / "p.alloctrace"
    options = ["--set", "objects=50", "--set", "sizes=8:9", "--set", "consumers=2"]
    assert main(["generate", "producer_consumer", *options, "-o", str(path), "--seed", "4"]) == 0
    trace = al.open_trace(path)
    assert trace.summary()["allocations"] == 50
    assert set(trace.objects()["size"].tolist()) == {8, 9}
    assert trace.metadata["origin"]["seed"] == 4


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "one of SHAPE, --model or --like"),
        (["robson", "--model", "m.json"], "one of SHAPE, --model or --like"),
        (["robson", "--events", "5"], "--events: a shape is as long as its parameters"),
        (["larson", "--set", "speed=5"], "larson has no 'speed'; there are threads, slots"),
        (["larson", "--set", "sizes=5"], "--set sizes: '5' is no LOW:HIGH"),
        (["larson", "--set", "slots=x"], "--set slots: 'x' is no int"),
        (["larson", "--seed", "-1"], "--seed: a whole number from 0 on"),
        (["--like", "x.alloctrace", "--set", "a=b"], "--set: a model has no parameters"),
    ],
)
def test_a_wrong_command_is_one_line_and_writes_nothing(
    arguments: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", *arguments, "-o", str(tmp_path / "g.alloctrace")]) == 2
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b"[" * 70_000])
def test_a_file_that_is_no_model_is_one_line_that_names_it(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(content)
    assert main(["generate", "--model", str(path), "-o", str(tmp_path / "g.alloctrace")]) == 1
    error = capsys.readouterr().err
    assert str(path) in error and error.count("\n") == 1
    assert not (tmp_path / "g.alloctrace").exists()
