# SPDX-License-Identifier: MIT
"""Recording this interpreter itself: its own allocations, without a program to preload."""

from __future__ import annotations

import atexit
import errno
import os
import platform
import shutil
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from alloclab import _core, _recording
from alloclab._cells import Cells, running_shell
from alloclab.captures import check_max_bytes, free_trace_path, seal_file, trace_stem
from alloclab.errors import Error, NotMeasured, UsageError
from alloclab.staging import write_control
from alloclab.traces import Trace

_DEFAULT_DEPTH = 32
_FIRST_BYTES = 1 << 20  # what a capture takes at its start, generously
_UNSEEN = (
    "what C and C++ code takes from malloc itself, past Python's allocators",
    "objects that Python takes from a free list of its own: no block is allocated for them",
    "the data of NumPy arrays made on other threads, or in contexts copied before the start",
    "frees of blocks from before the start; one that is reallocated counts as new then",
)
_lock = threading.RLock()
_open: Recording | None = None


class Recording:
    """A recording of this process, open from `start()` to `stop()` or for a `with` block."""

    def __init__(self, output: str | Path | None, depth: int, max_bytes: int | None) -> None:
        self._output = output
        self._depth = depth
        self._max_bytes = max_bytes
        self._pid = 0
        self._place = Path()
        self._stage = Path()
        self._cells: Cells | None = None
        self._numpy: object = None  # the handler that served this context's arrays before
        self._trace: Trace | None = None
        self.warnings: tuple[str, ...] = ()

    def start(self) -> Recording:
        """Begins to record; returns itself.

        Raises:
            UsageError: a recording is open in this process, or this one was used before.
            Error: no capture can be written, and why.
        """
        global _open
        with _lock:
            if _open is not None:
                raise UsageError("a recording is open in this process; it has one at a time")
            if self._pid:
                raise UsageError("this recording is over; make another with alloclab.recording()")
            self._prepare_stage()
            self._unseen_threads = threading.active_count() - 1
            shell = running_shell()
            self._cells = None if shell is None else Cells(shell, self._watch_numpy)
            self._watch_numpy()
            if not _recording.start(str(self._stage), self._depth):
                self._unwatch_numpy()
                shutil.rmtree(self._stage, ignore_errors=True)
                raise Error(f"{self._place}: no capture could be opened there")
            self._pid = os.getpid()
            _open = self
        if self._cells is not None:
            self._cells.start()
        return self

    def stop(self) -> Trace:
        """Ends the recording and seals it; returns the trace.

        A recording that ended before, for want of space or at `max_bytes`, is sealed as far as it
        came: `warnings` says so, and for want of space a RuntimeWarning too.

        Raises:
            UsageError: it is not open, or belongs to the process this one was forked from.
            Error: the trace cannot be written; the capture stays, and the error says where.
        """
        global _open
        with _lock:
            if not self.is_open:
                raise UsageError("this recording is not open in this process")
            if self._cells is not None:
                self._cells.stop()
            self._unwatch_numpy()
            path, domains = _recording.stop()
            _open = None
        capture = Path(os.fsdecode(path))
        self._trace = self._seal(capture, domains)
        return self._trace

    @property
    def is_open(self) -> bool:
        """Whether it records now, and in this process: a forked child records nothing."""
        return _open is self and self._pid == os.getpid()

    @property
    def trace(self) -> Trace:
        """The sealed trace. Raises NotMeasured before the end."""
        if self._trace is None:
            raise NotMeasured("the recording has not ended in this process: it has no trace yet")
        return self._trace

    @contextmanager
    def tag(self, name: str) -> Iterator[None]:
        """Gives this thread's allocations within the block a tag; one within another wins."""
        if not self.is_open:
            yield
            return
        before = _recording.set_tag(name)
        try:
            yield
        finally:
            if self.is_open:
                _recording.restore_tag(before)

    @contextmanager
    def scope(self, name: str, *, kind: str = "task") -> Iterator[None]:
        """Makes the block a scope of this thread."""
        number = _recording.enter_scope(kind, name) if self.is_open else 0
        try:
            yield
        finally:
            if self.is_open:
                _recording.exit_scope(number)

    def mark(self, name: str) -> None:
        """Leaves a mark in the trace."""
        if self.is_open:
            _recording.mark(name)

    def __enter__(self) -> Recording:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.is_open:  # not in a forked child that leaves the block, too
            self.stop()

    def __repr__(self) -> str:
        if self.is_open:
            return "<Recording: open>"
        return f"<Recording: {'not begun' if not self._pid else self._trace}>"

    def _prepare_stage(self) -> None:
        try:
            if self._output is None:
                self._place = Path(tempfile.mkdtemp(prefix="alloclab-recording-"))
            else:
                self._place = Path(self._output).resolve()
                self._place.mkdir(parents=True, exist_ok=True)
            self._stage = Path(tempfile.mkdtemp(prefix="recording-", dir=self._place))
            if self._max_bytes is not None:
                write_control(self._stage / "control", self._max_bytes)
            probe = self._stage / "probe"
            with probe.open("wb") as file:
                _reserve(file.fileno())
            probe.unlink()
        except OSError as error:
            if self._stage != Path():
                shutil.rmtree(self._stage, ignore_errors=True)
            where = self._output if self._output is not None else tempfile.gettempdir()
            raise Error(f"{where}: nothing can be recorded there: {error.strerror}") from None

    def _watch_numpy(self) -> None:
        before = _recording.watch_numpy()
        self._numpy = self._numpy if before is None else before

    def _unwatch_numpy(self) -> None:
        _recording.unwatch_numpy(self._numpy)
        self._numpy = None

    def _seal(self, capture: Path, domains: dict[str, dict[str, int]]) -> Trace:
        try:
            header = _core.read_capture_header(os.fsencode(capture))
            self.warnings = tuple(_doubts(header))
            stem = trace_stem(capture, header, False)
            trace = seal_file(
                capture,
                free_trace_path(self._place, stem),
                extra={"inside": self._describe(domains)},
            )
        except Error as error:
            raise Error(
                f"not sealed: {error}; `alloclab seal {capture.parent}` tries again"
            ) from None
        shutil.rmtree(self._stage, ignore_errors=True)
        if header["stop_reason"] == "no_space":
            warnings.warn(self.warnings[0], RuntimeWarning, stacklevel=4)
        return trace

    def _describe(self, domains: dict[str, dict[str, int]]) -> dict[str, Any]:
        return {
            "python": platform.python_version(),
            "domains": domains,
            "site_depth": self._depth,
            "other_threads_at_start": self._unseen_threads,
            "unseen": list(_UNSEEN),
        }


