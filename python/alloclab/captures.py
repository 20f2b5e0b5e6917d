# SPDX-License-Identifier: MIT
"""What a recording leaves behind: captures, and the traces they are sealed into."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab import _core
from alloclab.errors import Error, UsageError
from alloclab.output_marks import BOUNDARIES
from alloclab.symbols import NO_DEBUG_INFORMATION, SourceFrame, symbolize
from alloclab.traces import SUFFIX, Trace

CAPTURE_SUFFIX = ".capture"
MARKS = "marks"
"""The file beside captures that holds what the program printed."""
DEFAULT_LEVEL = 9
"""zstd's level: 9 still seals faster than a program allocates; 19 is for traces to be kept."""


class Capture:
    """The traces of one recording, one for each process image.

    Args:
        folder: where the sealed traces lie.
        traces: the traces, in the order in which their processes started.
        warnings: one line for each thing that was not recorded, and why.
        returncode: what the recorded command ended with, or None.
    """

    def __init__(
        self,
        folder: Path,
        traces: Sequence[Trace],
        *,
        warnings: Sequence[str] = (),
        returncode: int | None = None,
    ) -> None:
        self.folder = folder
        self.traces = tuple(traces)
        self.warnings = tuple(warnings)
        self.returncode = returncode

    @classmethod
    def open(cls, folder: str | Path) -> Capture:
        """Opens the sealed traces of a folder. Raises UsageError when there are none."""
        place = Path(folder)
        if not place.is_dir():
            raise UsageError(f"{place}: no such folder")
        traces = [Trace(path) for path in sorted(place.glob(f"*{SUFFIX}"))]
        if not traces:
            raise UsageError(f"{place}: holds no {SUFFIX} file")
        return cls(place, sorted(traces, key=_start))

    def largest(self) -> Trace:
        """Returns the trace with the most events. Raises Error when there is none."""
        if not self.traces:
            raise Error(f"{self.folder}: nothing was recorded")
        return max(self.traces, key=len)

    def __getitem__(self, name: str) -> Trace:
        """Returns the only trace of the program of that name.

        Raises:
            KeyError: no image has the name, or several do; the message lists them.
        """
        found = [trace for trace in self.traces if trace.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            paths = ", ".join(trace.path.name for trace in found)
            raise KeyError(f"{len(found)} images are called {name!r}: {paths}; open one by path")
        names = ", ".join(sorted({trace.name for trace in self.traces})) or "none"
        raise KeyError(f"no recorded image is called {name!r}; there are {names}")

    def __iter__(self) -> Iterator[Trace]:
        return iter(self.traces)

    def __len__(self) -> int:
        return len(self.traces)

    def __repr__(self) -> str:
        names = ", ".join(trace.name for trace in self.traces)
        return f"<Capture {self.folder}: {names}>"


def seal_file(
    capture: str | Path,
    trace: str | Path | None = None,
    *,
    level: int = DEFAULT_LEVEL,
    redact: bool = False,
    progress: Callable[[int], None] | None = None,
    warn: Callable[[str], None] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Trace:
    """Seals one capture into a trace.

    Args:
        capture: the file the recorder left behind; it may lack its end.
        trace: the file to write; by default beside the capture, named after the program.
        level: zstd's level, 1 to 22.
        redact: keep a hash in place of each path and argument.
        progress: called now and then with the events so far.
        warn: called with a line for each program file whose functions could not be named.
        extra: what else the trace's metadata shall say.

    Raises:
        TraceError: the bytes are no capture; says where and why.
        Error: a file cannot be read or written.
    """
    header = _core.read_capture_header(os.fsencode(capture))
    metadata = _metadata(header, redact) | dict(extra or {})
    tell = warn or (lambda line: None)
    if trace is None:
        trace = Path(capture).with_name(trace_stem(Path(capture), header, redact) + SUFFIX)
    _core.seal(
        os.fsencode(capture),
        os.fsencode(trace),
        level=level,
        metadata_json=json.dumps(metadata),
        progress=progress,
        marks=_printed_marks(Path(capture).with_name(MARKS), tell),
        symbolize=partial(_name_functions, redact=redact, warn=tell),
    )
    return Trace(trace)


def _without_repetition(warnings: list[str]) -> list[str]:
    """Returns each warning once, and one for all program files without debug information."""
    separator = f": {NO_DEBUG_INFORMATION}"  # and perhaps no symbols
    plain = [line.partition(separator)[0] for line in warnings if separator in line]
    names = list(dict.fromkeys(Path(path).name for path in plain))
    kept = list(dict.fromkeys(line for line in warnings if separator not in line))
    if not names:
        return kept
    return [*kept, f"{NO_DEBUG_INFORMATION}, so frames have no lines, in {', '.join(names)}"]


def _printed_marks(path: Path, warn: Callable[[str], None]) -> list[tuple[int, str, str]]:
    """Reads what the program printed: a line a mark, its time, kind and name."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    marks = []
    for number, line in enumerate(lines, 1):
        time_ns, _, rest = line.partition(" ")
        kind, _, name = rest.partition(" ")
        is_sound = time_ns.isascii() and time_ns.isdigit() and int(time_ns) < 1 << 64
        if not is_sound or kind not in ("mark", "scope", *BOUNDARIES):
            warn(f"{path}:{number}: no mark; it is left out")
            continue
        marks.append((int(time_ns), kind, name))
    return sorted(marks)


def _name_functions(
    modules: list[tuple[str, str]],
    addresses: npt.NDArray[np.uint64],
    *,
    redact: bool,
    warn: Callable[[str], None],
) -> tuple[Sequence[Sequence[SourceFrame]], list[str]]:
    """Returns the frames of each address, and the modules' names as the trace shall have them."""
    found = symbolize(modules, addresses)
    paths = [path for path, _ in modules]
    if not redact:
        for line in found.warnings:
            warn(line)
        return found.frames, paths
    frames = [[frame._replace(file=_hashed(frame.file)) for frame in each] for each in found.frames]
    return frames, [_hashed(path) for path in paths]


def seal_captures(
    captures: Iterable[Path],
    *,
    level: int = DEFAULT_LEVEL,
    redact: bool = False,
    target: Callable[[Path], Path | None] = lambda capture: None,
    remove: bool = False,
) -> tuple[list[Trace], list[str]]:
    """Seals several captures; one that cannot be sealed is a warning and stays where it is.

    Args:
        captures: the files.
        level: zstd's level, 1 to 22.
        redact: keep a hash in place of each path and argument.
        target: the trace of a capture; None for the place `seal_file` chooses.
        remove: remove each capture that was sealed.

    Returns:
        The traces, in the order in which their processes started, and the warnings.
    """
    traces: list[Trace] = []
    warnings: list[str] = []
    for capture in captures:
        try:
            traces.append(
                seal_file(
                    capture, target(capture), level=level, redact=redact, warn=warnings.append
                )
            )
        except Error as error:
            place = capture.parent
            warnings.append(f"not sealed: {capture}: {error}; `alloclab seal {place}` tries again")
            continue
        if remove:
            capture.unlink()
    return sorted(traces, key=_start), _without_repetition(warnings)


def trace_stem(capture: Path, header: Mapping[str, Any], redact: bool) -> str:
    """Returns the name a capture's trace gets: the program's, its process, its image if not first.

    No two captures of a folder share one, so that sealing a folder again replaces its own traces
    and nothing else.
    """
    name = "program" if redact else Path(header["image"]).name or "unknown"
    return f"{name}-{capture.stem.removesuffix('-0')}"


def free_trace_path(place: Path, stem: str) -> Path:
    """Returns a path in the folder that no trace has, by number where the stem alone is taken."""
    for suffix in ("", *(f"-{n}" for n in range(1, 100_000))):
        path = place / f"{stem}{suffix}{SUFFIX}"
        if not path.exists():
            return path
    raise Error(f"{place}: too many traces called {stem}")


def check_max_bytes(max_bytes: int | None) -> None:
    """Raises UsageError for what is no size that captures can be limited to."""
    if max_bytes is not None and not 0 < max_bytes < 1 << 63:
        raise UsageError(f"max_bytes {max_bytes}: no size a recording can be limited to")


def seal(folder: str | Path, *, level: int = DEFAULT_LEVEL, redact: bool = False) -> Capture:
    """Seals every capture in a folder: what `record` does at its end, alone, after a crash.

    A capture that cannot be sealed is a warning and stays where it is; the others are sealed.

    Raises:
        UsageError: the folder does not exist or holds no capture.
    """
    place = Path(folder)
    if not place.is_dir():
        raise UsageError(f"{place}: no such folder")
    captures = sorted(place.glob(f"*{CAPTURE_SUFFIX}"))
    if not captures:
        raise UsageError(f"{place}: holds no {CAPTURE_SUFFIX} file, so there is nothing to seal")
    traces, warnings = seal_captures(captures, level=level, redact=redact)
    return Capture(place, traces, warnings=warnings)


def _start(trace: Trace) -> tuple[int, str]:
    start = trace.metadata.get("start_wall_ns")
    return (start if isinstance(start, int) else 0, trace.path.name)


def _metadata(header: dict[str, Any], redact: bool) -> dict[str, Any]:
    """Returns what a trace says of its recording: the capture's header and this machine's."""
    metadata = dict(header)
    if redact:
        for name in ("image", "exec_target"):
            metadata[name] = _hashed(metadata[name])
        metadata["arguments"] = [_hashed(argument) for argument in metadata["arguments"]]
        metadata["allocator"] = Path(metadata["allocator"]).name  # which malloc, not where
        metadata["images"] = [
            image | {"path": _hashed(image["path"])} for image in metadata["images"]
        ]
        metadata["is_redacted"] = True
    metadata["kernel"] = platform.release()
    metadata["machine"] = platform.machine()
    metadata["sealed_by"] = f"alloclab {_core.version}"
    return metadata


def _hashed(text: str) -> str:
    if not text:
        return text
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
