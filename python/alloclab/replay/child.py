# SPDX-License-Identifier: MIT
"""One measuring child: its command line, its clean environment, its answer, and how it can fail.

Nothing of the caller's environment reaches it, so that no figure depends on a shell's variables,
and the caller's process is never preloaded.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from alloclab import _native
from alloclab.allocators import Launch
from alloclab.errors import ChildFailed, Error, NotMeasured, TraceError, UsageError

Answer = dict[str, Any]
Progress = Callable[[int, int], None]

ANSWER_SCHEMA = 1
DEFAULT_TIMEOUT_S = 900.0
_STDERR_KEPT_LINES = 40
_KINDS: dict[str, type[Error]] = {"usage": UsageError, "trace": TraceError}


@dataclass(frozen=True)
class Order:
    """What one child is asked to do.

    `measure` is time, timeline, blocks, check or placement, which fills `placement_file`; `touch`
    is recorded, page, none or all; with `mapped` the regions the program mapped itself are mapped
    too. `order` is exact or parallel, then with a bound on how far threads come apart, in events.
    """

    trace: Path
    launch: Launch
    measure: str
    touch: str = "recorded"
    mapped: bool = False
    samples: int = 2000
    cpu: int | None = None
    stop_after: int | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    placement_file: Path | None = None
    order: str = "exact"
    max_distance: int | None = None

    def arguments(self) -> list[str]:
        """Returns the child's command line without the executable."""
        words = ["--trace", str(self.trace), "--heap", self.launch.heap]
        for name, value in self.launch.options.items():
            words += ["--option", f"{name}={value}"]
        if self.launch.spec is not None:
            words += ["--spec", self.launch.spec]
        words += ["--touch", self.touch, "--measure", self.measure, "--samples", str(self.samples)]
        if self.mapped:
            words.append("--mapped")
        if self.launch.huge_pages:
            words.append("--huge-pages")
        if self.cpu is not None:
            words += ["--cpu", str(self.cpu)]
        if self.stop_after is not None:
            words += ["--stop-after", str(self.stop_after)]
        if self.order != "exact":
            words += ["--order", self.order]
        if self.max_distance is not None:
            words += ["--max-distance", str(self.max_distance)]
        if self.placement_file is not None:
            words += ["--placement-file", str(self.placement_file)]
        return words

    def environment(self) -> dict[str, str]:
        """Returns the child's whole environment."""
        environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", **self.launch.environment}
        if self.launch.preload:
            environment["LD_PRELOAD"] = ":".join(str(path) for path in self.launch.preload)
        return environment


def run_child(order: Order, progress: Progress | None = None) -> Answer:
    """Runs one child to its end and returns its answer; what it said on stderr is in "stderr".

    Args:
        order: what to measure.
        progress: called with (events done, events in all), from another thread.

    Raises:
        ChildFailed: it died, overran its time, or gave no answer.
        NotMeasured: it declined to give a figure, and why.
        TraceError, UsageError: it refused the trace or the arguments.
    """
    executable = _native.replay_executable()
    with tempfile.TemporaryDirectory(prefix="alloclab-") as folder:
        reached = Path(folder) / "reached"
        words = [str(executable), *order.arguments(), "--progress-file", str(reached)]
        if progress is not None:
            words.append("--progress")
        try:
            child = subprocess.Popen(
                words,
                env=order.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise ChildFailed(f"cannot start {executable}: {error.strerror}") from error
        with child:
            output, last_words, timed_out = _collect(child, order.timeout_s, progress)
        last_event = _last_event(reached)
    if timed_out:
        raise ChildFailed(
            f"did not end within {order.timeout_s:g} s", last_event=last_event, stderr=last_words
        )
    return _read_answer(child.returncode, output, last_words, last_event)


@dataclass
class _Listener:
    """Reads stderr as it comes: progress lines are passed on, the last others are kept."""

    progress: Progress | None
    kept: list[str] = field(default_factory=list)

    def listen(self, stream: IO[bytes]) -> None:
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            words = line.split()
            if len(words) == 3 and words[0] == "progress" and all(w.isdigit() for w in words[1:]):
                if self.progress is not None:
                    self.progress(int(words[1]), int(words[2]))
            else:
                self.kept = [*self.kept[1 - _STDERR_KEPT_LINES :], line]


def _collect(
    child: subprocess.Popen[bytes], timeout_s: float, progress: Progress | None
) -> tuple[bytes, str, bool]:
    assert child.stdout is not None and child.stderr is not None
    listener = _Listener(progress)
    chunks: list[bytes] = []
    threads = [
        threading.Thread(target=listener.listen, args=(child.stderr,), daemon=True),
        threading.Thread(target=_drain, args=(child.stdout, chunks), daemon=True),
    ]
    for thread in threads:
        thread.start()
    timed_out = False
    try:
        child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        timed_out = True
        child.kill()
    except BaseException:
        child.kill()
        raise
    for thread in threads:
        thread.join()
    return b"".join(chunks), "\n".join(listener.kept), timed_out


def _drain(stream: Iterable[bytes], chunks: list[bytes]) -> None:
    chunks.extend(stream)


def _last_event(path: Path) -> int | None:
    """Returns the event index the child left behind; it is written as eight bytes, low first."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return int.from_bytes(content[:8], "little") if len(content) >= 8 else None


def _read_answer(code: int, output: bytes, last_words: str, last_event: int | None) -> Answer:
    if code < 0:
        failure = ChildFailed("", signal_number=-code)
        hint = " (out of memory?)" if failure.signal_name == "SIGKILL" else ""
        raise ChildFailed(
            f"killed by {failure.signal_name}{hint}",
            signal_number=-code,
            last_event=last_event,
            stderr=last_words,
        )
    try:
        answer = json.loads(output)
        refusal = answer.get("error")
    except (ValueError, AttributeError):
        raise ChildFailed(
            f"ended with {code} and no answer", last_event=last_event, stderr=last_words
        ) from None
    if isinstance(refusal, dict):
        _raise_refusal(str(refusal.get("kind")), str(refusal.get("message")))
    if code != 0 or answer.get("schema") != ANSWER_SCHEMA:
        raise ChildFailed(
            f"ended with {code} and an answer of schema {answer.get('schema')}", stderr=last_words
        )
    if "cannot be preloaded" in last_words:
        raise ChildFailed("the loader did not preload the allocator", stderr=last_words)
    answer["stderr"] = last_words
    return dict(answer)


def _raise_refusal(kind: str, message: str) -> None:
    if kind == "not_measured":
        raise NotMeasured(message)
    raise _KINDS.get(kind, ChildFailed)(message)
