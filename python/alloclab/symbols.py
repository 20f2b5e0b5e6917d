# SPDX-License-Identifier: MIT
"""The functions and lines behind addresses in program files, inlined ones too.

A child does the reading, `alloclab-symbolize`: what it is asked about are files the recorded
program chose, and a damaged one may crash or stall the libraries that read it. The child is then
started again without that file's debug information, and without the file if that does not help.
"""

from __future__ import annotations

import os
import selectors
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

from alloclab import _native
from alloclab.errors import Error

DEFAULT_TIMEOUT_S = 120.0
DEFAULT_MEMORY_BYTES = 4 << 30

NOT_BUILT = (
    "functions are not named: alloclab was built without libdw; "
    "on Debian, apt-get install libdw-dev, then install alloclab again"
)
NO_DEBUG_INFORMATION = "no debug information"
"""The reason the reader gives for a file of which it knows symbols at most."""
_SYMBOLS_ONLY = 1
_PIECE_BYTES = 1 << 20


class SourceFrame(NamedTuple):
    """A function and a line in it; `is_inlined` when its code stands in the next frame's function.

    `file` is empty and `line` 0 where only the symbol is known.
    """

    function: str
    file: str
    line: int
    is_inlined: bool


Frames = tuple[SourceFrame, ...]


class Symbols(NamedTuple):
    """The frames of each address, innermost first, and a line for each module that lacks some."""

    frames: list[Frames]
    warnings: list[str]


