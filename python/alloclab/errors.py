# SPDX-License-Identifier: MIT
"""Everything the lab raises on purpose, under one base class.

The command line maps each class to an exit code in one place (`exit_code`), so a script can tell a
mistyped command from a verdict that failed and from a figure that could not be had.
"""

from __future__ import annotations

import functools
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_MEASURED = 3


class Error(Exception):
    """A failure with one line that names the operation, the place and the offending value."""


class TraceError(Error):
    """A trace or a capture whose bytes are not what the format allows; names the offset."""


class UsageError(Error):
    """A wrong argument: an unknown allocator, an impossible option, a path that is not there."""


class NotInstalled(Error):  # noqa: N818 - reads as a claim about the peer, as in the tables
    """A peer allocator, or a package of an extra, that this machine does not have.

    Args:
        what: the missing thing, for instance "jemalloc".
        how: one command that installs it.
    """

    def __init__(self, what: str, how: str) -> None:
        super().__init__(f"{what} is not installed: {how}")
        self.what = what
        self.how = how

    def __reduce__(self) -> tuple[type[NotInstalled], tuple[str, str]]:
        return type(self), (self.what, self.how)


class CompileError(UsageError):
    """C++ source that does not compile, at the places where its author can mend it.

    Args:
        messages: "file:line:column: what is wrong" of each of the first errors.
        file: where the first of them is; with its line and column, 0 where there is none.
        output: all the compiler wrote.
    """

    def __init__(
        self,
        messages: Sequence[str],
        *,
        file: str = "",
        line: int = 0,
        column: int = 0,
        output: str = "",
    ) -> None:
        super().__init__("\n".join(messages))
        self.messages = list(messages)
        self.file = file
        self.line = line
        self.column = column
        self.output = output

    def __reduce__(self) -> tuple[Callable[..., CompileError], tuple[list[str]]]:
        rebuild = functools.partial(
            type(self), file=self.file, line=self.line, column=self.column, output=self.output
        )
        return rebuild, (self.messages,)


class NotComparable(Error):  # noqa: N818 - reads as a verdict
    """Two things that cannot be set side by side: other trace, other touching, other machine."""


class NotMeasured(Error):  # noqa: N818 - reads as a verdict
    """A figure that cannot be trusted, and why. Raised, or held in place of the number."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __repr__(self) -> str:
        return f"NotMeasured({self.reason!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NotMeasured) and other.reason == self.reason

    def __hash__(self) -> int:
        return hash((NotMeasured, self.reason))


class ArenaEscapeError(Error, BufferError):
    """Arrays or memoryviews look at memory that was to end; it stays valid until they die.

    Attributes:
        escapes: (bytes, tag) of each block that is looked at.
    """

    def __init__(self, message: str, escapes: Sequence[tuple[int, str | None]] = ()) -> None:
        super().__init__(message)
        self.escapes = list(escapes)

    @classmethod
    def of(cls, name: str, what: str, escapes: Sequence[tuple[int, str | None]]) -> Self:
        """Says which allocator cannot do what, and for whose sake: at most five are named."""
        named = [f"{size:,} B [{tag}]" if tag else f"{size:,} B" for size, tag in escapes[:5]]
        more = [f"and {len(escapes) - 5} more"] if len(escapes) > 5 else []
        total = sum(size for size, _ in escapes)
        blocks = "1 block" if len(escapes) == 1 else f"{len(escapes)} blocks"
        return cls(
            f"{name!r} {what} while {blocks} of {total:,} B in all still have arrays or "
            f"memoryviews: {', '.join(named + more)}; delete or copy those first",
            escapes,
        )


class BlockEnded(Error):  # noqa: N818 - reads as a claim about the block
    """A block of a live allocator was used after it was freed, reset or rewound away."""


class MemoryDefect(Error):  # noqa: N818 - reads as a claim about the caller
    """A part of a live allocator (Guard, Quarantine, Trace) found a wrong free, or memory written
    that was not to be; every site that is known is named.
    """


class ScopeClosed(Error):  # noqa: N818 - reads as a claim about the scope
    """A live allocator was used after its end."""


class ScopeOrderError(Error):
    """Scopes are not closed in the opposite order they were opened in."""


class SharedArenaError(Error):
    """A shared arena that cannot be made, published or read, or a file that is none; names what is
    wrong.
    """


class WrongThread(Error):  # noqa: N818 - reads as a claim about the caller
    """A live allocator that serves one thread was used from another."""


class ChildFailed(Error):  # noqa: N818 - reads as a verdict
    """A measuring child that died or said why it could not go on.

    Args:
        message: what happened, in a few words.
        signal_number: the signal that killed it, or None.
        last_event: how many events it had replayed, or None when it never said.
        stderr: the end of what it wrote to standard error.
    """

    def __init__(
        self,
        message: str,
        *,
        signal_number: int | None = None,
        last_event: int | None = None,
        stderr: str = "",
    ) -> None:
        self.message = message
        self.signal_number = signal_number
        self.last_event = last_event
        self.stderr = stderr
        super().__init__(self._line())

    @property
    def signal_name(self) -> str | None:
        """The signal's name, for instance "SIGSEGV", or None when no signal ended the child."""
        if self.signal_number is None:
            return None
        try:
            return signal.Signals(self.signal_number).name
        except ValueError:
            return f"signal {self.signal_number}"

    def _line(self) -> str:
        parts = [self.message]
        if self.last_event is not None:
            parts.append(f"after event {self.last_event}")
        line = " ".join(parts)
        last_words = self.stderr.strip().splitlines()
        return f"{line}: {last_words[-1]}" if last_words else line


class SimulationError(Error):
    """An allocator written in Python that broke its contract, and where.

    Args:
        reason: what it did.
        event: the index of the event at which it did it.
        block: the block it is about, as (object, offset, size); the offset is None where it has
            none.
        other: the live block in its way, where there is one.
    """

    def __init__(
        self,
        reason: str,
        *,
        event: int,
        block: tuple[int, int | None, int] | None = None,
        other: tuple[int, int | None, int] | None = None,
    ) -> None:
        self.reason = reason
        self.event = event
        self.block = block
        self.other = other
        line = f"event {event}: {reason}"
        if block is not None:
            line += f": {_block_text(block)}"
        if other is not None:
            line += f" and {_block_text(other)}"
        super().__init__(line)

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are rebuilt from their arguments, which here are keywords.
        return _simulation_error, (self.reason, self.event, self.block, self.other)


def _block_text(block: tuple[int, int | None, int]) -> str:
    number, offset, size = block
    if offset is None:
        return f"object {number} of {size} bytes"
    return f"object {number} at [{offset}, {offset + size})"


def _simulation_error(
    reason: str,
    event: int,
    block: tuple[int, int | None, int] | None,
    other: tuple[int, int | None, int] | None,
) -> SimulationError:
    return SimulationError(reason, event=event, block=block, other=other)


def exit_code(error: BaseException) -> int:
    """Returns the exit code of the command line for an error (0 ok is never an error's)."""
    if isinstance(error, UsageError | NotInstalled):
        return EXIT_USAGE
    if isinstance(error, NotMeasured | NotComparable):
        return EXIT_NOT_MEASURED
    return EXIT_FAILED
