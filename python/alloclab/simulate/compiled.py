# SPDX-License-Identifier: MIT
"""The same allocators compiled: state as a Numba class, the loop over the events around it.

The class is written as for `simulate`; its state is numbers and NumPy arrays. It is compiled when
it is first simulated, for the types its attributes have then, with the bounds of arrays checked.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from alloclab.errors import NotInstalled, SimulationError, TraceError, UsageError
from alloclab.simulate.contract import instance_of
from alloclab.simulate.rows import Rows
from alloclab.simulate.steps import ALLOCATE, REALLOCATE, Steps

AllocatorClass = TypeVar("AllocatorClass", bound=type)
_COMPILED = "_alloclab_compiled"  # on a decorated class: what was compiled, by attribute types


def njit_allocator(allocator: AllocatorClass) -> AllocatorClass:
    """Marks a class of simulated allocators to be compiled with Numba when it is simulated.

    The class stays what it was: its methods can be called from Python. Its attributes are numbers
    and NumPy arrays, all set by `__init__`; a simulation works on a copy of them.

    Raises:
        NotInstalled: Numba is missing; says how to get it.

    Example:
        >>> @njit_allocator  # doctest: +SKIP
        ... class Bump:
        ...     def __init__(self):
        ...         self.top = 0
    """
    _numba()
    setattr(allocator, _COMPILED, {})
    return allocator


def is_compiled(allocator: Any) -> bool:
    """Whether the allocator's own class was marked; a class derived from it is marked anew."""
    return _COMPILED in vars(type(allocator))


def _numba() -> Any:
    try:
        import numba
        import numba.experimental
    except ImportError:
        raise NotInstalled("numba", "pip install 'alloclab[numba]'") from None
    return numba


class Compiled:
    """As `Interpreted`, for an allocator that `njit_allocator` marked."""

    def __init__(self, allocator: Any, address_space: int, rows: Rows) -> None:
        self._space = address_space
        self._rows = rows
        self._row_of = np.full(1 << 10, -1, np.int64)  # by object: its live row
        # Filled by the loop as it goes, so that they hold when the allocator raises: events done,
        # rows, the event's object and size.
        self._cursor = np.zeros(4, np.int64)
        kind = type(instance_of(allocator))
        state = _state_of(allocator)
        key = tuple((name, str(_numba().typeof(value))) for name, value in state.items())
        known: dict[Any, Any] = vars(kind)[_COMPILED]
        with _checked_bounds():
            if key not in known:
                known[key] = _native_class(kind, state)
            native, drive = known[key]
            try:
                self._allocator = native(*state.values())
                self._allocator.reset()
            except _numba().core.errors.NumbaError as error:
                raise _refusal(kind, error) from error
        self._drive, self._kind = drive, kind

    def run(self, steps: Steps) -> SimulationError | None:
        """Replays the steps; returns what stopped it, rows being filled up to there."""
        rows = self._rows
        rows.make_room(int(np.isin(steps.kind, (ALLOCATE, REALLOCATE)).sum()))
        objects = int(steps.object.max(initial=0)) if len(steps) else 0
        self._make_room(objects, steps.first_event + len(steps))
        columns = rows.columns
        self._cursor[1] = rows.count
        problem: SimulationError | None = None
        try:
            with _checked_bounds():
                code, detail = self._drive(
                    self._allocator,
                    (steps.kind, steps.object, steps.size, steps.alignment),
                    steps.first_event,
                    self._space,
                    self._row_of,
                    tuple(columns.values()),
                    self._cursor,
                )
            problem = self._problem(int(code), int(detail))
        except _numba().core.errors.NumbaError as error:
            raise _refusal(self._kind, error) from error
        except TraceError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            problem = SimulationError(f"raised {what}", event=self._event(), block=self._block())
            problem.__cause__ = error
        rows.count = int(self._cursor[1])
        return problem

    def _make_room(self, largest_object: int, events: int) -> None:
        if largest_object >= events:
            # Ids are given out one an event at most.
            raise TraceError(f"object {largest_object} of {events} events is out of order")
        if largest_object >= len(self._row_of):
            grown = np.full(2 * largest_object + 1, -1, np.int64)
            grown[: len(self._row_of)] = self._row_of
            self._row_of = grown

    def _event(self) -> int:
        return int(self._cursor[0])

    def _block(self, offset: int | None = None) -> tuple[int, int | None, int]:
        return int(self._cursor[2]), offset, max(int(self._cursor[3]), 1)

    def _problem(self, code: int, detail: int) -> SimulationError | None:
        from alloclab.simulate import compiled_loop as loop

        if code == loop.DONE:
            return None
        if code == loop.NOT_ALIVE:
            raise TraceError(f"event {self._event()}: object {detail} is no live block")
        reason = loop.REASONS[code]
        offset = None if code == loop.WRONG_USABLE_SIZE else detail
        return SimulationError(reason, event=self._event(), block=self._block(offset))


@contextmanager
def _checked_bounds() -> Iterator[None]:
    """Indices are checked in what is compiled meanwhile: a wrong one must not end the process."""
    config = _numba().config
    before = config.BOUNDSCHECK
    config.BOUNDSCHECK = 1
    try:
        yield
    finally:
        config.BOUNDSCHECK = before


def _state_of(allocator: Any) -> dict[str, Any]:
    """Returns a copy of the instance's attributes, as types that Numba holds in a class."""
    state: dict[str, Any] = {}
    for name, value in vars(allocator).items():
        if isinstance(value, np.ndarray):
            state[name] = value.copy()
        elif isinstance(value, bool | int | float | np.generic):
            state[name] = value
        else:
            raise UsageError(
                f"{type(allocator).__name__}: {name} is a {type(value).__name__}: the state of a "
                "compiled allocator is numbers and NumPy arrays, set by __init__"
            )
    return state


def _native_class(kind: type, state: dict[str, Any]) -> Any:
    """Returns the Numba class with the methods of `kind`, and the loop compiled for it."""
    from alloclab.simulate import compiled_loop as loop

    numba = _numba()
    methods: dict[str, Any] = {
        "resize": loop.resize_never,
        "reset": loop.reset_nothing,
        "usable_size": loop.usable_size_unknown,
    }
    for each in reversed(kind.__mro__[:-1]):
        methods.update(
            {
                name: value
                for name, value in vars(each).items()
                if (inspect.isfunction(value) and not name.startswith("__"))
                or isinstance(value, staticmethod)
            }
        )
    # Numba wants an __init__ that sets every attribute, from values of the types it is told.
    names = list(state)
    body = "".join(f"\n    self.{name} = {name}" for name in names) or "\n    pass"
    scope: dict[str, Any] = {}
    exec(f"def __init__({', '.join(['self', *names])}):{body}", scope)
    spec = [(name, numba.typeof(value)) for name, value in state.items()]
    native = type(kind.__name__, (), {"__init__": scope["__init__"], **methods})
    return numba.experimental.jitclass(spec)(native), loop.compile_loop()


def _refusal(kind: type, error: Exception) -> UsageError:
    """Picks the cause from the report: the innermost error it quotes, or its first plain line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    quoted = [line.split("Error: ", 1)[1] for line in lines if "Error: " in line]
    plain = [line for line in lines if not line.startswith(("Failed in", "During:", "-"))]
    reason = (quoted[-1:] or plain[:1] or ["for a reason Numba does not tell"])[0]
    return UsageError(f"{kind.__name__} cannot be compiled: {reason}")
