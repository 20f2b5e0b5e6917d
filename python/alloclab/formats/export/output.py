# SPDX-License-Identifier: MIT
"""A file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import secrets
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from alloclab.errors import UsageError

_TRACE_MAGIC = b"alloctr\x1a"
_FASTEST = 1  # of text like ours, a tenth larger than the default level, in a third of its time


@dataclass(frozen=True)
class Output:
    """Where to write: at `path` for now; `name` is what the file will be called."""

    path: Path
    name: str

    @contextlib.contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Opens the file for bytes, compressed where its name ends in .gz or .zip."""
        with self.path.open("wb") as file:
            if self.name.endswith(".gz"):
                with gzip.GzipFile("", "wb", _FASTEST, file, mtime=0) as packed:
                    yield cast(BinaryIO, packed)
            elif self.name.endswith(".zip"):
                inside = zipfile.ZipInfo(f"{self.name.removesuffix('.zip')}.txt")
                inside.compress_type = zipfile.ZIP_DEFLATED
                with (
                    zipfile.ZipFile(file, "w", compresslevel=_FASTEST) as archive,
                    archive.open(inside, "w", force_zip64=True) as entry,
                ):
                    yield cast(BinaryIO, entry)
            else:
                yield file


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Output]:
    """Yields a place beside `path`; what is there afterwards becomes `path`, unless an error comes.

    Raises:
        UsageError: `path` is a folder or a trace, or its folder is not there.
    """
    if not path.absolute().parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no such folder")
    if path.exists():
        if not path.is_file():
            raise UsageError(f"cannot write {path}: it is no file")
        with path.open("rb") as old:
            if old.read(len(_TRACE_MAGIC)) == _TRACE_MAGIC:
                raise UsageError(f"will not overwrite {path}: it is a trace")
    # Short, since the name may be as long as names can be.
    partial = path.absolute().parent / f".{secrets.token_hex(8)}.partial"
    try:
        yield Output(partial, path.name)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
