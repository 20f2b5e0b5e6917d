# SPDX-License-Identifier: MIT
"""What a Python program can say of itself to whoever records it with `alloclab record`.

The words are those of alloclab/marker.h, whose comment says what becomes of scopes that are closed
twice, never, or on another thread.

    from alloclab import marker

    with marker.request("/index"), marker.tag("answer"):
        ...

    @marker.phase("load")
    def load() -> None: ...

    while running:
        ...
        marker.frame_end()

Not recorded, a call costs some 0.03 microseconds, a `with` 0.2, and a decorated function what it
costs undecorated. Recorded, a call costs about 0.4 and a `with` 1.2 microseconds. Texts are kept up
to 4,096 bytes, some 49,000 different ones a recording.
"""

from __future__ import annotations

import ctypes
import functools
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from alloclab.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")

_TEXT = ctypes.c_char_p
_NUMBER = ctypes.c_uint64
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "scope_enter": (_NUMBER, (_TEXT, _TEXT)),
    "scope_exit": (None, (_NUMBER,)),
    "boundary": (_NUMBER, (_TEXT, _TEXT)),
    "mark": (None, (_TEXT,)),
    "tag": (_NUMBER, (_TEXT,)),
    "restore_tag": (None, (_NUMBER,)),
    "reset": (None, (_NUMBER,)),
    "transfer": (None, (_NUMBER, _NUMBER)),
    "reference": (None, (_NUMBER, _NUMBER, _NUMBER)),
    "root_push": (None, (_NUMBER,)),
    "root_pop": (None, (_NUMBER,)),
    "root_set": (None, (_NUMBER, _NUMBER)),
}


def _find() -> dict[str, Callable[..., Any]]:
    """Returns the recorder's functions; an empty table when it is not in this process."""
    found: dict[str, Callable[..., Any]] = {}
    process = ctypes.PyDLL(None)  # keeps the interpreter's lock: the calls are shorter than that
    for word, (result, arguments) in _SIGNATURES.items():
        try:
            function = getattr(process, f"alloclab_recorder_{word}")
        except AttributeError:
            return {}
        function.restype = result
        function.argtypes = arguments
        found[word] = function
    return found


_recorder = _find()
_enter = _recorder.get("scope_enter")
_exit = _recorder.get("scope_exit")
_boundary = _recorder.get("boundary")
_mark = _recorder.get("mark")
_tag = _recorder.get("tag")
_restore_tag = _recorder.get("restore_tag")


def is_recorded() -> bool:
    """Whether the recorder is in this process. It may have stopped recording meanwhile."""
    return bool(_recorder)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape").split(b"\0", 1)[0]


class _Decorator:
    """A context manager that also decorates: each call of the function is a context of its own."""

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise UsageError(
                f"{function.__qualname__}: returns before it has run; mark what it does inside it"
            )
        if not _recorder:
            return function
        again = self._again

        @functools.wraps(function)
        def marked(*args: P.args, **kwargs: P.kwargs) -> R:
            with again():
                return function(*args, **kwargs)

        return marked

    def _again(self) -> Any:
        raise NotImplementedError


class Scope(_Decorator):
    """A scope of this thread: a context manager, or a decorator of a function.

    Attributes:
        number: for `reset` and `transfer`; 0 outside the context, and when nothing is recorded.
    """

    __slots__ = ("_kind", "_name", "number")

    def __init__(self, kind: bytes, name: bytes) -> None:
        self._kind = kind
        self._name = name
        self.number = 0

    def _again(self) -> Scope:
        return Scope(self._kind, self._name)

    def __enter__(self) -> Scope:
        if _enter is not None:
            self.number = _enter(self._kind, self._name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if _exit is not None:
            _exit(self.number)
            self.number = 0


class Tag(_Decorator):
    """What this thread's allocations are for: a context manager, or a decorator of a function."""

    __slots__ = ("_before", "_name")

    def __init__(self, name: bytes | None) -> None:
        self._name = name
        self._before = 0

    def _again(self) -> Tag:
        return Tag(self._name)

    def __enter__(self) -> Tag:
        if _tag is not None:
            self._before = _tag(self._name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if _restore_tag is not None:
            _restore_tag(self._before)


_no_scope = Scope(b"", b"")  # holds nothing when nothing is recorded, so one serves all
_no_tag = Tag(None)


def scope(kind: str, name: str = "") -> Scope:
    """Returns a scope of any kind: `with scope("session", user): ...`."""
    return Scope(_bytes(kind), _bytes(name)) if _recorder else _no_scope


def frame(name: str = "") -> Scope:
    """Returns a scope of kind frame. `frame_end` is for loops that have one call to spare."""
    return Scope(b"frame", _bytes(name)) if _recorder else _no_scope


def turn(name: str = "") -> Scope:
    """Returns a scope of kind turn."""
    return Scope(b"turn", _bytes(name)) if _recorder else _no_scope


def tick(name: str = "") -> Scope:
    """Returns a scope of kind tick."""
    return Scope(b"tick", _bytes(name)) if _recorder else _no_scope


def task(name: str = "") -> Scope:
    """Returns a scope of kind task."""
    return Scope(b"task", _bytes(name)) if _recorder else _no_scope


def request(name: str = "") -> Scope:
    """Returns a scope of kind request."""
    return Scope(b"request", _bytes(name)) if _recorder else _no_scope


def phase(name: str = "") -> Scope:
    """Returns a scope of kind phase."""
    return Scope(b"phase", _bytes(name)) if _recorder else _no_scope


def tag(name: str | None) -> Tag:
    """Returns a tag for this thread's allocations; None: nothing is said of them."""
    if not _recorder:
        return _no_tag
    return Tag(None if name is None else _bytes(name))


def boundary(kind: str, next_name: str = "") -> None:
    """Ends what this thread's last boundary of that kind began, if any, and begins the next."""
    if _boundary is not None:
        _boundary(_bytes(kind), _bytes(next_name))


def frame_end(next_name: str = "") -> None:
    """The boundary between two frames: one call at the end of each."""
    if _boundary is not None:
        _boundary(b"frame", _bytes(next_name))


def turn_end(next_name: str = "") -> None:
    """The boundary between two turns."""
    if _boundary is not None:
        _boundary(b"turn", _bytes(next_name))


def tick_end(next_name: str = "") -> None:
    """The boundary between two ticks."""
    if _boundary is not None:
        _boundary(b"tick", _bytes(next_name))


def mark(name: str) -> None:
    """An instant."""
    if _mark is not None:
        _mark(_bytes(name))


def reset(scope: Scope | None = None) -> None:
    """Says that everything allocated in the scope, or in the innermost one, is given up at once."""
    if _recorder:
        _recorder["reset"](0 if scope is None else scope.number)


def transfer(address: int, scope: Scope | None) -> None:
    """Says that the block at an address belongs to that scope from now on; None: to no scope."""
    if _recorder:
        _recorder["transfer"](address, 0 if scope is None else scope.number)


def reference(holder: int, slot: int, target: int) -> None:
    """Says that a slot of the block at `holder` refers to the block at `target`, 0 to none."""
    if _recorder:
        _recorder["reference"](holder, slot, target)


def root_push(address: int) -> None:
    """Says that the block at an address is a root, on top of the stack of roots."""
    if _recorder:
        _recorder["root_push"](address)


def root_pop(count: int = 1) -> None:
    """Says that the topmost roots are none any more."""
    if _recorder:
        _recorder["root_pop"](count)


def root_set(index: int, address: int) -> None:
    """Says that the root at that place of the stack is another block, 0: none."""
    if _recorder:
        _recorder["root_set"](index, address)
