# SPDX-License-Identifier: MIT
"""Recording: runs a program with the recorder preloaded and seals what it leaves behind."""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import stat
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from alloclab import _core, _native
from alloclab.captures import CAPTURE_SUFFIX, Capture, seal_file
from alloclab.errors import Error, TraceError, UsageError
from alloclab.traces import SUFFIX

# The page shared with every recorded process; docs/capture-format.md describes it.
_CONTROL = struct.Struct("<IIQQ")
_CONTROL_MAGIC = 0x54434C41
_STOP_OFFSET = 4
_USED_OFFSET = 16
_STOP_DURATION = 3
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
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
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
        cwd: the program's working directory.
        env: the program's whole environment; by default this process's.
        seal: turn captures into traces; otherwise `output` receives the captures.

    Returns:
        The traces, one a process image; `warnings` names each image that left no events, and why.

    Raises:
        UsageError: the program does not exist.
        Error: the recorder is missing, or there is no folder that every user can reach.
    """
    words = [os.fspath(word) for word in command]
    environment = dict(os.environ if env is None else env)
    program = _find_program(words, environment, cwd)
    place = Path(output) if output else Path(tempfile.mkdtemp(prefix="alloclab-recording-"))
    place.mkdir(parents=True, exist_ok=True)
    stage = _Stage(max_bytes)
    is_over = False
    try:
        stage.preload_into(environment)
        process, is_over = _run(words, environment, cwd, stage, duration)
        warnings = stage.gather(place, process, program)
    finally:
        stage.remove(keep_library=is_over)
    returncode = process.poll()
    if returncode is None:
        _left_running.append(process)  # kept, so that it can be waited for
        warnings.append(f"the program goes on, as process {process.pid}; it is no longer recorded")
    captures = sorted(stage.gathered)
    if not seal:
        return Capture(place, [], warnings=warnings, returncode=returncode)
    traces = []
    for path in captures:
        try:
            traces.append(seal_file(path, _trace_path(place, path), redact=redact))
            path.unlink()
        except TraceError as error:
            warnings.append(f"not sealed: {error}")
    traces.sort(key=lambda trace: int(trace.metadata.get("start_wall_ns", 0)))
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


def _trace_path(place: Path, capture: Path) -> Path:
    header = _core.read_capture_header(str(capture))
    stem = f"{Path(header['image']).name or 'unknown'}-{header['pid']}"
    for suffix in ("", *(f"-{n}" for n in range(1, 100_000))):
        path = place / f"{stem}{suffix}{SUFFIX}"
        if not path.exists():
            return path
    raise Error(f"{place}: too many traces called {stem}")


class _Stage:
    """Where every user can load the library from and leave captures: a change of user before
    exec loses nothing, and neither does a loader that may not enter a private folder."""

    def __init__(self, max_bytes: int | None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="alloclab-stage-", dir=_open_folder()))
        self.folder.chmod(0o755)
        self.library = self.folder / "liballoclab_record.so"
        shutil.copyfile(_native.record_library(), self.library)
        self.library.chmod(0o755)
        self.captures = self.folder / "captures"
        self.captures.mkdir()
        self.captures.chmod(0o1777)
        self.gathered: list[Path] = []
        control = self.captures / "control"
        control.write_bytes(_CONTROL.pack(_CONTROL_MAGIC, 0, max_bytes or 0, 0).ljust(4096, b"\0"))
        control.chmod(0o666)
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), 4096)
        self.max_bytes = max_bytes

    def preload_into(self, environment: dict[str, str]) -> None:
        others = environment.get("LD_PRELOAD")
        environment["LD_PRELOAD"] = f"{self.library}:{others}" if others else str(self.library)
        environment["ALLOCLAB_RECORD_DIR"] = str(self.captures)

    def stop(self) -> None:
        struct.pack_into("<I", self._control, _STOP_OFFSET, _STOP_DURATION)

    def is_full(self) -> bool:
        used = int(struct.unpack_from("<Q", self._control, _USED_OFFSET)[0])
        return self.max_bytes is not None and used > self.max_bytes

    def gather(self, place: Path, process: subprocess.Popen[bytes], program: str) -> list[str]:
        """Moves the captures to their place; returns what to warn of."""
        headers = []
        warnings = []
        for path in sorted(self.captures.glob(f"*{CAPTURE_SUFFIX}")):
            target = place / path.name
            try:
                header = _core.read_capture_header(str(path))
                shutil.copyfile(path, target)
            except (Error, OSError) as error:
                warnings.append(f"a capture cannot be read: {error}")
                continue
            headers.append(header)
            self.gathered.append(target)
        images = [{"kind": "spawn", "path": program, "pid": process.pid, "wall_ns": 0}]
        images += [image for header in headers for image in header["images"]]
        warnings += [_why_missing(image) for image in images if _is_missing(image, headers)]
        warnings += [line for header in headers for line in _doubts(header)]
        return warnings

    def remove(self, *, keep_library: bool) -> None:
        self._control.close()
        if keep_library:  # a program that goes on may start others, whose loader looks for it
            shutil.rmtree(self.captures, ignore_errors=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def _open_folder() -> Path:
    """Returns a folder for temporary files that any user can enter and code can be loaded from."""
    for candidate in (
        Path(tempfile.gettempdir()),
        Path("/tmp"),
        Path("/var/tmp"),
        Path("/dev/shm"),
    ):
        path = candidate.resolve()
        if not path.is_dir() or any(c in str(path) for c in ": \t\n"):
            continue
        is_reachable = all(p.stat().st_mode & stat.S_IXOTH for p in (path, *path.parents))
        if is_reachable and os.access(path, os.W_OK) and not os.statvfs(path).f_flag & os.ST_NOEXEC:
            return path
    raise Error("no temporary folder that every user can enter and code can be loaded from")


def _run(
    words: list[str],
    environment: dict[str, str],
    cwd: str | Path | None,
    stage: _Stage,
    duration: float | None,
) -> tuple[subprocess.Popen[bytes], bool]:
    """Runs the command until it ends or the recording does; returns it and whether it goes on."""
    deadline = None if duration is None else time.monotonic() + duration
    process = subprocess.Popen(words, env=environment, cwd=cwd)
    with _signals_forwarded(process):
        while True:
            try:
                process.wait(_POLL_S if deadline or stage.max_bytes else None)
                return process, False
            except subprocess.TimeoutExpired:
                is_late = deadline is not None and time.monotonic() >= deadline
                if is_late:
                    stage.stop()
                if is_late or stage.is_full():
                    time.sleep(_GRACE_S)
                    return process, process.poll() is None


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


def _is_missing(image: Mapping[str, Any], headers: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an image that was started left no capture. A fork leaves one only at an event."""
    if image["kind"] == "fork" or image.get("has_failed"):
        return False
    since_ns = image["wall_ns"] if image["kind"] == "exec" else 0
    return not any(
        header["pid"] == image["pid"]
        and header["forked_from"] == 0
        and header["start_wall_ns"] >= since_ns
        for header in headers
    )


