# SPDX-License-Identifier: MIT
"""`alloclab workloads`: listed, shown, verified, made again, and held against the program."""

import json
import shutil
from pathlib import Path

import pytest

import alloclab as al
from alloclab import cli
from alloclab.workloads.validation import Row, Validation

SHELF = Path(__file__).resolve().parents[1] / "workloads"
MODEL = "slang-subsystems"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A shelf of one model, which needs a compiler and no other package."""
    place = tmp_path / "shelf"
    place.mkdir()
    for name in (f"{MODEL}.toml", f"{MODEL}.alloctrace"):
        shutil.copy(SHELF / name, place)
    shutil.copytree(SHELF / "models", place / "models")
    return place


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    code = cli.main(["workloads", *map(str, words)])
    return code, capsys.readouterr().out


def test_list_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, "list", "--folder", SHELF)
    assert code == 0
    assert len(said.splitlines()) == 1 + len(list(SHELF.glob("*.toml")))
    assert "freeciv" in said
    code, said = run(capsys, "list", "--folder", SHELF, "--json")
    assert {each["name"] for each in json.loads(said)} >= {"freeciv", "cc1plus", "redis"}


def test_show_says_how_to_make_it_and_what_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, "show", "freeciv", "--folder", SHELF)
    assert code == 0
    for part in ("freeciv-server --port", "freeciv-data", "licence", "events of 1 thread", "turn"):
        assert part in said
    code, said = run(capsys, "show", MODEL, "--folder", SHELF, "--json")
    assert json.loads(said)[0]["seed"] == 1


def test_verify_tells_a_sound_shelf_from_a_damaged_one(
    capsys: pytest.CaptureFixture[str], shelf: Path
) -> None:
    assert run(capsys, "verify", "--folder", shelf) == (0, f"{MODEL}: as shipped\n")
    path = shelf / f"{MODEL}.alloctrace"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    code, said = run(capsys, "verify", "--folder", shelf)
    assert code == 1
    assert "not those that were shipped" in said


def test_record_makes_it_again_within_a_thousandth(
    capsys: pytest.CaptureFixture[str], shelf: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    code, said = run(capsys, "record", MODEL, "--folder", shelf, "-o", kept, "--json")
    assert code == 0, said
    rows = json.loads(said)[MODEL][0]
    assert {row["name"] for row in rows} >= {"events", "allocations", "requested_total_bytes"}
    assert all(row["ratio"] <= 0.001 for row in rows)
    assert len(al.open_trace(kept / f"{MODEL}.alloctrace")) > 100_000


def test_record_writes_the_shelf_anew_and_measures_the_spread(
    capsys: pytest.CaptureFixture[str], shelf: Path
) -> None:
    by_hand = (shelf / f"{MODEL}.toml").read_text(encoding="utf-8").partition("# Written by")[0]
    code, said = run(capsys, "record", MODEL, "--folder", shelf, "--write", "--repeats", "2")
    assert code == 0, said
    workload = al.workload(MODEL, shelf)
    assert workload.spread["allocations"] <= 0.001
    assert workload.toml_path.read_text(encoding="utf-8").startswith(by_hand.rstrip("\n"))
    assert run(capsys, "verify", "--folder", shelf)[0] == 0


def test_validate_sets_the_program_beside_its_replay(
    capsys: pytest.CaptureFixture[str], shelf: Path, tmp_path: Path
) -> None:
    _, said = run(capsys, "validate", MODEL, "--folder", shelf, "--repeats", "1", "--json")
    (found,) = json.loads(said)
    assert [row["malloc"] for row in found["rows"]] == ["glibc", "jemalloc", "mimalloc", "tcmalloc"]
    base = found["rows"][0]
    assert base["off_ratio"] == 0
    for row in found["rows"]:
        assert row["real_peak_bytes"] > 500_000
        assert row["real_seconds"] > 0
        real = row["real_peak_bytes"] - base["real_peak_bytes"]
        replayed = row["replayed_peak_bytes"] - base["replayed_peak_bytes"]
        assert row["off_ratio"] == pytest.approx((replayed - real) / base["real_peak_bytes"])


def test_a_validation_fails_only_where_counts_repeat() -> None:
    rows = (
        Row("glibc", 100e6, 90e6, 2.0, 0.5, 0.0),
        Row("jemalloc", 120e6, 100e6, 1.5, None, -0.1),
    )
    strict = Validation("one", True, rows, 1.01, (0.9, 1.2))
    loose = Validation("one", False, rows, None, None, "no samples")
    assert not strict.is_close
    assert loose.is_close
    assert "| one | jemalloc | 120.00 MB | +20.00 MB | 100.00 MB | +10.00 MB | -10.0 % |" in (
        strict.table().replace("-10.0%", "-10.0 %")
    )
    assert "+0.50 s of 2.00 | n/m |" in strict.table()
    assert "peak +1.0%, page faults -10.0% to +20.0%" in strict.fidelity()
    assert "n/m (no samples)" in loose.fidelity()
