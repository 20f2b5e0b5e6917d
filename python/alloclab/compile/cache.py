# SPDX-License-Identifier: MIT
"""Compiled plugins, kept per user under the hash of everything that went into them.

An entry is a manifest, `<key>.json`, beside a library named by the hash of its bytes. The manifest
holds the hash of each file that was included or linked, so that an edited header compiles anew;
it is written last and renamed into place, so that there is a whole one or none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alloclab.errors import UsageError

_KEPT_ENTRIES = 200
_SPARED_S = 24 * 3600.0  # what was used within a day stays: a comparison may be running on it


def folder() -> Path:
    """Returns the folder of compiled plugins, made where it is not there: only the user's own.

    Raises:
        UsageError: it cannot be made or is somebody else's.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    parent = Path(base) if Path(base).is_absolute() else Path("~/.cache").expanduser()
    path = parent / "alloclab" / "plugins"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        stat = path.stat()
    except (OSError, RuntimeError) as error:
        raise UsageError(f"cannot make {path}: {error}; set XDG_CACHE_HOME to a folder") from None
    if stat.st_uid != os.geteuid() or stat.st_mode & 0o022:
        raise UsageError(f"{path}: others can write there; its libraries will not be loaded")
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write in {path}: set XDG_CACHE_HOME to another folder")
    return path


class Entry:
    """What is kept under one key."""

    def __init__(self, key: str) -> None:
        self._folder = folder()
        self._manifest = self._folder / f"{key}.json"

    def find(self) -> Path | None:
        """Returns the library, or None where there is none, it is damaged or out of date."""
        try:
            document = json.loads(self._manifest.read_text("utf-8"))
            library = self._folder / str(document["library"])
            is_whole = library.parent == self._folder and _hash(library) == library.stem
            is_fresh = all(_is_same(Path(path), was) for path, was in document["needs"].items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        if not (is_whole and is_fresh):
            return None
        with contextlib.suppress(OSError):
            os.utime(self._manifest)
        return library

    def store(self, made: Path, needs: Iterable[Path]) -> Path:
        """Moves a library in, with what it was made from; returns where it is now."""
        library = self._folder / f"{_hash(made)}.so"
        made.replace(library)
        document = {
            "library": library.name,
            "needs": {str(path): _state(path) for path in sorted(needs)},
        }
        written = made.with_suffix(".json")
        written.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
        written.replace(self._manifest)
        self._forget_oldest()
        return library

    def _forget_oldest(self) -> None:
        manifests = sorted(self._folder.glob("*.json"), key=_modified_s)
        before = time.time() - _SPARED_S
        oldest = [each for each in manifests[:-_KEPT_ENTRIES] if _modified_s(each) < before]
        for manifest in oldest:
            manifest.unlink(missing_ok=True)
        if oldest:
            used = {_library_of(manifest) for manifest in self._folder.glob("*.json")}
            for library in self._folder.glob("*.so"):
                if library.name not in used and _modified_s(library) < before:
                    library.unlink(missing_ok=True)


def _library_of(manifest: Path) -> str:
    try:
        return str(json.loads(manifest.read_text("utf-8"))["library"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _modified_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


def _state(path: Path) -> dict[str, Any]:
    stat = path.stat()
    return {"bytes": stat.st_size, "modified_ns": stat.st_mtime_ns, "hash": _hash(path)}


def _is_same(path: Path, was: dict[str, Any]) -> bool:
    stat = path.stat()
    if (stat.st_size, stat.st_mtime_ns) == (was["bytes"], was["modified_ns"]):
        return True
    return bool(_hash(path) == was["hash"])