def _why_missing(image: Mapping[str, Any]) -> str:
    path = image["path"] if os.sep in image["path"] else shutil.which(image["path"])
    what = f"{image['path']} (process {image['pid']}) left no capture, 0 events"
    return f"{what}: {_obstacle(path)}" if path else what


def _obstacle(path: str) -> str:
    """Says why the recorder could not be in a program."""
    try:
        mode = Path(path).stat().st_mode
        with Path(path).open("rb") as file:
            is_static = _is_static(file.read(64 << 10))
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if mode & (stat.S_ISUID | stat.S_ISGID):
        return "it is setuid or setgid, and the loader preloads nothing into such programs"
    if is_static:
        return "it is statically linked, so nothing can be preloaded into it"
    return (
        "it ended before its first call of malloc, or its file-system access kept it from writing"
    )


def _is_static(head: bytes) -> bool:
    """Whether these first bytes are of an ELF executable that names no loader (PT_INTERP)."""
    if head[:5] != b"\x7fELF\x02" or len(head) < 64:
        return False
    offset, size, count = (
        *struct.unpack_from("<Q", head, 32),
        *struct.unpack_from("<HH", head, 54),
    )
    types = (head[offset + k * size : offset + k * size + 4] for k in range(count))
    return all(kind != b"\x03\0\0\0" for kind in types)


def _doubts(header: Mapping[str, Any]) -> Iterator[str]:
    name = f"{Path(header['image']).name} (process {header['pid']})"
    if header["has_own_malloc"]:
        yield f"{name}: 0 events: the program brings its own malloc, which nothing can stand before"
    if header["stop_reason"] == "no_space":
        reason = os.strerror(header["stop_errno"])
        yield f"{name}: recording stopped ({reason}); {header['lost_events']:,} events lost"
    elif header["lost_events"]:
        yield f"{name}: {header['lost_events']:,} events lost"
