# SPDX-License-Identifier: MIT
"""Every way a check can fail, each through a real pytest run of its own."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alloclab.errors import NotMeasured, UsageError
from alloclab.gate import VerdictFailed, check
from alloclab.gate.baseline import read_baseline, write_baseline
from alloclab.gate.compare import differences

METRICS = {
    "events": 1000,
    "replayed_events": 1000,
    "peak_requested_event": 640,
    "peak_requested_live_bytes": 4096,
    "peak_block_live_bytes": 4608,
    "internal_fragmentation_ratio": 0.1111,
    "reserved_bytes": 65536,
    "peak_footprint_bytes": 70000,
    "ns_per_event": 4.2,
}
EXACT = {
    name: value
    for name, value in METRICS.items()
    if name not in ("peak_footprint_bytes", "ns_per_event")
}


class FakeRun:
    """A finished run with figures chosen by the test."""

    def __init__(self, **changes: object) -> None:
        self.metrics = {**METRICS, **changes}


@pytest.fixture
def gate_test(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with one test that checks a run whose figures the file `run.json` gives."""
    pytester.makepyfile(
        test_pool="""
        import json
        from pathlib import Path
        from types import SimpleNamespace
        from alloclab.errors import NotMeasured

        def run():
            values = json.loads(Path("run.json").read_text())
            return SimpleNamespace(metrics={
                name: NotMeasured(value) if isinstance(value, str) else value
                for name, value in values.items()
            })

        def test_pool_on_cc1plus(alloclab):
            alloclab.check(run())
        """
    )
    measured(pytester)
    return pytester


def measured(pytester: pytest.Pytester, **changes: object) -> None:
    (pytester.path / "run.json").write_text(json.dumps({**METRICS, **changes}))


def baseline_path(pytester: pytest.Pytester) -> Path:
    return pytester.path / "baselines" / "test_pool" / "test_pool_on_cc1plus.json"


def test_it_passes_when_every_figure_is_the_committed_one(gate_test: pytest.Pytester) -> None:
    # Row Q21: deterministic counters exact.
    write_baseline(baseline_path(gate_test), EXACT)
    gate_test.runpytest().assert_outcomes(passed=1)


def test_it_fails_when_the_baseline_is_missing(gate_test: pytest.Pytester) -> None:
    result = gate_test.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*no baseline: *test_pool_on_cc1plus.json is missing", "*--alloclab-update*"]
    )
    assert not baseline_path(gate_test).exists()


def test_it_names_the_metric_both_values_and_the_file(gate_test: pytest.Pytester) -> None:
    write_baseline(baseline_path(gate_test), EXACT)
    measured(gate_test, peak_block_live_bytes=5120)
    result = gate_test.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*1 of 7 metrics differ from *baselines*test_pool*test_pool_on_cc1plus.json",
            "*peak_block_live_bytes: baseline 4608, measured 5120 (+512, +11.1 %*",
        ]
    )


def test_a_better_figure_fails_too_so_that_baselines_stay_true(gate_test: pytest.Pytester) -> None:
    # Row Q27: a report claims what was measured, not what was hoped.
    write_baseline(baseline_path(gate_test), EXACT)
    measured(gate_test, reserved_bytes=32768)
    result = gate_test.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*reserved_bytes: baseline 65536, measured 32768 (-32768, -50 %*"])


def test_it_fails_when_nothing_was_replayed(gate_test: pytest.Pytester) -> None:
    write_baseline(baseline_path(gate_test), {**EXACT, "events": 0, "replayed_events": 0})
    measured(gate_test, events=0, replayed_events=0)
    result = gate_test.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*nothing was replayed*"])


def test_a_figure_that_could_not_be_measured_fails(gate_test: pytest.Pytester) -> None:
    write_baseline(baseline_path(gate_test), EXACT)
    measured(gate_test, peak_block_live_bytes="it has no usable size")
    result = gate_test.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*peak_block_live_bytes: not measured: it has no usable size*"])


def test_updating_writes_the_file_and_fails_all_the_same(gate_test: pytest.Pytester) -> None:
    gate_test.runpytest("--alloclab-update").assert_outcomes(failed=1)
    assert read_baseline(baseline_path(gate_test)) == EXACT
    gate_test.runpytest().assert_outcomes(passed=1)

    measured(gate_test, reserved_bytes=131072)
    result = gate_test.runpytest("--alloclab-update")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*baseline rewritten: *", "*reserved_bytes: baseline 65536, measured 131072*"]
    )
    gate_test.runpytest().assert_outcomes(passed=1)


def test_updating_what_is_up_to_date_fails_too(gate_test: pytest.Pytester) -> None:
    write_baseline(baseline_path(gate_test), EXACT)
    result = gate_test.runpytest("--alloclab-update")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*baseline unchanged*"])


