# SPDX-License-Identifier: MIT
"""Arguments that several verbs share, and how a verb prints."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alloclab.errors import Error, UsageError
from alloclab.replay import ORDERS

_LONGEST_NUMBER = 20  # digits shown, and more than any number that is taken
PNG = b"\x89PNG"  # how such a file begins
ALLOCATOR_HELP = """\
Allocators: glibc, jemalloc, mimalloc, tcmalloc, pool, arena, freelist, null, the path of any
library that exports malloc, or of an allocator of your own (mine.cpp, mine.so). Settings follow a
colon: jemalloc:narenas=1,dirty_decay_ms=0, arena:initial=1MiB,growth=1.5.
"""


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds --json: print one JSON document instead of text."""
    parser.add_argument("--json", action="store_true", help="print one JSON document, not text")


def add_replaying(parser: argparse.ArgumentParser, repeats: int) -> None:
    """Adds how a trace is replayed."""
    parser.add_argument(
        "--touch",
        default="recorded",
        choices=("recorded", "page", "none", "all"),
        help="which memory is touched: as the program did (the default), a byte a page, none, all",
    )
    parser.add_argument(
        "--mapped",
        action="store_true",
        help="map the regions the program mapped itself, too: to compare with the real program",
    )
    parser.add_argument(
        "--repeats",
        type=checked(int),
        default=repeats,
        metavar="N",
        help=f"timed replays of each allocator (default {repeats})",
    )
    parser.add_argument(
        "--order",
        default="exact",
        choices=ORDERS,
        help="exact: the recorded order of all events on one thread (the default); parallel: each "
        "recorded thread on its own, together where an object crosses threads",
    )
    parser.add_argument(
        "--max-distance",
        type=checked(int),
        metavar="EVENTS",
        help="with --order parallel: how far threads may come apart (default 262144)",
    )
    parser.add_argument("--cpu", type=checked(int), metavar="N", help="the processor to pin to")
    parser.add_argument(
        "--timeout",
        type=checked(float),
        default=900.0,
        metavar="S",
        help="seconds one replay may take (default 900)",
    )


def checked(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Returns a reader for argparse that reports the lab's own words for a wrong value."""

    def read_or_refuse(text: str) -> Any:
        try:
            return read(text)
        except (Error, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read_or_refuse


def print_json(document: Any) -> None:
    """Prints one JSON document."""
    print(json.dumps(document, indent=2))


def positive(text: str) -> int:
    """Reads a whole number from 1 on that a machine's word has room for."""
    try:
        number = int(text)
    except ValueError:  # Python has a limit, too, and words of its own for it
        kind = "too large a" if len(text) > _LONGEST_NUMBER and text.isdecimal() else "no whole"
        raise UsageError(f"{text[:_LONGEST_NUMBER]!r} is {kind} number") from None
    if number >= 1 << 63:
        raise UsageError(f"{text[:_LONGEST_NUMBER]!r} is too large a number")
    if number < 1:
        raise UsageError(f"{number} is not a positive number")
    return number


def check_picture(option: str, path: Path | None) -> None:
    """Refuses a path that is given and that no picture can or may be written to.

    Raises:
        UsageError: it does not end in .png, or `check_writable` refuses it.
    """
    if path is None:
        return
    if path.suffix != ".png":
        raise UsageError(f"{option} {path}: a picture is written as .png")
    check_writable(path, PNG)


def check_writable(path: Path, opening: bytes) -> None:
    """Refuses to overwrite a file of another kind, which a slip of the shell may have named.

    Args:
        path: what is to be written; it need not exist, its folder must.
        opening: how a file of the kind to be written begins.

    Raises:
        UsageError: there is another file of that name, or no such folder.
    """
    if not path.absolute().parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no such folder")
    if path.exists():
        if not path.is_file():
            raise UsageError(f"cannot write {path}: it is no file")
        with path.open("rb") as old:
            start = old.read(len(opening))
        if start and start != opening:
            raise UsageError(f"will not overwrite {path}: it holds something else")
