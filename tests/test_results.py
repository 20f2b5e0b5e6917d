# SPDX-License-Identifier: MIT
"""compare() and what it returns: rounds, rows, tables, JSON, pandas; with fake children."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alloclab.allocators import Arena, Freelist, Glibc, Jemalloc, Mimalloc, Pool, Preload, find
from alloclab.errors import Error, NotInstalled, NotMeasured, TraceError, UsageError
from alloclab.results import Explained, Fidelity, Measure, fingerprint
from alloclab.sweep import Comparison, ProgressBar, compare, load_comparison
from support.fake_child import FakeChild, fake_child
from support.fake_trace import FakeTrace

__all__ = ["fake_child"]

ALLOCATORS = [Glibc(), Jemalloc(), Pool()]


def measured(fake_child: FakeChild, **arguments: Any) -> Comparison:
    given = {"allocators": ALLOCATORS, "repeats": 3, **arguments}
    return compare(FakeTrace(fake_child.trace), **given)  # type: ignore[arg-type]


def test_rounds_are_interleaved_and_turn_round(fake_child: FakeChild) -> None:
    measured(fake_child, repeats=2)
    timed = [call for call in fake_child.calls() if call["measure"] == "time"]
    names = [
        call["environment"].get("LD_PRELOAD", call["heap"]).rpartition("/")[2] for call in timed
    ]
    pool, jemalloc = "liballoclab_malloc_pool.so", "libjemalloc.so"
    first = ["null_replay", "malloc", jemalloc, pool, "pool"]
    second = ["null_replay", pool, "pool", jemalloc, "malloc"]
    assert names[:10] == first + second


def test_figures_are_medians_with_ratios_to_the_baseline(fake_child: FakeChild) -> None:
    fake_child.say(libjemalloc__so={"scale": 0.5})
    comparison = measured(fake_child)
    assert comparison.baseline == "glibc"
    row = comparison["jemalloc"]
    assert row["ns_per_event"] == 5.0
    assert row["peak_footprint_bytes"] == 800_000
    ratio = row.ratios["ns_per_event"]
    assert isinstance(ratio, Measure)
    assert ratio.samples == (0.5, 0.5, 0.5)
    assert comparison[Glibc()].p_values == {}


def test_a_named_baseline_is_used(fake_child: FakeChild) -> None:
    comparison = measured(fake_child, baseline=Jemalloc())
    assert comparison.baseline == "jemalloc"
    with pytest.raises(UsageError, match="the baseline mimalloc is not among glibc, jemalloc"):
        measured(fake_child, baseline="mimalloc")


def test_a_missing_peer_is_a_row_that_says_how_to_install_it(
    fake_child: FakeChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALLOCLAB_MIMALLOC_LIBRARY")
    monkeypatch.setattr(find, "_loader_cache", dict)
    monkeypatch.setattr(find, "_folders", list)
    comparison = measured(fake_child, allocators=[Glibc(), Mimalloc()])
    assert len(comparison) == 2
    assert "mimalloc   not installed: apt-get install libmimalloc2.0" in comparison.table()
    with pytest.raises(NotMeasured, match="mimalloc: not installed"):
        comparison["mimalloc"]["ns_per_event"]


def test_a_child_that_dies_is_a_failed_row_and_the_sweep_goes_on(fake_child: FakeChild) -> None:
    fake_child.say(libjemalloc__so={"signal": "SIGSEGV", "reached": 12, "stderr": "corrupted"})
    comparison = measured(fake_child)
    assert "jemalloc   failed: killed by SIGSEGV after event 12: corrupted" in comparison.table()
    assert comparison["pool"]["ns_per_event"] == 10.0
    asked = [c["environment"].get("LD_PRELOAD", "") for c in fake_child.calls()]
    assert sum("jemalloc" in each for each in asked) == 1


def test_when_the_baseline_dies_there_are_no_ratios(fake_child: FakeChild) -> None:
    fake_child.say(libjemalloc__so={"signal": "SIGABRT"})
    comparison = measured(fake_child, baseline="jemalloc")
    assert comparison.baseline is None
    assert comparison["glibc"].ratios == {}


def test_a_damaged_trace_ends_the_comparison(fake_child: FakeChild) -> None:
    fake_child.say(null_replay={"error": {"kind": "trace", "message": "offset 40: bad chunk"}})
    with pytest.raises(TraceError, match="offset 40: bad chunk"):
        measured(fake_child)


def test_the_library_that_is_none_ends_it_before_any_child(
    fake_child: FakeChild, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="absent.so: no such file".replace(".", r"\.")):
        measured(fake_child, allocators=[Glibc(), Preload(tmp_path / "absent.so")])
    assert not fake_child.executable.with_suffix(".log").exists()


def test_the_table_is_aligned_and_complete(fake_child: FakeChild) -> None:
    text = str(measured(fake_child).table())
    lines = text.splitlines()
    assert any(line.startswith("measured on ") and "glibc 2." in line for line in lines)
    assert lines[0].startswith("small.alloctrace: 1,000,000 events, peak requested 1.00 MB*")
    heading, glibc, jemalloc, pool = lines[1:5]
    assert heading.split()[:4] == ["allocator", "peak", "footprint", "ratio"]
    assert "internal*" in heading and "templated ns" in heading
    assert glibc.split()[:5] == ["glibc", "1.60", "MB", "1.00x", "20.0"]
    assert heading.index("ns/event") + len("ns/event") == glibc.index("10.00") + len("10.00")
    assert len(pool) == len(heading)
    assert jemalloc.rstrip() == jemalloc


def test_a_table_shows_itself_at_a_prompt(fake_child: FakeChild) -> None:
    table = measured(fake_child).table()
    assert repr(table) == str(table)
    assert "\n" in repr(table)


def test_an_allocator_without_malloc_is_not_ranked(fake_child: FakeChild) -> None:
    comparison = measured(fake_child, allocators=[Glibc(), Freelist()])
    assert "ns_per_event" not in comparison["freelist"].p_values
    assert isinstance(comparison["freelist"].figures["ns_per_event"], NotMeasured)
    assert comparison["freelist"]["templated_ns_per_event"] == 10.0
    assert "n/m: freelist: ns_per_event, events_per_s: it cannot serve malloc" in comparison.table()


def test_what_is_explained_adds_up(fake_child: FakeChild) -> None:
    # At the program's own peak, event 999,999, the fake heap holds 1.6 MB with or without mappings.
    explained = measured(fake_child).explained
    assert explained == Explained(1_800_000, 100_000, 1_600_000, 0)
    assert explained.unexplained_bytes == 100_000
    line = next(x for x in measured(fake_child).notes() if x.startswith("explained"))
    assert "allocated 1.60 MB (89 %)" in line
    assert "its data, bss and stack 0.10 MB (6 %)" in line


def test_data_written_after_the_start_counts_as_the_programs_own(fake_child: FakeChild) -> None:
    trace = FakeTrace(fake_child.trace)
    trace.metadata["static_anonymous_bytes"] = 150_000
    comparison = compare(trace, [Glibc()], repeats=1)
    assert comparison.explained == Explained(1_800_000, 150_000, 1_600_000, 0)
    assert isinstance(comparison.fidelity, Fidelity)
    assert comparison.fidelity.recorded_peak_bytes == 1_650_000


def test_fidelity_is_above_start_and_since_the_first_event(fake_child: FakeChild) -> None:
    fidelity = measured(fake_child).fidelity
    assert isinstance(fidelity, Fidelity)
    assert fidelity.recorded_peak_bytes == 1_700_000
    assert fidelity.peak_ratio == Measure(1_600_000 / 1_700_000)
    # 490 - 50 faults, none of them a file's; the fake child makes 400.
    assert fidelity.recorded_faults == Measure(440.0, (), 440.0, 440.0)
    assert fidelity.faults_ratio == Measure(400 / 440)
    mapped = [call for call in fake_child.calls() if "mapped" in call]
    assert {call["measure"] for call in mapped} == {"time", "timeline"}


def test_faults_that_cannot_be_told_apart_are_not_measured(fake_child: FakeChild) -> None:
    trace = FakeTrace(fake_child.trace)
    trace.own_memory["file_bytes"] = np.array([0, 4096 * 200, 4096 * 300])
    comparison = compare(trace, [Glibc()], repeats=1)
    assert isinstance(comparison.fidelity, Fidelity)
    assert isinstance(comparison.fidelity.recorded_faults, NotMeasured)
    assert "300 file pages came in meanwhile" in comparison.table()


def test_without_samples_of_the_program_nothing_is_claimed(fake_child: FakeChild) -> None:
    trace = FakeTrace(fake_child.trace)
    trace.own_memory = {name: column[:0] for name, column in trace.own_memory.items()}
    comparison = compare(trace, [Glibc()], repeats=1)
    assert isinstance(comparison.explained, NotMeasured)
    assert "fidelity: not measured: the recorder took no samples" in comparison.table()


def test_a_recorded_peak_of_nothing_explains_nothing(fake_child: FakeChild) -> None:
    trace = FakeTrace(fake_child.trace)
    trace.own_memory["anonymous_bytes"] = np.zeros(3)
    comparison = compare(trace, [Glibc()], repeats=1)
    assert comparison.explained == NotMeasured(
        "the recorder saw no anonymous memory of the program's own"
    )
    assert "explained: not measured" in comparison.table()


def test_a_program_that_ran_on_another_allocator_is_not_set_beside_glibc(
    fake_child: FakeChild,
) -> None:
    trace = FakeTrace(fake_child.trace)
    trace.metadata["allocator"] = "/usr/lib/libjemalloc.so.2"
    comparison = compare(trace, [Glibc()], repeats=1)
    reason = "the recorded program ran on /usr/lib/libjemalloc.so.2, not on glibc's malloc"
    assert comparison.fidelity == comparison.explained == NotMeasured(reason)


def test_an_empty_heap_has_no_ratios_and_no_footprint(fake_child: FakeChild) -> None:
    names = ("event", "requested_live_bytes", "touched_live_bytes", "allocated_bytes")
    timeline = {name: [0] for name in names} | {"anonymous_bytes": [999_000]}
    fake_child.say(
        malloc={
            "reply": {"anonymous_peak_bytes": 999_000},
            "reply_timeline": {"timeline": timeline},
        }
    )
    row = compare(FakeTrace(fake_child.trace), [Glibc()], repeats=2)["glibc"]
    assert row["peak_footprint_bytes"] == 0
    assert row.ratios["peak_footprint_bytes"] == NotMeasured("the baseline's figure is zero")
    assert row.figures["johnstone_wilson_4"] == NotMeasured("touched live is 0")


def test_a_comparison_reads_back_from_json(fake_child: FakeChild, tmp_path: Path) -> None:
    fake_child.say(libjemalloc__so={"signal": "SIGBUS"})
    comparison = measured(fake_child, allocators=[*ALLOCATORS, Arena(initial="1 MiB")])
    again = Comparison.from_json(json.loads(json.dumps(comparison.to_json())))
    assert again.table() == comparison.table()
    assert [row.allocator for row in again] == [row.allocator for row in comparison]
    assert again["pool"].run == comparison["pool"].run
    comparison.save(tmp_path / "compare.json")
    assert load_comparison(tmp_path / "compare.json").table() == comparison.table()
    assert max(map(len, (tmp_path / "compare.json").read_text().splitlines())) < 400


def test_text_in_a_saved_comparison_is_kept_to_the_letter(
    fake_child: FakeChild, tmp_path: Path
) -> None:
    fake_child.say(malloc={"stderr": "odd [ 1 2 ] [\n3 4\n]"})
    comparison = measured(fake_child, allocators=[Glibc()], repeats=1)
    comparison.save(tmp_path / "compare.json")
    assert load_comparison(tmp_path / "compare.json")["glibc"].run == comparison["glibc"].run


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "comparison", "schema": 9}'])
def test_a_file_that_is_no_comparison_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"odd\.json: .*not a comparison"):
        load_comparison(path)


def test_a_file_that_cannot_be_read_or_written_is_named(
    fake_child: FakeChild, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*absent"):
        load_comparison(tmp_path / "absent")
    with pytest.raises(Error, match=r"cannot write .*absent"):
        measured(fake_child, repeats=1).save(tmp_path / "absent" / "x.json")


def test_html_escapes_what_came_from_outside(fake_child: FakeChild) -> None:
    fake_child.say(libjemalloc__so={"signal": "SIGSEGV", "stderr": "<script>"})
    html = measured(fake_child)._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert html.count("<tr>") == 4


def test_pandas_has_a_row_an_allocator(fake_child: FakeChild) -> None:
    pytest.importorskip("pandas")
    fake_child.say(libjemalloc__so={"signal": "SIGSEGV"})
    frame = measured(fake_child).to_pandas()
    assert list(frame.index) == ["glibc", "jemalloc", "pool"]
    assert frame.loc["glibc", "ns_per_event"] == 10.0
    assert frame.loc["glibc", "ns_per_event_low"] == 10.0
    assert np.isnan(frame.loc["jemalloc", "ns_per_event"])
    assert "SIGSEGV" in str(frame.loc["jemalloc", "problem"])


def test_without_pandas_the_extra_is_named(
    fake_child: FakeChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = measured(fake_child, repeats=1)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(NotInstalled, match=r"pip install 'alloclab\[pandas\]'"):
        comparison.to_pandas()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"allocators": []}, "no allocator to compare"),
        ({"allocators": [Glibc(), Glibc()]}, "glibc is named twice"),
        ({"repeats": 0}, "at least one round"),
        ({"touch": "some"}, "unknown touch"),
    ],
)
def test_a_wrong_argument_is_refused(
    fake_child: FakeChild, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        measured(fake_child, **arguments)


def test_an_unknown_row_or_metric_is_named_with_the_known_ones(fake_child: FakeChild) -> None:
    comparison = measured(fake_child, repeats=1)
    with pytest.raises(UsageError, match="no row 'tcmalloc': there are glibc, jemalloc, pool"):
        comparison["tcmalloc"]
    with pytest.raises(UsageError, match="glibc has no metric 'rss': it has events"):
        comparison["glibc"]["rss"]


def test_the_fingerprint_names_machine_and_libraries(fake_child: FakeChild) -> None:
    facts = fingerprint([Glibc(), Jemalloc()])
    assert facts["c_library"].startswith("glibc 2.")
    assert len(facts["libraries"]["jemalloc"]["sha256"]) == 64
    assert "glibc" not in facts["libraries"]
    two = fingerprint([Jemalloc(), Jemalloc(narenas=1)])["libraries"]
    assert list(two) == ["jemalloc", "jemalloc:narenas=1"]
    assert json.loads(json.dumps(facts)) == facts


def test_the_bar_draws_only_for_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar(2) as bar:
        bar.begin("work")
        bar.end()
    assert capsys.readouterr().err == ""


def test_the_bar_says_how_far_and_cleans_up() -> None:
    class Terminal(list[str]):
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> None:
            self.append(text)

        def flush(self) -> None:
            pass

    terminal = Terminal()
    with ProgressBar(2, stream=terminal) as bar:  # type: ignore[arg-type]
        bar.begin("first")
        bar.end()
        bar.begin("second")
    assert any("50 %  second" in text for text in terminal)
    assert terminal[-1] == "\r\x1b[K"