def test_checking_twice_under_one_name_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        from types import SimpleNamespace
        def test_twice(alloclab):
            run = SimpleNamespace(metrics={METRICS!r})
            alloclab.check(run, name="first")
            alloclab.check(run, name="first")
        """
    )
    folder = pytester.path / "baselines" / "test_checking_twice_under_one_name_fails"
    write_baseline(folder / "test_twice-first.json", EXACT)
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*test_twice-first was checked twice*"])


def test_a_parametrised_test_has_a_file_for_each_case(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_cases=f"""
        import pytest
        from types import SimpleNamespace
        @pytest.mark.parametrize("case", ["a/b", "plain"])
        def test_one(alloclab, case):
            alloclab.check(SimpleNamespace(metrics={METRICS!r}))
        """
    )
    pytester.runpytest("--alloclab-update").assert_outcomes(failed=2)
    names = sorted(path.name for path in (pytester.path / "baselines/test_cases").iterdir())
    assert names == ["test_one-a-b.json", "test_one-plain.json"]
    pytester.runpytest().assert_outcomes(passed=2)


def test_a_footprint_is_compared_only_under_a_tolerance(tmp_path: Path) -> None:
    path = tmp_path / "pool.json"
    write_baseline(path, EXACT)
    check(FakeRun(peak_footprint_bytes=999999), path)

    write_baseline(path, {**EXACT, "peak_footprint_bytes": 70000})
    check(FakeRun(peak_footprint_bytes=71399), path, tolerances={"peak_footprint_bytes": 0.02})
    check(FakeRun(peak_footprint_bytes=71024), path, tolerances={"peak_footprint_bytes": "1 KiB"})
    with pytest.raises(VerdictFailed, match=r"baseline 70000, measured 71401 .*allowed 2 %"):
        check(FakeRun(peak_footprint_bytes=71401), path, tolerances={"peak_footprint_bytes": 0.02})
    with pytest.raises(VerdictFailed, match="measured 68599"):
        check(FakeRun(peak_footprint_bytes=68599), path, tolerances={"peak_footprint_bytes": 0.02})


def test_a_doubtful_footprint_under_a_tolerance_fails(tmp_path: Path) -> None:
    path = tmp_path / "pool.json"
    write_baseline(path, {**EXACT, "peak_footprint_bytes": 70000})
    run = FakeRun(peak_footprint_bytes=NotMeasured("file pages moved"))
    with pytest.raises(VerdictFailed, match="peak_footprint_bytes: not measured: file pages moved"):
        check(run, path, tolerances={"peak_footprint_bytes": 0.02})


def test_a_metric_only_on_one_side_fails(tmp_path: Path) -> None:
    path = tmp_path / "pool.json"
    write_baseline(path, {**EXACT, "failed_bytes": 0})
    with pytest.raises(VerdictFailed, match="failed_bytes: baseline 0, not measured by this run"):
        check(FakeRun(), path)
    write_baseline(path, {name: EXACT[name] for name in EXACT if name != "events"})
    with pytest.raises(VerdictFailed, match="events: measured 1000, not in the baseline"):
        check(FakeRun(), path)


@pytest.mark.parametrize("tolerance", [-0.1, 1, 1.5, True, "a lot", float("nan")])
def test_a_tolerance_without_sense_is_a_usage_error(tmp_path: Path, tolerance: object) -> None:
    write_baseline(tmp_path / "pool.json", EXACT)
    with pytest.raises(UsageError):
        check(FakeRun(), tmp_path / "pool.json", tolerances={"reserved_bytes": tolerance})


def test_a_tolerance_for_no_metric_is_a_usage_error(tmp_path: Path) -> None:
    write_baseline(tmp_path / "pool.json", EXACT)
    with pytest.raises(UsageError, match="peak_footprint: there is no such metric"):
        check(FakeRun(), tmp_path / "pool.json", tolerances={"peak_footprint": 0.02})


@pytest.mark.parametrize(
    "text",
    ["", "[1]", '{"events": null}', '{"events": true}', '{"events": NaN}', '{"a": 1, "a": 2}', "{"],
)
def test_a_file_that_is_no_baseline_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pool.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"pool\.json: not a baseline"):
        check(FakeRun(), path)


def test_a_binary_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "pool.json").write_bytes(b"\xff\x00\x80")
    with pytest.raises(UsageError, match=r"pool\.json: not a baseline"):
        check(FakeRun(), tmp_path / "pool.json")


def test_the_file_is_sorted_with_one_metric_a_line(tmp_path: Path) -> None:
    path = tmp_path / "pool.json"
    write_baseline(path, EXACT)
    lines = path.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("{", "}")
    names = [json.loads("{" + line.strip().rstrip(",") + "}").popitem()[0] for line in lines[1:-1]]
    assert names == sorted(EXACT)


values = st.dictionaries(
    st.text("abc_", min_size=1), st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)


@given(values)
def test_what_was_written_reads_back_and_equals_itself(
    tmp_path_factory: pytest.TempPathFactory, figures: dict[str, float]
) -> None:
    path = tmp_path_factory.mktemp("gate") / "any.json"
    write_baseline(path, figures)
    back = read_baseline(path)
    assert back == figures
    assert differences(back, figures, {}) == []
