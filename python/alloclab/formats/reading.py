# SPDX-License-Identifier: MIT
"""A foreign file's bytes, decompressed, in pieces of bounded size."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol, cast

from alloclab import _core
from alloclab.errors import TraceError

PIECE_BYTES = 1 << 20
_ZIP = b"PK\x03\x04"
_ZIP_HEADER = struct.Struct("<4sHHHHHIIIHH")
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


class _Pieces(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class Source:
    """What a file holds, once through: `pieces()`, then `is_cut`.

    gzip, bzip2, xz, zstd and zip files, the last of one member, are known by their first bytes and
    decompressed; everything else is taken as it is.

    Args:
        path: a file that can be read.
        allow_truncated: a compressed file that breaks off gives what there is, and sets `is_cut`.

    Raises:
        TraceError: the compressed file is damaged or breaks off.
    """

    def __init__(self, path: Path, *, allow_truncated: bool = False) -> None:
        self.path = path
        self.is_cut = False
        self._allow_truncated = allow_truncated

    def pieces(self) -> Iterator[bytes]:
        """Yields the content; a piece has at most some MiB, however much a file unpacks to."""
        try:
            with self.path.open("rb") as file:
                yield from self._unpacked(file)
        except EOFError:
            if not self._allow_truncated:
                raise TraceError(
                    f"{self.path}: the compressed file ends in the middle, at offset "
                    f"{self.path.stat().st_size}"
                ) from None
            self.is_cut = True
        except (zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile) as error:
            raise TraceError(f"{self.path}: the compressed file is damaged: {error}") from None
        except (NotImplementedError, RuntimeError) as error:  # zipfile's, of what it cannot unpack
            raise TraceError(f"{self.path}: it cannot be unpacked: {error}") from None

    def _unpacked(self, file: IO[bytes]) -> Iterator[bytes]:
        start = file.read(8)
        file.seek(0)
        if start.startswith(_ZIP):
            with _damage_named():
                yield from self._unzipped(file)
            return
        kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "plain")
        if kind == "gzip":
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield from _read(unpacked)
        elif kind == "bzip2":
            yield from _read(_bzip2_pieces(file))
        elif kind == "xz":
            with lzma.LZMAFile(file) as unpacked:
                yield from _read(unpacked)
        elif kind == "zstd":
            yield from _zstd(file)
        else:
            while piece := file.read(PIECE_BYTES):
                yield piece

    def _unzipped(self, file: IO[bytes]) -> Iterator[bytes]:
        try:
            archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile:
            # The list of members is at the end; without one, the first member may still be read.
            file.seek(0)
            if not self._allow_truncated:
                raise EOFError from None
            yield from _first_zip_member(file)
            raise EOFError from None
        with archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) != 1:
                raise TraceError(f"{self.path}: the archive has {len(members)} files, not one")
            with archive.open(members[0]) as member:
                yield from _read(cast(zipfile.ZipExtFile, member))


@contextlib.contextmanager
def _damage_named() -> Iterator[None]:
    """Says of a damaged zip file that it is one: zipfile lets through what its parser runs into."""
    try:
        yield
    except (IndexError, OverflowError, ValueError, struct.error) as error:
        raise zipfile.BadZipFile(str(error)) from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place before the file's beginning
            raise
        raise zipfile.BadZipFile("a place in it is impossible") from None


def _read(file: _Pieces) -> Iterator[bytes]:
    while piece := file.read1(PIECE_BYTES):
        yield piece


def _bzip2_pieces(file: IO[bytes]) -> _Pieces:
    class Damaged(bz2.BZ2File):
        """Says of damage what the other formats say; bz2 raises plain errors of the system."""

        def read1(self, size: int | None = -1) -> bytes:
            try:
                return super().read1(-1 if size is None else size)
            except OSError as error:
                raise zlib.error(str(error)) from None

    return Damaged(file)


def _zstd(file: IO[bytes]) -> Iterator[bytes]:
    stream = _core.ZstdStream()
    try:
        while raw := file.read(PIECE_BYTES):
            stream.put(raw)
            while piece := stream.take():
                yield piece
    except TraceError as error:
        raise zlib.error(str(error)) from None
    if not stream.is_at_frame_end:
        raise EOFError


def _first_zip_member(file: IO[bytes]) -> Iterator[bytes]:
    """Yields what can be had of a zip file's first member, without the list at the file's end."""
    header = file.read(_ZIP_HEADER.size)
    if len(header) < _ZIP_HEADER.size:
        return
    _, _, flags, method, *_, name_bytes, extra_bytes = _ZIP_HEADER.unpack(header)
    if flags & 1 or method != zipfile.ZIP_DEFLATED:
        raise NotImplementedError("only a deflated member without a password can be read in part")
    file.seek(name_bytes + extra_bytes, 1)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    while not inflate.eof and (raw := file.read(PIECE_BYTES)):
        while raw and (piece := inflate.decompress(raw, PIECE_BYTES)):
            yield piece
            raw = inflate.unconsumed_tail
