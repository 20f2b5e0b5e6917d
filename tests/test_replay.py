# SPDX-License-Identifier: MIT
"""replay(): what children are asked, what a run makes of their answers, and how they fail.

The children are fakes that speak the protocol; their figures are in tests/support/fake_replay.py.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from alloclab.allocators import Allocator, Arena, Freelist, Glibc, Jemalloc, Pool
from alloclab.errors import ChildFailed, NotMeasured, TraceError, UsageError
from alloclab.replay import METRICS, Run, child_count, replay
from support.fake_child import FakeChild, fake_child

__all__ = ["fake_child"]


def test_metrics_are_those_of_the_definitions(fake_child: FakeChild) -> None:
    run = replay(fake_child.trace, Glibc())
    # 12 ms less the null replay's 2 ms over a million events.
    assert run["ns_per_event"] == 10.0
    assert run["events_per_s"] == 1e8
    assert run["null_ns_per_event"] == 2.0
    # 2.6 MB of anonymous memory, of which 1 MB was there without an allocator.
    assert run["peak_footprint_bytes"] == 1_600_000
    assert run["internal_fragmentation_ratio"] == pytest.approx(1 - 1.0 / 1.25)
    # The footprint peaks at the last sample, where 150,000 touched bytes are live, in blocks of
    # 260,000 bytes of which 50,000 were not touched.
    assert run["external_fragmentation_ratio"] == pytest.approx(1 - 210_000 / 1_600_000)
    assert run["realized_fragmentation_ratio"] == pytest.approx(1_600_000 / 150_000 - 1)
    assert run["johnstone_wilson_2"] == pytest.approx(1_200_000 / 800_000)
    assert run["johnstone_wilson_3"] == pytest.approx(1_600_000 / 150_000)
    assert run["johnstone_wilson_4"] == pytest.approx(1_600_000 / 800_000)
    # Weights are the bytes allocated since the last sample: 400, 600 and 200 kB.
    over_live = [500 / 300, 1200 / 800, 1600 / 150]
    average = (400 * over_live[0] + 600 * over_live[1] + 200 * over_live[2]) / 1200
    assert run["johnstone_wilson_1"] == pytest.approx(average)
    assert run["page_faults"] == 400
    assert run["peak_requested_live_bytes"] == 1_000_000


def test_repeats_give_samples_and_their_median(fake_child: FakeChild) -> None:
    run = replay(fake_child.trace, Glibc(), repeats=4, measure="time")
    assert run.samples("ns_per_event") == [10.0] * 4
    assert run["ns_per_event"] == 10.0
    heaps = [call["heap"] for call in fake_child.calls()]
    assert heaps == ["null_replay", "malloc"] * 4


def test_an_unknown_metric_is_named_with_the_known_ones(fake_child: FakeChild) -> None:
    run = replay(fake_child.trace, Glibc(), measure="time")
    with pytest.raises(UsageError, match="unknown metric 'rss': known are events, replayed_events"):
        run["rss"]


def test_what_was_not_asked_for_is_not_measured(fake_child: FakeChild) -> None:
    run = replay(fake_child.trace, Glibc(), measure="blocks")
    assert run["block_bytes_total"] == 1_500_000
    with pytest.raises(NotMeasured, match="time was not measured"):
        run["ns_per_event"]
    assert "johnstone_wilson_1" not in run.metrics
    assert all(not isinstance(figure, NotMeasured) for figure in run.metrics.values())


def test_a_child_gets_a_clean_environment_and_its_allocator(
    fake_child: FakeChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MALLOC_CONF", "narenas:9")
    monkeypatch.setenv("LD_PRELOAD_NOT", "1")
    replay(fake_child.trace, Jemalloc(narenas=1), measure="time", touch="page", mapped=True)
    null, call = fake_child.calls()
    environment = call["environment"]
    assert environment["MALLOC_CONF"] == "narenas:1"
    assert environment["LD_PRELOAD"].endswith("libjemalloc.so")
    assert set(environment) <= {"LC_ALL", "PATH", "MALLOC_CONF", "LD_PRELOAD", "LC_CTYPE"}
    assert call["touch"] == "page"
    assert call["mapped"] == "yes"
    assert "LD_PRELOAD" not in null["environment"]
    assert call["cpu"] == null["cpu"]


def test_huge_pages_are_asked_for_on_both_paths(fake_child: FakeChild) -> None:
    replay(fake_child.trace, Pool(huge_pages_from="24 MiB"), measure="time")
    null, face, kernel = fake_child.calls()
    assert "huge-pages" not in null
    assert face["huge-pages"] == kernel["huge-pages"] == "yes"


def test_own_allocators_run_through_malloc_and_through_their_kernel(fake_child: FakeChild) -> None:
    fake_child.say(arena={"scale": 0.5})
    run = replay(fake_child.trace, Arena(initial="1 MiB"), measure="time")
    assert run["ns_per_event"] == 10.0
    assert run["templated_ns_per_event"] == 5.0
    assert run["reserved_bytes"] == 4 << 20
    _, face, kernel = fake_child.calls()
    assert face["environment"]["ALLOCLAB_MALLOC_OPTIONS"] == "initial_bytes=1048576"
    assert kernel["heap"] == "arena"
    assert kernel["option"] == "initial_bytes=1048576"


def test_an_allocator_without_a_malloc_face_is_never_ranked_with_mallocs(
    fake_child: FakeChild,
) -> None:
    run = replay(fake_child.trace, Freelist())
    assert run["templated_ns_per_event"] == 10.0
    assert run["peak_footprint_bytes"] == 1_600_000
    with pytest.raises(NotMeasured, match="cannot serve malloc: only its templated path runs"):
        run["ns_per_event"]


def test_what_a_peer_does_not_have_is_absent_from_its_metrics(fake_child: FakeChild) -> None:
    peer = replay(fake_child.trace, Glibc()).metrics
    own = replay(fake_child.trace, Pool()).metrics
    assert set(own) - set(peer) == {
        "templated_ns_per_event",
        "type_erased_ns_per_event",
        "reserved_bytes",
        "committed_bytes",
    }
    parallel = {name for name, metric in METRICS.items() if metric.order == "parallel"}
    checked = {"checked_blocks", "damaged_blocks", "misaligned_blocks"}
    assert set(METRICS) - set(own) == checked | parallel


def test_a_crash_names_signal_last_event_and_stderr(fake_child: FakeChild) -> None:
    fake_child.say(libjemalloc__so={"signal": "SIGSEGV", "reached": 4711, "stderr": "bad free"})
    with pytest.raises(ChildFailed, match="killed by SIGSEGV after event 4711: bad free") as caught:
        replay(fake_child.trace, Jemalloc())
    assert caught.value.signal_name == "SIGSEGV"
    assert caught.value.last_event == 4711


def test_a_child_that_is_killed_may_have_been_out_of_memory(fake_child: FakeChild) -> None:
    fake_child.say(libjemalloc__so={"signal": "SIGKILL"})
    with pytest.raises(ChildFailed, match=r"killed by SIGKILL \(out of memory\?\) after event 7"):
        replay(fake_child.trace, Jemalloc())


def test_a_child_that_never_ends_is_stopped(fake_child: FakeChild) -> None:
    fake_child.say(libjemalloc__so={"sleep": 60})
    with pytest.raises(ChildFailed, match="did not end within"):
        replay(fake_child.trace, Jemalloc(), timeout=1.5)


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        ({"raw": "not json"}, ChildFailed, "ended with 0 and no answer"),
        ({"raw": "[1]", "code": 3}, ChildFailed, "ended with 3 and no answer"),
        ({"raw": '{"schema": 9}'}, ChildFailed, "an answer of schema 9"),
        ({"error": {"kind": "trace", "message": "offset 9: bad"}}, TraceError, "offset 9: bad"),
        ({"error": {"kind": "system", "message": "no memory"}}, ChildFailed, "no memory"),
        ({"error": {"kind": "usage", "message": "growth=0"}}, UsageError, "growth=0"),
        (
            {"stderr": "ERROR: ld.so: object 'x' from LD_PRELOAD cannot be preloaded: ignored."},
            ChildFailed,
            "did not preload",
        ),
    ],
)
def test_a_bad_answer_is_an_error(
    fake_child: FakeChild, said: dict[str, Any], kind: type[Exception], message: str
) -> None:
    fake_child.say(libjemalloc__so=said)
    with pytest.raises(kind, match=message):
        replay(fake_child.trace, Jemalloc(), measure="time")


def test_a_declined_measurement_is_kept_as_its_reason(fake_child: FakeChild) -> None:
    declined = {"error": {"kind": "not_measured", "message": "a Debug build"}, "only": "time"}
    fake_child.say(malloc=declined, null_replay=declined)
    run = replay(fake_child.trace, Glibc())
    assert run.metrics["ns_per_event"] == NotMeasured("a Debug build")
    assert run["internal_fragmentation_ratio"] == pytest.approx(0.2)


def test_a_doubtful_peak_is_not_measured(fake_child: FakeChild) -> None:
    reply = {"anonymous_peak_bytes": None, "anonymous_peak_reason": "file pages moved"}
    fake_child.say(malloc={"reply": reply})
    run = replay(fake_child.trace, Glibc(), measure="time")
    assert run.metrics["peak_footprint_bytes"] == NotMeasured("file pages moved")


def test_a_mark_that_lags_behind_the_samples_is_replaced_by_them(fake_child: FakeChild) -> None:
    fake_child.say(malloc={"reply": {"anonymous_peak_bytes": 2_590_000}, "only": "time"})
    assert replay(fake_child.trace, Glibc())["peak_footprint_bytes"] == 1_600_000
    alone = replay(fake_child.trace, Glibc(), measure="time")
    assert alone["peak_footprint_bytes"] == 1_590_000


def test_a_batch_too_short_to_time_is_not_measured(fake_child: FakeChild) -> None:
    fake_child.say(malloc={"reply": {"cpu_ns": 2_050_000}})
    run = replay(fake_child.trace, Glibc(), measure="time")
    assert run.metrics["ns_per_event"] == NotMeasured("too short to time: 50 us above the null")


def test_a_ratio_at_peak_footprint_is_where_most_is_live_on_its_plateau(
    fake_child: FakeChild,
) -> None:
    # A page more at the end, where little is live, is not where memory was short.
    anonymous = [1_000_000, 1_500_000, 2_600_000, 2_604_096]
    timeline = {
        "event": [0, 300_000, 600_000, 999_999],
        "requested_live_bytes": [0, 400_000, 1_000_000, 1_000],
        "touched_live_bytes": [0, 400_000, 1_000_000, 1_000],
        "allocated_bytes": [0, 400_000, 1_000_000, 1_200_000],
        "anonymous_bytes": anonymous,
    }
    fake_child.say(malloc={"reply": {"timeline": timeline}, "only": "timeline"})
    run = replay(fake_child.trace, Glibc())
    assert run["realized_fragmentation_ratio"] == pytest.approx(0.6)
    assert run["johnstone_wilson_3"] == pytest.approx(1_604_096 / 1_000)
    assert run["johnstone_wilson_4"] == pytest.approx(1_604_096 / 1_000_000)


def test_ratios_over_live_bytes_are_not_measured_where_they_would_lie(
    fake_child: FakeChild,
) -> None:
    fake_child.say(malloc={"reply": {"failed_allocations": 3, "failed_bytes": 99}})
    failed = replay(fake_child.trace, Glibc()).metrics
    reason = NotMeasured("3 requests failed: not all that the trace has live was")
    assert failed["internal_fragmentation_ratio"] == failed["johnstone_wilson_4"] == reason
    mapped = replay(fake_child.trace, Jemalloc(), mapped=True).metrics
    assert mapped["realized_fragmentation_ratio"] == NotMeasured(
        "the footprint holds the program's own mappings, too"
    )


def test_checked_blocks_are_counted(fake_child: FakeChild) -> None:
    reply = {"checked_blocks": 500, "damaged_blocks": 1}
    fake_child.say(malloc={"reply": reply, "only": "check"})
    run = replay(fake_child.trace, Glibc(), measure="check")
    assert (run["checked_blocks"], run["damaged_blocks"]) == (500, 1)


def test_warnings_name_failed_requests_and_fallbacks(fake_child: FakeChild) -> None:
    reply = {"failed_allocations": 3, "failed_bytes": 4096, "touch_fallback": True}
    fake_child.say(malloc={"reply": reply, "stderr": "odd setting"})
    warnings = replay(fake_child.trace, Glibc(), measure="time").warnings
    assert warnings[0] == "3 requests (4,096 bytes) failed"
    assert "does not know what was touched" in warnings[1]
    assert warnings[2] == "odd setting"


def test_progress_of_an_untimed_child_is_passed_on(fake_child: FakeChild) -> None:
    seen: list[tuple[int, int]] = []
    replay(fake_child.trace, Glibc(), measure="blocks", progress=lambda *pair: seen.append(pair))
    assert seen == [(500_000, 1_000_000)]


@pytest.mark.parametrize("allocator", [Glibc(), Pool(), Freelist()], ids=str)
@pytest.mark.parametrize("measure", ["time", "blocks", ("time", "timeline", "blocks")], ids=str)
def test_the_end_of_each_child_is_told(
    fake_child: FakeChild, allocator: Allocator, measure: str | tuple[str, ...]
) -> None:
    ends: list[int] = []
    replay(
        fake_child.trace,
        allocator,
        measure=measure,
        repeats=2,
        ended=lambda: ends.append(len(fake_child.calls())),
    )
    assert ends == list(range(1, child_count(allocator, measure, 2) + 1))


def test_a_child_that_declines_blocks_costs_the_block_metrics_alone(fake_child: FakeChild) -> None:
    reason = "the library that provides malloc has no malloc_usable_size"
    error = {"kind": "not_measured", "message": reason}
    fake_child.say(libjemalloc__so={"error": error, "only": "blocks"})
    figures = replay(fake_child.trace, Jemalloc()).metrics
    declined = {name for name, each in figures.items() if each == NotMeasured(reason)}
    assert declined == {
        "peak_block_live_bytes",
        "block_live_bytes_at_peak_requested",
        "block_bytes_total",
        "internal_fragmentation_ratio",
        "external_fragmentation_ratio",
    }
    assert not any(isinstance(figures[name], NotMeasured) for name in set(figures) - declined)


def test_a_run_reads_back_from_json(fake_child: FakeChild) -> None:
    run = replay(fake_child.trace, Pool())
    again = Run.from_json(json.loads(json.dumps(run.to_json())))
    assert again == run
    assert again.metrics == run.metrics


def test_a_failed_run_reads_back_from_json_and_has_no_figures() -> None:
    failure = ChildFailed("killed by SIGBUS", signal_number=7, last_event=3, stderr="x")
    run = Run("t.alloctrace", Glibc(), "recorded", False, {}, failure=failure)
    document = json.loads(json.dumps(run.to_json()))
    again = Run.from_json(document)
    assert document == run.to_json(), "a reader may read it again"
    assert str(again.failure) == str(failure)
    assert again.failure is not None and again.failure.signal_name == "SIGBUS"
    with pytest.raises(NotMeasured, match="the run failed: killed by SIGBUS after event 3: x"):
        again["ns_per_event"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"touch": "some"}, "unknown touch 'some': known are recorded, page, none, all"),
        ({"measure": "rss"}, "unknown measurement 'rss'"),
        ({"measure": []}, "nothing to measure"),
        ({"repeats": 0}, "nothing to measure"),
        ({"cpu": 4096}, "processor 4096 is not one"),
    ],
)
def test_a_wrong_argument_is_refused(
    fake_child: FakeChild, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        replay(fake_child.trace, Glibc(), **arguments)


def test_a_trace_that_is_not_there_is_named(fake_child: FakeChild) -> None:
    with pytest.raises(UsageError, match=r"absent\.alloctrace: no such trace"):
        replay(fake_child.trace.with_name("absent.alloctrace"), Glibc())


def test_a_workload_of_the_shelf_stands_for_its_recording(fake_child: FakeChild) -> None:
    workload = SimpleNamespace(trace_path=fake_child.trace, summary={})
    run = replay(workload, Glibc(), measure="time")
    assert run["peak_footprint_bytes"] == replay(fake_child.trace, Glibc())["peak_footprint_bytes"]
    with pytest.raises(UsageError, match=r"^7 is neither a trace, nor the path of one, nor a"):
        replay(7, Glibc())  # type: ignore[arg-type]
