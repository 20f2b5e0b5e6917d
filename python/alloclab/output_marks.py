# SPDX-License-Identifier: MIT
"""Marks from what a program prints: its output goes through a pipe, or a terminal of its own where
it had one, and on at once; a line that matches leaves a line in the file `marks`."""

from __future__ import annotations

import contextlib
import os
import re
import select
import termios
import threading
import time
import tty
from pathlib import Path

from alloclab.errors import UsageError

BOUNDARIES = ("frame", "turn", "tick")
"""Groups of the expression that end what they name and begin the next."""
_LONGEST = 4096  # of a line that is looked at; the rest of a longer one is only forwarded
_READ = 64 << 10
_NEVER = re.compile(r"(?!)")


def checked_pattern(text: str) -> re.Pattern[str]:
    """Returns the expression, compiled.

    Raises:
        UsageError: it is none, or names groups other than scope, frame, turn and tick.
    """
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(f"mark_output: {text!r}: {error}") from None
    unknown = set(pattern.groupindex) - {"scope", *BOUNDARIES}
    if unknown:
        raise UsageError(
            f"mark_output: a group named {min(unknown)}; scope, frame, turn and tick mean something"
        )
    return pattern


class OutputMarks:
    """Stands between a program and its standard output and error."""

    def __init__(self, pattern: re.Pattern[str], path: Path) -> None:
        self._pattern = pattern
        self._file = path.open("wb", buffering=0)
        self.warnings: list[str] = []
        self._ours: dict[int, int] = {}  # what we read -> where it goes
        self._theirs: dict[int, int] = {}
        self._partial: dict[int, bytes] = {}
        self._thread: threading.Thread | None = None
        self._stop_read, self._stop_write = os.pipe()
        for target in (1, 2):
            ours, theirs = _connection(target)
            self._ours[ours] = target
            self._theirs[target] = theirs
            self._partial[ours] = b""

    @property
    def stdout(self) -> int:
        """The program's end of its standard output."""
        return self._theirs[1]

    @property
    def stderr(self) -> int:
        """The program's end of its standard error."""
        return self._theirs[2]

    def start(self) -> None:
        """The program has its ends: begins to forward."""
        for descriptor in self._theirs.values():
            os.close(descriptor)
        self._theirs = {}
        self._thread = threading.Thread(target=self._forward, daemon=True)
        self._thread.start()

    def close(self, *, is_running: bool) -> None:
        """The recording is over: takes what is still in the pipes, and ends the file.

        A program that goes on keeps being forwarded, by a process of its own, since this one may
        end before it; it leaves no more marks.
        """
        if self._thread is not None:
            os.write(self._stop_write, b"x")
            self._thread.join()
        if is_running and self._ours:
            self._leave_forwarder()
        self._file.close()
        for descriptor in (*self._theirs.values(), *self._ours):
            os.close(descriptor)
        os.close(self._stop_read)
        os.close(self._stop_write)

    def _leave_forwarder(self) -> None:
        child = os.fork()
        if child != 0:
            os.waitpid(child, 0)
            return
        if os.fork() == 0:  # nobody's child, so nobody has to wait for it
            os.setsid()
            os.read(self._stop_read, 1)  # what stopped the thread
            self._pattern = _NEVER
            self._forward()
        os._exit(0)

    def _forward(self) -> None:
        is_stopping = False
        while self._ours:
            waiting = [*self._ours] if is_stopping else [*self._ours, self._stop_read]
            ready, _, _ = select.select(waiting, [], [], 0 if is_stopping else None)
            if is_stopping and not ready:
                break
            if self._stop_read in ready:
                is_stopping = True
                ready.remove(self._stop_read)
            for descriptor in ready:
                try:
                    data = os.read(descriptor, _READ)
                except OSError:
                    data = b""  # a terminal whose other end is closed
                now_ns = time.monotonic_ns()
                if not data:
                    self._look(descriptor, b"\n" if self._partial[descriptor] else b"", now_ns)
                    os.close(descriptor)
                    del self._ours[descriptor]
                    continue
                _write_all(self._ours[descriptor], data)
                self._look(descriptor, data, now_ns)

    def _look(self, descriptor: int, data: bytes, now_ns: int) -> None:
        *lines, rest = (self._partial[descriptor] + data).split(b"\n")
        self._partial[descriptor] = rest[:_LONGEST]
        for line in lines:
            text = line[:_LONGEST].decode("utf-8", "replace").rstrip("\r")
            found = self._pattern.search(text)
            if found is not None:
                self._write(_mark(found, text, now_ns))

    def _write(self, mark: str) -> None:
        """Writes a mark. Where that fails there are no more, and output is forwarded as before."""
        try:
            self._file.write(mark.encode("utf-8", "replace"))
        except OSError as error:
            self._pattern = _NEVER
            self.warnings.append(
                f"mark_output: {error.strerror}: what was printed from then on left no marks"
            )


def _mark(found: re.Match[str], line: str, now_ns: int) -> str:
    """Returns a line of the file: when, what, and its name."""
    groups = {name: text for name, text in found.groupdict().items() if text is not None}
    kind = next((word for word in ("scope", *BOUNDARIES) if word in groups), "mark")
    name = groups.get(kind, line)
    return f"{now_ns} {kind} {''.join(c if c.isprintable() else '?' for c in name)}\n"


def _write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(target, view) :]
        except BlockingIOError:
            select.select([], [target], [])
        except OSError:
            return  # nobody reads any more; the program is not to fail of it


def _connection(target: int) -> tuple[int, int]:
    """Returns our end and the program's: a terminal where the real stream is one."""
    if not os.isatty(target):
        return os.pipe()
    ours, theirs = os.openpty()
    settings = termios.tcgetattr(target)
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    tty.setraw(theirs)  # the real terminal does what there is to do to the output
    with contextlib.suppress(OSError):
        termios.tcsetwinsize(theirs, termios.tcgetwinsize(target))
    return ours, theirs
