# SPDX-License-Identifier: MIT
"""What a recording is asked for beyond the calls, as the recorder reads it: the file `options`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from alloclab import _recording
from alloclab.errors import UsageError

_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_.$]*")
_SITES = re.compile(r"none|caller|stack(?::([0-9]+))?")
_DEEPEST = 64
_MOST_BYTES = 16 << 10  # of the file; the recorder has no room for more


def recorder_options(
    *,
    frame_on: Iterable[str] = (),
    scope_on: Iterable[str] = (),
    sites: str | None = None,
    edges: str | int | None = None,
) -> dict[str, str]:
    """Returns the lines of the file, by name.

    Raises:
        UsageError: a value that the recorder would not understand; says which and what it may be.
    """
    options = {}
    for name, symbols in (("frame-on", frame_on), ("scope-on", scope_on)):
        words = [symbols] if isinstance(symbols, str) else list(symbols)
        for word in words:
            if not _SYMBOL.fullmatch(word):
                raise UsageError(f"{name}: {word!r} is no name of a function as a linker knows it")
        if words:
            options[name] = ",".join(dict.fromkeys(words))
    if sites is not None:
        found = _SITES.fullmatch(sites)
        if not found or not 1 <= int(found[1] or 1) <= _DEEPEST:
            raise UsageError(f"sites: {sites!r} is not none, caller, stack or stack:1 to stack:64")
        options["sites"] = sites
    if edges is not None:
        text = str(edges)
        if text not in ("none", "frame", "phase") and not re.fullmatch(r"[1-9][0-9]{0,17}", text):
            raise UsageError(f"edges: {text!r} is not none, frame, phase or a number from 1")
        options["edges"] = text
    if sum(len(name) + len(value) + 2 for name, value in options.items()) >= _MOST_BYTES:
        raise UsageError("frame_on and scope_on: more names than 16 KiB hold")
    return options


def python_layout(sites: str | None) -> dict[str, str]:
    """Returns the line by which the recorder reads Python frames, if it is to walk stacks.

    It is made for this interpreter's version; the recorder checks whether the program's is the
    same. There is none where this version's layout is not known.
    """
    if sites is None or not sites.startswith("stack"):
        return {}
    numbers = _recording.frame_layout()
    return {} if numbers is None else {"python-layout": ",".join(map(str, numbers))}
