# SPDX-License-Identifier: MIT
"""What ends with a `with` block, and may find then that somebody still looks at its memory."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from alloclab.errors import ArenaEscapeError


class ClosesAtExit:
    """Closes at the end of a `with` block. Where the block failed with another error, that one is
    raised, and an escape is a note on it.
    """

    def close(self) -> None:
        """Ends it. Raises: ArenaEscapeError."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except ArenaEscapeError as escaped:
            if error is None:
                raise
            error.add_note(str(escaped))
