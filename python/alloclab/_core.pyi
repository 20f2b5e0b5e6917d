# SPDX-License-Identifier: MIT
"""The compiled core. Use the package's modules; these names may change with any version.

NumPy arrays own their memory. Decoding and sealing release the GIL.
"""

from collections.abc import Callable
from typing import Any, final

import numpy.typing as npt

version: str
build_type: str
event_kinds: dict[str, int]

@final
class TraceReader:
    def __init__(self, path: str | bytes) -> None: ...
    @property
    def path(self) -> str: ...
    @property
    def file_bytes(self) -> int: ...
    @property
    def metadata_json(self) -> str: ...
    @property
    def names(self) -> list[str]: ...
    @property
    def summary(self) -> dict[str, int]: ...
    @property
    def chunk_count(self) -> int: ...
    def chunk(self, index: int) -> dict[str, npt.NDArray[Any]]: ...
    def calls(self, index: int) -> dict[str, npt.NDArray[Any]]: ...
    def objects(self) -> dict[str, npt.NDArray[Any]]: ...
    def footprint(self) -> dict[str, npt.NDArray[Any]]: ...
    def touched(self) -> dict[str, npt.NDArray[Any]]: ...

def read_capture_header(path: str | bytes) -> dict[str, Any]: ...
def seal(
    capture: str | bytes,
    trace: str | bytes,
    *,
    level: int,
    metadata_json: str,
    progress: Callable[[int], None] | None = None,
) -> dict[str, int]: ...
def judge_placement(
    *,
    offset: npt.NDArray[Any],
    size: npt.NDArray[Any],
    block_size: npt.NDArray[Any],
    birth: npt.NDArray[Any],
    death: npt.NDArray[Any],
    events: int,
    may_move_onto_itself: bool,
    sample_events: npt.NDArray[Any],
) -> tuple[tuple[int, int] | None, dict[str, Any], dict[str, npt.NDArray[Any]]]: ...
