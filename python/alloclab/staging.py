# SPDX-License-Identifier: MIT
"""Where a recording takes place: the library, the captures, and what images left none."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from alloclab import _core, _native
from alloclab.captures import CAPTURE_SUFFIX, MARKS
from alloclab.errors import Error

# The head of the file `control`; docs/capture-format.md describes it.
_CONTROL = struct.Struct("<IIQ")
_CONTROL_MAGIC = 0x54434C41
_STOP_DURATION = 3
_GRANULE_BYTES = 64 << 10
HOOKS = "hooks"  # what became of the functions of frame-on and scope-on


class Stage:
    """Where every user can load the library from and leave captures: a change of user before
    exec loses nothing, and neither does a loader that may not enter a private folder."""

    def __init__(self, max_bytes: int | None, options: Mapping[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="alloclab-stage-", dir=_open_folder()))
        self.max_bytes = max_bytes
        self._options = dict(options or {})
        try:
            self._fill()
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            where = self.folder.parent
            raise Error(f"{where}: nothing can be recorded there: {error.strerror}") from None

    def _fill(self) -> None:
        self.folder.chmod(0o755)
        self.library = self.folder / "liballoclab_record.so"
        shutil.copyfile(_native.record_library(), self.library)
        self.library.chmod(0o755)
        self.captures = self.folder / "captures"
        self.captures.mkdir()
        self.captures.chmod(0o1777)
        self.gathered: list[Path] = []
        self._holds_captures = False  # the only copy of some
        control = self.captures / "control"
        write_control(control, self.max_bytes)
        control.chmod(0o666)
        if self._options:
            lines = "".join(f"{name}={value}\n" for name, value in self._options.items())
            (self.captures / "options").write_text(lines, encoding="ascii")
            (self.captures / "options").chmod(0o644)
        self._control = control.open("r+b", buffering=0)

    def preload_into(self, environment: dict[str, str]) -> None:
        others = environment.get("LD_PRELOAD")
        environment["LD_PRELOAD"] = f"{self.library}:{others}" if others else str(self.library)
        environment["ALLOCLAB_RECORD_DIR"] = str(self.captures)

    def stop(self) -> None:
        os.pwrite(self._control.fileno(), _control_head(self.max_bytes, _STOP_DURATION), 0)

    def is_full(self) -> bool:
        granules = os.fstat(self._control.fileno()).st_size - _CONTROL.size
        return self.max_bytes is not None and granules * _GRANULE_BYTES > self.max_bytes

    def gather(self, place: Path, process: subprocess.Popen[bytes], program: str) -> list[str]:
        """Moves the captures to their place; returns what to warn of."""
        if not self.captures.is_dir():
            return [f"{self.captures} was removed meanwhile, and with it all that was recorded"]
        headers = []
        warnings = []
        self._holds_captures = True
        has_failed = False
        for path in sorted(self.captures.glob(f"*{CAPTURE_SUFFIX}")):
            target = place / path.name
            try:
                header = _core.read_capture_header(os.fsencode(path))
                shutil.copyfile(path, target)
            except (Error, OSError) as error:
                target.unlink(missing_ok=True)
                has_failed = True
                warnings.append(
                    f"a capture was not fetched: {error}; it is still in {self.captures}, "
                    f"`alloclab seal` makes a trace of it there"
                )
                continue
            headers.append(header)
            self.gathered.append(target)
        self._holds_captures = has_failed
        if (self.captures / MARKS).exists():
            try:
                shutil.copyfile(self.captures / MARKS, place / MARKS)
            except OSError as error:
                warnings.append(f"the marks of the output were not fetched: {error.strerror}")
        images = [{"kind": "spawn", "path": program, "pid": process.pid, "wall_ns": 0}]
        images += [image for header in headers for image in header["images"]]
        warnings += [_why_missing(image) for image in images if _is_missing(image, headers)]
        warnings += [line for header in headers for line in _doubts(header)]
        warnings += self._missed_functions()
        return warnings

    def _missed_functions(self) -> Iterator[str]:
        """Says which functions of frame-on and scope-on no process has called, and why."""
        told: dict[str, set[str]] = {}
        if (self.captures / HOOKS).exists():
            for line in (self.captures / HOOKS).read_text(errors="replace").splitlines():
                symbol, _, outcome = line.partition(" ")
                told.setdefault(symbol, set()).add(outcome)
        for option in ("frame-on", "scope-on"):
            for symbol in filter(None, self._options.get(option, "").split(",")):
                outcomes = told.get(symbol, set())
                if "was called" not in outcomes:
                    why = min(outcomes - {"was not found"}, default="was not found")
                    yield f"{option}: {symbol} {why}"

    def survivors(self, process: subprocess.Popen[bytes]) -> set[int]:
        """Returns the processes still running, of the command and of those recorded."""
        found = {process.pid} if process.poll() is None else set()
        for path in self.captures.glob(f"*{CAPTURE_SUFFIX}"):
            try:
                header = _core.read_capture_header(os.fsencode(path))
            except Error:
                continue
            if not header["is_complete"] and _is_running(header["pid"]):
                found.add(header["pid"])
        return found

    def remove(self, *, keep_library: bool) -> None:
        """Removes the stage, unless captures in it could not be fetched."""
        self._control.close()
        if self._holds_captures:
            return
        if keep_library:  # a program that goes on may start others, whose loader looks for it
            for path in self.captures.glob(f"*{CAPTURE_SUFFIX}"):  # the word to stop stays
                path.unlink(missing_ok=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def write_control(path: Path, max_bytes: int | None) -> None:
    """Writes the file that the recorder looks at for when to stop."""
    path.write_bytes(_control_head(max_bytes, 0))


def _control_head(max_bytes: int | None, stop: int) -> bytes:
    return _CONTROL.pack(_CONTROL_MAGIC, stop, max_bytes or 0)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] not in ("Z", "X")


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
            head = file.read(64 << 10)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if mode & (stat.S_ISUID | stat.S_ISGID):
        return "it is setuid or setgid, and the loader preloads nothing into such programs"
    if head[:5] == b"\x7fELF\x01":
        return "it is a 32-bit program, and what would be preloaded is a 64-bit library"
    if _is_static(head):
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
    if header["lost_names"]:
        yield f"{name}: {header['lost_names']:,} names beyond the recorder's table were not kept"
    if header["lost_frames"]:
        yield f"{name}: {header['lost_frames']:,} frames beyond a thread's table; calls lack sites"
    if header["uncounted_images"]:
        yield (
            f"{name}: started {header['uncounted_images']:,} more programs than are listed; "
            "those without a trace are not named"
        )