def recording(
    *,
    output: str | Path | None = None,
    sites: str | None = None,
    max_bytes: int | None = None,
) -> Recording:
    """Records what this interpreter allocates, from within: in a script, a test or a notebook.

        with al.recording() as r:
            with r.tag("load"):
                rows = [bytearray(100) for _ in range(1000)]
        r.trace.summary()

    Recorded are Python's three domains (raw, mem, object) on every thread, and the data of the
    NumPy arrays made in this context. A call that one domain passes on to another is one event.
    `r = al.recording(); r.start() ... r.stop()` does the same across functions or notebook cells;
    in IPython each cell is a scope and a tag, "cell N".

    Args:
        output: the folder for the trace; by default a new one among the temporary files.
        sites: "python" keeps the Python frames of each allocation, the innermost 32; "python:N"
            the innermost N.
        max_bytes: size of the capture at which the recording ends; the program goes on.

    Raises:
        UsageError: an option that is none.
        NotMeasured: this interpreter's frames cannot be read.
    """
    check_max_bytes(max_bytes)
    return Recording(output, _depth(sites), max_bytes)


def _depth(sites: str | None) -> int:
    if sites is None or sites == "none":
        return 0
    word, _, number = sites.partition(":")
    depth = int(number) if number.isdecimal() else 0 if number or ":" in sites else _DEFAULT_DEPTH
    if word != "python" or not 1 <= depth <= 64:
        raise UsageError(f"sites {sites!r}: known are none, python, python:1 to python:64")
    if not _recording.most_frames:
        raise NotMeasured("the frames of this version of Python cannot be read")
    return depth


def _reserve(file: int) -> None:
    try:
        os.posix_fallocate(file, 0, _FIRST_BYTES)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # the recorder writes zeros then
            raise


def _doubts(header: dict[str, Any]) -> Iterator[str]:
    if header["stop_reason"] == "no_space":
        reason = os.strerror(header["stop_errno"])
        yield f"the recording stopped ({reason}); {header['lost_events']:,} events lost"
    elif header["lost_events"]:
        yield f"{header['lost_events']:,} events lost"
    if header["stop_reason"] == "max_bytes":
        yield "the recording stopped at max_bytes; the program went on"


def _stop_at_exit() -> None:
    if _open is not None and _open.is_open:
        _open.stop()


def _forget_in_child() -> None:
    global _open, _lock
    _open = None
    _lock = threading.RLock()


atexit.register(_stop_at_exit)
os.register_at_fork(after_in_child=_forget_in_child)
