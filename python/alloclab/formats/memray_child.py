# SPDX-License-Identifier: MIT
"""Runs `memray_records` on a file and checks what it says."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.errors import TraceError
from alloclab.formats.memray_records import HEAD, RECORD

_PROGRAM = "import sys; from alloclab.formats.memray_records import main; sys.exit(main())"
SILENCE_S = 120.0
_MOST_MESSAGE_BYTES = 1 << 28
_MOST_MEMORY_BYTES = 8 << 30
_PIECE_BYTES = 1 << 20

Frames = list[tuple[str, str, int]]


@dataclass(frozen=True)
class Message:
    """What a file says of itself, or call stacks, or records after those they name."""

    about: dict[str, Any] | None = None
    stacks: tuple[Frames, ...] = ()
    records: npt.NDArray[Any] | None = None


def messages(path: Path) -> Iterator[Message]:
    """Yields what memray reads from a file.

    Raises:
        TraceError: memray refuses the file, crashes, takes too much memory or does nothing.
    """
    with tempfile.TemporaryFile() as errors:
        command = [sys.executable, "-c", _PROGRAM, os.fspath(path)]
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        _limit(child.pid)
        try:
            yield from _checked(_Pipe(child))
        finally:
            child.kill()
            child.wait()
            assert child.stdout is not None
            child.stdout.close()


def _limit(pid: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_AS, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))
    resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def _checked(pipe: _Pipe) -> Iterator[Message]:
    records = 0
    while True:
        letter, length = HEAD.unpack(pipe.read(HEAD.size))
        if length > _MOST_MESSAGE_BYTES:
            raise TraceError("memray's reader told more than can be")
        content = pipe.read(length)
        if letter == b"r":
            array = np.frombuffer(content, RECORD)
            records += len(array)
            yield Message(records=array)
        elif letter == b"x":
            raise TraceError(f"memray refuses it: {content.decode(errors='replace')}")
        elif letter == b"h":
            yield Message(about=json.loads(content))
        elif letter == b"s":
            yield Message(stacks=tuple(json.loads(content)))
        else:
            if json.loads(content)["records"] != records:
                raise TraceError("memray's reader lost records")
            return


class _Pipe:
    """A child's output, of which exactly so many bytes are read at a time."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        self._child = child
        self._fd = child.stdout.fileno()

    def read(self, count: int) -> bytes:
        pieces = []
        while count:
            if not select.select([self._fd], [], [], SILENCE_S)[0]:
                raise TraceError(f"memray said nothing for {SILENCE_S:.0f} s")
            piece = os.read(self._fd, min(count, _PIECE_BYTES))
            if not piece:
                raise TraceError(f"memray's reader {self._end()}")
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)

    def _end(self) -> str:
        code = self._child.wait()
        if code < 0:
            return f"crashed: {signal.Signals(-code).name}"
        return f"failed with exit code {code}"
