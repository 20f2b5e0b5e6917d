# SPDX-License-Identifier: MIT
"""Recording: runs a program with the recorder preloaded and seals what it leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from alloclab import _core
from alloclab.captures import (
    CAPTURE_SUFFIX,
    MARKS,
    Capture,
    check_max_bytes,
    free_trace_path,
    seal_captures,
    trace_stem,
)
from alloclab.errors import UsageError
from alloclab.gcc_phases import add_gcc_phases
from alloclab.output_marks import OutputMarks, checked_pattern
from alloclab.record_options import python_layout, recorder_options
from alloclab.staging import Stage

_POLL_S = 0.05
_left_running: list[subprocess.Popen[bytes]] = []  # programs that outlived their recording
_GRACE_S = 0.5  # after a stop, for the processes to finish their captures


def record(
    command: Sequence[str | os.PathLike[str]],
    *,
    output: str | Path | None = None,
    duration: float | None = None,
    max_bytes: int | None = None,
    redact: bool = False,
    gcc_phases: bool = False,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    frame_on: Sequence[str] = (),
    scope_on: Sequence[str] = (),
    mark_output: str | None = None,
    sites: str | None = None,
    edges: str | int | None = None,
    seal: bool = True,
) -> Capture:
    """Runs a command, with its own allocator, and records it and every program it starts.

    The program has this process's standard streams; Ctrl-C and SIGTERM reach it, and what was
    recorded until it ends is kept.

    Args:
        command: the program and its arguments.
        output: the folder for the traces; by default a new one among the temporary files.
        duration: seconds after which the recording ends; the program goes on.
        max_bytes: size of all captures together at which the recording ends; the program goes on.
        redact: keep hashes in place of paths and arguments.
        gcc_phases: make a compile by GCC tell its phases, passes and functions.
        cwd: the program's working directory.
        env: the program's whole environment; by default this process's.
        frame_on: functions of which each call ends a frame of the thread that makes it.
        scope_on: functions of which each activation is a scope of kind function.
        mark_output: a regular expression; a line the program prints that matches is a mark, and
            with a group called scope begins a phase, called frame, turn or tick ends one.
        sites: where allocations come from: "none", "caller", "stack" or "stack:DEPTH".
        edges: when to look which block refers to which: "frame", "phase", or every so many events.
        seal: turn captures into traces; otherwise `output` receives the captures.

    Returns:
        The traces, one a process image; `warnings` names each image that left no events, and why.

    Raises:
        UsageError: the program does not exist, or an argument means nothing.
        Error: the recorder is missing, or there is no folder that every user can reach.
    """
    check_max_bytes(max_bytes)
    options = recorder_options(frame_on=frame_on, scope_on=scope_on, sites=sites, edges=edges)
    options |= python_layout(sites)
    pattern = None if mark_output is None else checked_pattern(mark_output)
    words = [os.fspath(word) for word in command]
    environment = dict(os.environ if env is None else env)
    phased = add_gcc_phases(words, path=environment.get("PATH")) if gcc_phases else None
    words = words if phased is None else list(phased.words)
    program = _find_program(words, environment, cwd)
    place = Path(output) if output else Path(tempfile.mkdtemp(prefix="alloclab-recording-"))
    place.mkdir(parents=True, exist_ok=True)
    stage = Stage(max_bytes, options)
    marks = None if pattern is None else OutputMarks(pattern, stage.captures / MARKS)
    survivors: set[int] = set()
    try:
        stage.preload_into(environment)
        process = _run(words, environment, cwd, stage, duration, marks)
        survivors = stage.survivors(process)
        stage.stop()  # also for a child that has yet to begin
        if survivors:
            time.sleep(_GRACE_S)
        if marks is not None:
            marks.close(is_running=bool(survivors))
        warnings = stage.gather(place, process, program)
        warnings += [] if marks is None else marks.warnings
    finally:
        stage.remove(keep_library=bool(survivors))
    returncode = process.poll()
    if returncode is None:
        _left_running.append(process)  # kept, so that it can be waited for
    warnings += [] if phased is None else phased.warnings
    warnings += [f"process {pid} goes on; it is no longer recorded" for pid in sorted(survivors)]
    captures = sorted(stage.gathered)
    if not seal:
        return Capture(place, [], warnings=warnings, returncode=returncode)
    traces, doubts = seal_captures(
        captures,
        redact=redact,
        target=lambda capture: _trace_path(place, capture, redact),
        remove=True,
    )
    warnings += doubts
    if not list(place.glob(f"*{CAPTURE_SUFFIX}")):  # else it is for sealing what is left
        (place / MARKS).unlink(missing_ok=True)
    return Capture(place, traces, warnings=warnings, returncode=returncode)


def _find_program(words: list[str], environment: Mapping[str, str], cwd: str | Path | None) -> str:
    if not words:
        raise UsageError("no command to record")
    if os.sep in words[0]:
        path = Path(cwd or ".") / words[0]
        found = str(path) if os.access(path, os.X_OK) and path.is_file() else None
    else:
        found = shutil.which(words[0], path=environment.get("PATH", os.defpath))
    if found is None:
        raise UsageError(f"{words[0]}: no such program, or it may not be executed")
    return found


def _trace_path(place: Path, capture: Path, redact: bool) -> Path:
    stem = trace_stem(capture, _core.read_capture_header(os.fsencode(capture)), redact)
    return free_trace_path(place, stem)


def _run(
    words: list[str],
    environment: dict[str, str],
    cwd: str | Path | None,
    stage: Stage,
    duration: float | None,
    marks: OutputMarks | None,
) -> subprocess.Popen[bytes]:
    """Runs the command until it ends or the recording does."""
    deadline = None if duration is None else time.monotonic() + duration
    out, err = (None, None) if marks is None else (marks.stdout, marks.stderr)
    process = subprocess.Popen(words, env=environment, cwd=cwd, stdout=out, stderr=err)
    if marks is not None:
        marks.start()
    with _signals_forwarded(process):
        while True:
            try:
                process.wait(_POLL_S if deadline or stage.max_bytes else None)
                return process
            except subprocess.TimeoutExpired:
                is_late = deadline is not None and time.monotonic() >= deadline
                if is_late:
                    stage.stop()
                if is_late or stage.is_full():
                    time.sleep(_GRACE_S)
                    return process


@contextmanager
def _signals_forwarded(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Hands SIGINT, SIGTERM and SIGHUP on to the program, and waits for it all the same."""

    def forward(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGINT or not _has_terminal():
            process.send_signal(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Callable[..., Any] | int | None] = {}
    for number in (int(signal.SIGINT), int(signal.SIGTERM), int(signal.SIGHUP)):
        before[number] = signal.signal(number, forward)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    """Whether a terminal sends Ctrl-C to the program itself: both are in its foreground group."""
    try:
        with Path("/dev/tty").open("rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
