# SPDX-License-Identifier: MIT
"""Puts measured tables into a description whose rest is by hand, and loses nothing of that."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from alloclab.errors import UsageError

MEASURED_TABLES = ("trace", "summary", "spread")
MARKER = "# Written by `alloclab workloads record --write`; the rest of this file is by hand."
SPREAD_KEPT = "# As measured of the recording before."
_OURS = re.compile(
    f"{re.escape(MARKER)}|{re.escape(SPREAD_KEPT)}"
    r"|# How far \d+ further recordings were off at most\."
)


def rewritten(path: Path, measured: Sequence[str]) -> str:
    """Returns a description's text with its measured tables replaced, at its end.

    Those tables go wherever they stand, and the comments that `record --write` sets above them;
    every other line stays, comments inside those tables too.

    Args:
        path: the description.
        measured: the lines of the new tables, their comments included.

    Raises:
        UsageError: the file cannot be read, or the result would not say the same by hand; that is
            so where a measured table is written as a key.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        said = tomllib.loads(text)
        kept = "\n".join(_by_hand(text.split("\n"))).rstrip()
        left = tomllib.loads(kept)
        for key in MEASURED_TABLES:
            if key in left:
                raise ValueError(f"{key} is no table of its own, below [{key}]")
        new = "\n".join([kept, "", *measured, ""])
        wanted = {key: value for key, value in said.items() if key not in MEASURED_TABLES}
        is_same = tomllib.loads(new) == wanted | tomllib.loads("\n".join(measured))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: its measured tables cannot be replaced: {error}") from None
    if not is_same:
        raise UsageError(
            f"{path}: without [trace], [summary] and [spread] it would no longer say the same"
        )
    return new


def _by_hand(lines: Sequence[str]) -> Iterator[str]:
    is_measured = False
    was_blank = False
    for line_idx, line in enumerate(lines):
        said = line.strip()
        if said.startswith("[") and _begins_statement(lines, line_idx):
            is_measured = _table_of(said) in MEASURED_TABLES
        if _OURS.fullmatch(said) and _begins_statement(lines, line_idx):
            continue
        if is_measured and said and not said.startswith("#"):
            continue
        if is_measured and not said and was_blank:
            continue
        was_blank = not said
        yield line


def _begins_statement(lines: Sequence[str], line_idx: int) -> bool:
    """Whether a line of a sound document is outside texts and lists of several lines."""
    try:
        tomllib.loads("\n".join([*lines[:line_idx], ""]))
    except tomllib.TOMLDecodeError:
        return False
    return True


def _table_of(header: str) -> str:
    """The first key of a line like [recording] or ["trace".more]."""
    return next(iter(tomllib.loads(header)))


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Writes files so that each is the old one or the new one, whole, whatever happens.

    All are written beside their places before the first takes its place. Where one cannot, those
    before it are the old ones again.

    Raises:
        OSError: a folder cannot be written; nothing has changed.
    """
    places = [path.resolve() for path in contents]
    partials = [path.parent / f".{secrets.token_hex(8)}.partial" for path in places]
    old = {path: path.read_bytes() if path.exists() else None for path in places}
    try:
        for partial, path, content in zip(partials, places, contents.values(), strict=True):
            _write(partial, content, like=path)
        try:
            for partial, path in zip(partials, places, strict=True):
                partial.replace(path)
        except OSError:
            _put_back(old)
            raise
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)


def _write(path: Path, content: bytes, *, like: Path) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if like.exists():
        path.chmod(like.stat().st_mode & 0o777)


def _put_back(old: Mapping[Path, bytes | None]) -> None:
    for path, content in old.items():
        with contextlib.suppress(OSError):
            if content is None:
                path.unlink(missing_ok=True)
            elif path.read_bytes() != content:
                path.write_bytes(content)
