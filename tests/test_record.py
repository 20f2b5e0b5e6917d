# SPDX-License-Identifier: MIT
"""Recording small programs whose every call is known, against a counter of its own."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from alloclab import _core
from alloclab.captures import Capture, seal
from alloclab.errors import UsageError
from alloclab.record import _left_running, record
from support.recorded_programs import (
    Programs,
    as_counted,
    environment,
    kind_counts,
    record_counted,
)

COMPARED = ("allocations", "failed", "frees", "null_frees", "reallocations", "zero_reallocations")


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    if shutil.which(os.environ.get("CC", "cc")) is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("programs")
    for parent in (folder, *folder.parents):  # programs are also run as another user
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
        if parent.name.startswith("pytest-of-"):
            break
    return Programs(folder)


def chosen(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in COMPARED}


@pytest.mark.parametrize(
    "command",
    [
        ["churn", "30000"],
        ["threads", "8", "5000"],
        ["signals", "400000"],
        ["loads"],
        ["maps"],
        ["processes", "exec_fails"],
    ],
    ids=" ".join,
)
def test_a_recording_holds_as_many_calls_as_an_independent_counter_saw(
    programs: Programs, tmp_path: Path, command: list[str]
) -> None:
    capture, counted = record_counted(programs, [programs(command[0]), *command[1:]], tmp_path)
    (trace,) = capture
    assert capture.returncode == 0
    assert chosen(as_counted(trace)) == chosen(counted[trace.metadata["pid"]])
    assert trace.summary()["requested_total_bytes"] >= counted[trace.metadata["pid"]]["bytes"]
    assert trace.summary()["unknown_frees"] == 0
    assert trace.summary()["lost_events"] == 0


def test_every_call_of_the_family_keeps_its_identity(programs: Programs, tmp_path: Path) -> None:
    capture = record([programs("calls", "-fno-builtin")], output=tmp_path, env=environment())
    (trace,) = capture
    assert capture.returncode == 0
    counts = kind_counts(trace)
    assert counts["allocate"] == 15
    assert counts["free"] == 14
    assert counts["free_null"] == 1
    assert counts["allocate_failed"] == 3  # malloc and calloc too large, alignment 3
    assert counts["reallocate"] == 3
    assert counts["reallocate_failed"] == 1
    assert counts["reallocate_zero"] == 1
    assert trace.summary()["zero_size_allocations"] == 1
    calls: Counter[int] = Counter()
    for chunk in trace.chunks():
        calls.update(chunk.call[chunk.is_kind("allocate")].tolist())
    # In the order of the format's table: malloc, calloc, realloc(NULL), reallocarray, ...
    assert calls == Counter({0: 6, 1: 2, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1})


@pytest.mark.parametrize("leave", ["_exit", "quick_exit", "return"])
def test_the_end_is_seen_however_the_program_leaves(
    programs: Programs, tmp_path: Path, leave: str
) -> None:
    capture = record([programs("churn"), "5000", leave], output=tmp_path, env=environment())
    (trace,) = capture
    assert trace.summary()["is_complete"] == 1
    assert trace.metadata["stop_reason"] == "exit"


def test_a_kill_loses_nothing_that_was_written(programs: Programs, tmp_path: Path) -> None:
    capture, counted = record_counted(programs, [programs("churn"), "50000", "kill"], tmp_path)
    (trace,) = capture
    assert capture.returncode == -signal.SIGKILL
    assert trace.summary()["is_complete"] == 0
    assert chosen(as_counted(trace)) == chosen(counted[trace.metadata["pid"]])


def test_a_thread_may_end_the_process(programs: Programs, tmp_path: Path) -> None:
    capture = record([programs("threads"), "4", "2000", "leave"], output=tmp_path)
    (trace,) = capture
    assert capture.returncode == 0
    assert trace.summary()["is_complete"] == 1


def test_a_forked_child_has_a_capture_of_its_own(programs: Programs, tmp_path: Path) -> None:
    capture, counted = record_counted(programs, [programs("processes"), "fork"], tmp_path)
    parent, child = sorted(capture, key=lambda trace: trace.metadata["forked_from"])
    assert child.metadata["forked_from"] == parent.metadata["pid"]
    assert child.summary()["unknown_frees"] == 1  # of the block it inherited
    for trace in (parent, child):
        assert chosen(as_counted(trace)) == chosen(counted[trace.metadata["pid"]])


@pytest.mark.parametrize("mode", ["vfork", "spawn", "exec", "exec_empty", "exec_cleared"])
def test_the_recorder_follows_whatever_starts_another_image(
    programs: Programs, tmp_path: Path, mode: str
) -> None:
    command = [programs("processes"), mode, shutil.which("echo") or "/bin/echo", "x"]
    capture = record(command, output=tmp_path, env=environment())
    assert capture.returncode == 0
    assert next(trace.name for trace in capture) == "processes"
    assert len(capture) == 2
    assert list(capture)[1].summary()["allocations"] > 0
    assert not capture.warnings
    marked = {"vfork": 2, "spawn": 0}.get(mode, 1)  # of 1234 bytes; a vfork child's is its parent's
    assert sum(int((chunk.size == 1234).sum()) for chunk in capture["processes"].chunks()) == marked
    assert all(trace.summary()["is_complete"] for trace in capture)


def test_other_preloads_are_kept(programs: Programs, tmp_path: Path) -> None:
    shell = ["sh", "-c", f"{programs('churn')} 10; exec {programs('churn')} 20"]
    capture, counted = record_counted(programs, shell, tmp_path)
    assert sum(trace.name == "churn" for trace in capture) == 2
    for trace in capture:
        if trace.name == "churn" and trace.summary()["allocations"] < 20:
            assert chosen(as_counted(trace)) == chosen(counted[trace.metadata["pid"]])


def test_touched_pages_are_counted(programs: Programs, tmp_path: Path) -> None:
    (trace,) = record([programs("maps")], output=tmp_path, env=environment())
    rows = trace.touched()
    by_pages = {
        int(pages): (int(birth), int(death))
        for pages, birth, death in zip(
            rows["pages"], rows["resident_at_birth"], rows["resident_at_death"], strict=True
        )
    }
    freed, alive = by_pages[101], by_pages[51]  # a header makes one page more
    assert freed[1] - freed[0] == 7
    assert alive[1] - alive[0] == 3
    assert by_pages[1 << 28] == (0, 5)  # a terabyte reserved, five pages touched
    assert by_pages[128][1] == 6  # ten touched, four discarded
    counts = kind_counts(trace)
    assert (counts["map"], counts["map_reserved"], counts["remap"], counts["discard"]) == (
        1,
        1,
        1,
        1,
    )


def test_a_change_of_user_loses_nothing(programs: Programs, tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv")
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    become = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    capture = record([*become, programs("churn"), "5000"], output=private, env=environment())
    assert capture.returncode == 0
    assert capture["churn"].summary()["allocations"] > 2500
    assert not capture.warnings


def test_a_full_disk_stops_the_recording_and_not_the_program(
    programs: Programs, tmp_path: Path
) -> None:
    # A file-size limit: beyond it a write would raise SIGXFSZ.
    shell = ["sh", "-c", f"ulimit -f 1500; exec {programs('churn')} 400000"]
    capture, counted = record_counted(programs, shell, tmp_path)
    trace = capture["churn"]
    assert capture.returncode == 0
    assert trace.metadata["stop_reason"] == "no_space"
    assert any("events lost" in warning for warning in capture.warnings)
    seen = as_counted(trace)
    recorded = sum(seen[name] for name in COMPARED)
    lost = trace.summary()["lost_events"]
    images = 45 + 1  # the shell has the same process id in the counter
    total = sum(chosen(counted[trace.metadata["pid"]]).values())
    assert lost > 0
    assert abs(total - recorded - lost) <= images + kind_counts(trace)["footprint"] + 50


def test_a_program_with_its_own_malloc_is_told_of(programs: Programs, tmp_path: Path) -> None:
    capture = record([programs("own_malloc", "-fno-builtin")], output=tmp_path, env=environment())
    assert capture.returncode == 0
    assert any("0 events" in line and "own malloc" in line for line in capture.warnings)


def test_a_static_program_is_told_of(programs: Programs, tmp_path: Path) -> None:
    path = Path(programs.folder) / "churn_static"
    source = Path(__file__).parent / "programs" / "churn.c"
    subprocess.run(["cc", "-static", "-o", path, source], check=True)
    capture = record([str(path), "10"], output=tmp_path, env=environment())
    assert capture.returncode == 0
    assert len(capture) == 0
    assert any("0 events" in line and "statically linked" in line for line in capture.warnings)


def test_a_setuid_program_is_told_of(programs: Programs, tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv")
    path = Path(shutil.copy(programs("churn"), programs.folder / "churn_setuid"))
    path.chmod(0o4755)
    become = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    capture = record([*become, str(path), "10"], output=tmp_path, env=environment())
    assert any("setuid" in line and "0 events" in line for line in capture.warnings)


@pytest.mark.parametrize(
    "library", ["libjemalloc.so.2", "libmimalloc.so.2.0", "libtcmalloc_minimal.so.4"]
)
def test_a_program_under_another_malloc_keeps_it(
    programs: Programs, tmp_path: Path, library: str
) -> None:
    path = Path("/usr/lib/x86_64-linux-gnu") / library
    if not path.exists():
        pytest.skip(f"{library} is not installed")
    given = environment(LD_PRELOAD=str(path))
    (trace,) = record([programs("threads"), "4", "3000"], output=tmp_path, env=given)
    assert Path(trace.metadata["allocator"]).name.startswith(library.split(".")[0])
    assert trace.summary()["allocations"] >= 4 * 3000
    assert trace.summary()["unknown_frees"] == 0
    assert trace.summary()["maps"] == 0  # what the allocator maps is not the program's


@pytest.mark.parametrize("library", ["", "libjemalloc.so.2", "libtcmalloc_minimal.so.4"])
def test_objects_of_cpp_are_seen_once_under_any_malloc(
    programs: Programs, tmp_path: Path, library: str
) -> None:
    path = Path("/usr/lib/x86_64-linux-gnu") / library
    if not path.exists():
        pytest.skip(f"{library} is not installed")
    given = environment(LD_PRELOAD=str(path)) if library else environment()
    capture = record([programs("objects")], output=tmp_path, env=given)
    (trace,) = capture
    assert capture.returncode == 0  # bad_alloc came through
    summary = trace.summary()
    assert summary["unknown_frees"] == 0
    assert 400 <= summary["frees"] <= 405  # 100 of each form, and what libstdc++ does for itself
    assert summary["frees"] <= summary["allocations"] <= summary["frees"] + 5
    assert summary["aligned_allocations"] == 100


def test_an_executable_with_a_stub_of_malloc_is_not_taken_for_one_with_its_own(
    programs: Programs, tmp_path: Path
) -> None:
    program = programs("churn_fixed", "-no-pie", "-DTAKES_ADDRESS_OF_MALLOC")
    capture = record([program, "100"], output=tmp_path, env=environment())
    assert not capture.warnings
    assert capture["churn_fixed"].summary()["allocations"] > 50


def test_a_duration_ends_the_recording_and_the_program_goes_on(
    programs: Programs, tmp_path: Path
) -> None:
    shell = ["sh", "-c", f"while :; do {programs('churn')} 2000; done"]
    capture = record(shell, output=tmp_path, env=environment(), duration=0.5)
    process = _left_running.pop()
    said = f"process {process.pid} goes on; it is no longer recorded"
    assert said in capture.warnings
    process.kill()
    process.wait()
    assert capture.returncode is None
    assert sum(trace.name == "churn" for trace in capture) >= 1


def test_max_bytes_ends_the_recording(programs: Programs, tmp_path: Path) -> None:
    capture = record(
        [programs("churn"), "3000000"], output=tmp_path, env=environment(), max_bytes=1 << 20
    )
    trace = capture["churn"]
    assert trace.metadata["stop_reason"] == "max_bytes"
    assert 0 < trace.summary()["allocations"] < 1_400_000
    assert trace.summary()["is_complete"] == 1
    assert trace.summary()["lost_events"] == 0  # it was asked to stop: nothing is lost


def test_ctrl_c_reaches_the_program_and_what_was_recorded_is_kept(
    programs: Programs, tmp_path: Path
) -> None:
    script = (
        "import sys; from alloclab.record import record\n"
        "c = record(sys.argv[2:], output=sys.argv[1]); print(c.returncode, len(c.largest()))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), programs("churn"), "5000", "sleep"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        for _ in range(200):
            if _has_child(run.pid):
                break
            time.sleep(0.05)
        time.sleep(0.3)
        run.send_signal(signal.SIGTERM)
        output, _ = run.communicate(timeout=60)
    returncode, events = output.split()
    assert int(returncode) == -signal.SIGTERM
    assert int(events) > 5000


def _has_child(pid: int) -> bool:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return bool(path.read_text().strip()) if path.exists() else False


def test_captures_seal_later_as_they_would_have_at_once(programs: Programs, tmp_path: Path) -> None:
    left = record([programs("churn"), "2000"], output=tmp_path, env=environment(), seal=False)
    assert len(left) == 0
    (trace,) = seal(tmp_path)
    assert trace.name == "churn"
    assert trace.summary()["allocations"] > 1000


def test_redaction_leaves_no_path_and_no_argument(programs: Programs, tmp_path: Path) -> None:
    capture = record([programs("churn"), "4321"], output=tmp_path, env=environment(), redact=True)
    (trace,) = capture
    assert "4321" not in str(trace.metadata["arguments"])
    assert str(programs.folder) not in str(dict(trace.metadata))


def test_redaction_hides_the_programs_that_were_started(programs: Programs, tmp_path: Path) -> None:
    shell = ["sh", "-c", f"{programs('churn')} 10; exec {programs('churn')} 20"]
    capture = record(shell, output=tmp_path, env=environment(), redact=True)
    assert len(capture) >= 2
    for trace in capture:
        assert "churn" not in str(dict(trace.metadata)) + trace.path.name


def test_a_child_that_outlives_the_command_is_said_to_go_on(
    programs: Programs, tmp_path: Path
) -> None:
    # The second one gives the first the time to begin: what never began leaves no capture.
    shell = ["sh", "-c", f"{programs('churn')} 20000000 & {programs('churn')} 2000000"]
    capture = record(shell, output=tmp_path, env=environment())
    goers = [line for line in capture.warnings if "goes on; it is no longer recorded" in line]
    assert goers
    for line in goers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line.split()[1]), signal.SIGKILL)


def test_a_capture_that_cannot_be_fetched_stays_where_it_is(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("alloclab.staging._open_folder", lambda: tmp_path)
    real_copy = shutil.copyfile
    monkeypatch.setattr(
        "alloclab.staging.shutil.copyfile",
        lambda a, b: full(a, b) if str(a).endswith(".capture") else real_copy(a, b),
    )
    capture = record([programs("churn"), "100"], output=tmp_path / "out", env=environment())
    monkeypatch.undo()
    (line,) = (line for line in capture.warnings if "still in" in line)
    (stage,) = tmp_path.glob("alloclab-stage-*/captures")
    assert str(stage) in line
    (trace,) = seal(stage)
    assert trace.name == "churn"


def test_a_folder_whose_name_is_no_utf8_is_fine(programs: Programs, tmp_path: Path) -> None:
    place = tmp_path / os.fsdecode(b"caf\xe9")
    (trace,) = record([programs("churn"), "100"], output=place, env=environment())
    assert trace.summary()["allocations"] > 50


@pytest.mark.parametrize("max_bytes", [-1, 0, 1 << 70])
def test_an_impossible_limit_is_refused(programs: Programs, max_bytes: int) -> None:
    with pytest.raises(UsageError, match="max_bytes"):
        record([programs("churn"), "100"], max_bytes=max_bytes)


def test_no_environment_value_is_in_a_capture(programs: Programs, tmp_path: Path) -> None:
    given = environment(SECRET="a-value-nobody-may-see")
    record([programs("churn"), "100"], output=tmp_path, env=given, seal=False)
    (path,) = tmp_path.glob("*.capture")
    assert b"a-value-nobody" not in path.read_bytes()


@pytest.mark.parametrize(
    "value", ["relative", "/nonexistent/folder", "/dev/null", "/proc", "/" + "x" * 5000]
)
def test_a_hostile_folder_is_one_line_and_no_recording(programs: Programs, value: str) -> None:
    from alloclab import _native

    given = environment(LD_PRELOAD=str(_native.record_library()), ALLOCLAB_RECORD_DIR=value)
    run = subprocess.run(
        [programs("churn"), "1000"], env=given, capture_output=True, text=True, check=True
    )
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert "ALLOCLAB_RECORD_DIR" in run.stderr


def test_a_program_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such program"):
        record(["no-such-program-anywhere"], output=tmp_path)
    with pytest.raises(UsageError, match="no command"):
        record([], output=tmp_path)


def test_a_capture_cut_anywhere_never_crashes_the_reader(
    programs: Programs, tmp_path: Path
) -> None:
    record([programs("calls", "-fno-builtin")], output=tmp_path, env=environment(), seal=False)
    (path,) = tmp_path.glob("*.capture")
    whole = path.read_bytes()
    cut = tmp_path / "cut"
    cut.mkdir()
    for size in (0, 7, 8, 100, 4096, 65535, 65536, 65536 + 300, len(whole) - 1):
        (cut / f"{size}.capture").write_bytes(whole[:size])
    sealed = _seal_each(cut)
    assert len(sealed.warnings) == 6  # those without a whole head
    assert len(sealed) == 3
    assert all(not trace.summary()["is_complete"] for trace in sealed)


def _seal_each(folder: Path) -> Capture:
    return seal(folder)


def test_the_clocks_of_a_capture_agree_with_the_wall(programs: Programs, tmp_path: Path) -> None:
    before = time.time_ns()
    (trace,) = record([programs("churn"), "5000"], output=tmp_path, env=environment())
    assert before <= trace.metadata["start_wall_ns"] <= time.time_ns()
    assert 0 < trace.summary()["duration_ns"] <= time.time_ns() - before


def test_the_header_names_what_was_recorded(programs: Programs, tmp_path: Path) -> None:
    record([programs("churn"), "10"], output=tmp_path, env=environment(), seal=False)
    (path,) = tmp_path.glob("*.capture")
    header = _core.read_capture_header(str(path))
    assert header["arguments"] == [programs("churn"), "10"]
    assert header["image"] == programs("churn")
    assert struct.unpack_from("<8s", path.read_bytes())[0] == b"alloccap"


def test_a_block_filled_after_it_was_asked_for_is_in_the_footprint(
    programs: Programs, tmp_path: Path
) -> None:
    capture = record([programs("filled")], output=tmp_path, env=environment())
    (trace,) = capture
    assert trace.footprint()["anonymous_bytes"].max() >= 8 << 20