def symbolize(
    modules: Sequence[tuple[str, str]],
    addresses: Sequence[tuple[int, int]] | npt.NDArray[np.uint64],
    *,
    exact: Sequence[bool] | npt.NDArray[np.bool_] | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Symbols:
    """Looks addresses up in the program files they stand in.

    A file whose build id is no longer the recorded one is not believed. Nothing about a file is an
    error: where nothing is known the frames are empty, and a warning says why.

    Args:
        modules: (path, build id in hex or "" where none was recorded) of each.
        addresses: (index of a module, address in its own address space) of each.
        exact: whether an address is one that ran, not one that a call returns to, the default; a
            call is looked up just before the address it returns to.
        timeout_s: seconds a module may take.
        memory_bytes: memory the child may take, what it maps of files not counted.

    Raises:
        IndexError: an address names a module that is not there.
    """
    wanted = np.asarray(addresses, dtype=np.uint64).reshape(-1, 2)
    is_return = np.ones(len(wanted), np.uint8)
    if exact is not None:
        is_return = 1 - np.asarray(exact, dtype=np.uint8)
    if len(wanted) and int(wanted[:, 0].max()) >= len(modules):
        raise IndexError(f"an address in module {wanted[:, 0].max()}: there are {len(modules)}")
    executable = _native.symbolize_executable()
    frames: list[Frames] = [()] * len(wanted)
    if executable is None or not len(wanted):
        return Symbols(frames, [NOT_BUILT] if len(wanted) else [])

    order = np.argsort(wanted[:, 0], kind="stable")
    used, begins = np.unique(wanted[order, 0], return_index=True)
    jobs = [
        _Job(*modules[int(module)], rows, wanted[rows, 1], is_return[rows])
        for module, rows in zip(used, np.split(order, begins[1:]), strict=True)
    ]
    warnings = _Child(str(executable), timeout_s, memory_bytes).answer_all(jobs, frames)
    return Symbols(frames, warnings)


@dataclass
class _Job:
    """A module, and the rows of the request that stand in it."""

    path: str
    build_id: str
    rows: npt.NDArray[np.intp]
    offsets: npt.NDArray[np.uint64]
    is_return: npt.NDArray[np.uint8]
    flags: int = 0

    def request(self) -> bytes:
        path, build_id = os.fsencode(self.path), os.fsencode(self.build_id)
        return b"".join(
            (
                struct.pack("<I", len(path)) + path,
                struct.pack("<I", len(build_id)) + build_id,
                struct.pack("<II", self.flags, len(self.rows)),
                self.offsets.astype("<u8").tobytes(),
                self.is_return.tobytes(),
            )
        )

    def warning(self, reason: str) -> str:
        # A path may hold anything but a zero; a warning is one line.
        shown = self.path.encode("utf-8", "backslashreplace").decode()
        return f"{shown if shown.isprintable() else ascii(shown)}: {reason}"


@dataclass
class _Child:
    executable: str
    timeout_s: float
    memory_bytes: int

    def answer_all(self, jobs: list[_Job], frames: list[Frames]) -> list[str]:
        """Fills in the frames of every job's rows and returns the warnings."""
        warnings: list[str] = []
        left = jobs
        while left:
            answered = 0
            failure = "did not answer"
            for piece in self._answers(left):
                if isinstance(piece, str):
                    failure = piece
                    break
                reason = _read_answer(piece, left[answered], frames)
                if reason and not left[answered].flags:
                    warnings.append(left[answered].warning(reason))
                answered += 1
            left = left[answered:]
            if left and not left[0].flags:
                left[0].flags = _SYMBOLS_ONLY
                warnings.append(left[0].warning(f"its debug information is left out: {failure}"))
            elif left:
                warnings[-1] = left[0].warning(f"its symbols are left out: {failure}")
                left = left[1:]
        return warnings

    def _answers(self, jobs: list[_Job]) -> Iterator[bytes | str]:
        """Yields the answer to each job in turn, or the text of what went wrong, the last."""
        head = b"ASYM" + struct.pack("<IQI", 1, self.memory_bytes, len(jobs))
        # A file as its input: nobody has to write while the answers are read.
        with tempfile.TemporaryFile() as request, tempfile.TemporaryFile() as last_words:
            request.write(head)
            request.writelines(job.request() for job in jobs)
            request.seek(0)
            try:
                process = subprocess.Popen(
                    [self.executable],
                    stdin=request,
                    stdout=subprocess.PIPE,
                    stderr=last_words,
                    env={"LC_ALL": "C"},
                )
            except OSError as error:
                raise Error(f"cannot start {self.executable}: {error.strerror}") from error
            with process:
                assert process.stdout is not None
                try:
                    for _ in jobs:
                        yield self._read_record(process.stdout)
                    return
                except TimeoutError:
                    failure = f"reading it took more than {self.timeout_s:g} s"
                except EOFError:
                    process.wait()
                    last_words.seek(0)
                    said = last_words.read(4096).decode("utf-8", "replace").strip()
                    failure = _failure(process.returncode, said)
                finally:
                    process.kill()
                yield failure

    def _read_record(self, stream: IO[bytes]) -> bytes:
        deadline = time.monotonic() + self.timeout_s
        (size,) = struct.unpack("<Q", _read_exactly(stream, 8, deadline))
        return _read_exactly(stream, size, deadline)


def _read_exactly(stream: IO[bytes], size: int, deadline: float) -> bytes:
    pieces = []
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while size > 0:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            piece = os.read(stream.fileno(), min(size, _PIECE_BYTES))
            if not piece:
                raise EOFError
            pieces.append(piece)
            size -= len(piece)
    return b"".join(pieces)


def _failure(code: int, said: str) -> str:
    if code < 0:
        return f"reading it ended the reader with signal {-code}"
    last = said.splitlines()[-1] if said else "nothing was said"
    return f"reading it ended the reader with exit code {code} ({last})"


def _read_answer(record: bytes, job: _Job, frames: list[Frames]) -> str:
    """Sets the frames of a job's rows from the record; returns why some are lacking, or ""."""
    numbers = _Numbers(record)
    numbers.next()  # the module: answers come in order
    reason = numbers.text()
    texts = [numbers.text() for _ in range(numbers.next())]
    known = [
        SourceFrame(texts[function], texts[file], line, is_inlined != 0)
        for function, file, line, is_inlined in numbers.rows(4)
    ]
    lists = [
        tuple(known[index] for index in numbers.array(numbers.next()).tolist())
        for _ in range(numbers.next())
    ]
    for row, found in zip(job.rows.tolist(), numbers.array(numbers.next()).tolist(), strict=True):
        frames[row] = lists[found]
    return reason


class _Numbers:
    """A record read from its begin on."""

    def __init__(self, record: bytes) -> None:
        self._record = record
        self._at = 0

    def next(self) -> int:
        (number,) = struct.unpack_from("<I", self._record, self._at)
        self._at += 4
        return int(number)

    def text(self) -> str:
        size = self.next()
        self._at += size
        return self._record[self._at - size : self._at].decode("utf-8", "replace")

    def rows(self, width: int) -> list[list[int]]:
        rows: list[list[int]] = self.array(width * self.next()).reshape(-1, width).tolist()
        return rows

    def array(self, count: int) -> npt.NDArray[np.uint32]:
        self._at += 4 * count
        return np.frombuffer(self._record, "<u4", count, self._at - 4 * count)
