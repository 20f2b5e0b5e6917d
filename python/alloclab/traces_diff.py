# SPDX-License-Identifier: MIT
"""diff(): what one trace has more of than another, by size, lifetime, region, scope and site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alloclab.errors import UsageError
from alloclab.stacks import Frame, Stacks
from alloclab.units import exact_bytes, format_bytes, format_count

DIMENSIONS = ("size", "lifetime", "region", "scope", "site")
_NAMED = ("scope", "site")
_FINEST_CLASSES = 4  # a doubling is split into so many size classes from 64 bytes up
_SMALLEST_SPLIT_BYTES = 64
_LABEL_WIDTH = 90  # of the table; a call stack may be of any length

Columns = Mapping[str, npt.NDArray[Any]]
Sum = tuple[int, int]  # objects, bytes


class TraceObjects(Protocol):
    """What a diff needs of a trace."""

    @property
    def path(self) -> Any: ...

    @property
    def names(self) -> list[str]: ...

    def scopes(self) -> Columns: ...

    def stacks(self) -> Stacks: ...

    def objects(self) -> Columns: ...


@dataclass(frozen=True)
class Group:
    """Objects of both traces that share a size class, a lifetime, a scope or a site."""

    label: str
    first_objects: int
    second_objects: int
    first_bytes: int
    second_bytes: int

    @property
    def more_objects(self) -> int:
        """How many more the second trace has; negative when it has fewer."""
        return self.second_objects - self.first_objects

    @property
    def more_bytes(self) -> int:
        """How many more bytes the second trace asks for; negative when fewer."""
        return self.second_bytes - self.first_bytes


@dataclass(frozen=True)
class TraceDiff:
    """Two traces, group by group; `groups` has a dimension only where a trace knows it."""

    first: str
    second: str
    total: Group
    groups: Mapping[str, tuple[Group, ...]]

    @property
    def is_empty(self) -> bool:
        """Whether both traces have the same objects, as far as any dimension tells."""
        every = (group for groups in self.groups.values() for group in groups)
        return not any(group.more_objects or group.more_bytes for group in every)

    def to_json(self) -> dict[str, Any]:
        """Returns the diff as plain JSON values."""
        return {
            "schema": 1,
            "kind": "trace_diff",
            "first": self.first,
            "second": self.second,
            "total": asdict(self.total),
            "groups": {name: [asdict(each) for each in each_of] for name, each_of in self._items()},
        }

    def table(self, limit: int = 10) -> str:
        """Returns the largest differences of each dimension as text, most bytes first."""
        lines = [
            f"first:  {self.first}",
            f"second: {self.second}",
            _sentence(self.total.label, self.total),
        ]
        for name, groups in self._items():
            changed = [group for group in groups if group.more_objects or group.more_bytes]
            changed.sort(key=lambda group: (-abs(group.more_bytes), -abs(group.more_objects)))
            lines += ["", f"by {name}" if changed else f"by {name}: no difference"]
            labels = [_shortened(group.label) for group in changed[:limit]]
            width = max(map(len, labels), default=0)
            for label, group in zip(labels, changed, strict=False):
                lines.append(f"  {_sentence(label.ljust(width), group)}")
            if len(changed) > limit:
                lines.append(f"  and {len(changed) - limit} smaller differences")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()

    def _items(self) -> Iterable[tuple[str, tuple[Group, ...]]]:
        return self.groups.items()


def diff(first: TraceObjects, second: TraceObjects, by: Iterable[str] = DIMENSIONS) -> TraceDiff:
    """Says what the second trace has more of than the first.

    Args:
        first, second: the traces.
        by: dimensions: "size" (classes, four a doubling) and "lifetime" (decades of events) of
            allocated blocks, "region" (size classes of what the program mapped itself), "scope"
            (the innermost's kind and name) and "site" (the functions of the call stack, innermost
            first; lines are left out, for an edit moves them). The last two are not in the result
            where neither trace knows them.

    Raises:
        UsageError: an unknown dimension.
        TraceError: a trace is damaged.
    """
    wanted = list(by)
    for name in wanted:
        if name not in DIMENSIONS:
            raise UsageError(f"unknown dimension {name!r}: known are {', '.join(DIMENSIONS)}")
    split = [_split(trace.objects()) for trace in (first, second)]
    blocks, regions = [pair[0] for pair in split], [pair[1] for pair in split]
    groups: dict[str, tuple[Group, ...]] = {}
    for name in wanted:
        if name in _NAMED:
            if any(name in table and (table[name] >= 0).any() for table in blocks):
                groups[name] = _by_label(blocks, name, [_LABELS[name](t) for t in (first, second)])
        elif name == "lifetime":
            groups[name] = _by_class(blocks, [_lifetime(table) for table in blocks], _decade_label)
        else:
            tables = regions if name == "region" else blocks
            keys = [size_class(table["size"]) for table in tables]
            groups[name] = _by_class(tables, keys, _size_label)
    total = _group("blocks in all", [_sums(table, None) for table in blocks], 0)
    return TraceDiff(str(first.path), str(second.path), total, groups)


def _split(objects: Columns) -> tuple[Columns, Columns]:
    """Returns the blocks and the mapped regions of a table."""
    is_region = np.asarray(objects["is_region"], dtype=bool)
    return (
        {name: column[~is_region] for name, column in objects.items()},
        {name: column[is_region] for name, column in objects.items()},
    )


def size_class(size_bytes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Returns the number of each size's class: 16 bytes apart up to 64, then four a doubling.

    A class holds the sizes above the last one's limit up to its own; zero has one of its own.
    """
    sizes = np.maximum(size_bytes.astype(np.float64), 1.0)
    small = np.ceil(sizes / 16).astype(np.int64)
    doubling = np.ceil(np.log2(np.maximum(sizes, 64) / 64) - 1).astype(np.int64)
    doubling = np.maximum(doubling, 0)
    step = 64.0 * np.exp2(doubling) / _FINEST_CLASSES
    within = np.ceil((np.maximum(sizes, 65) - 64.0 * np.exp2(doubling)) / step).astype(np.int64)
    large = 4 + doubling * _FINEST_CLASSES + within
    classes = np.where(size_bytes <= _SMALLEST_SPLIT_BYTES, small, large)
    return np.where(size_bytes == 0, 0, classes)


def class_limit(number: int) -> int:
    """Returns the largest size of a class."""
    if number <= 4:
        return 16 * number
    doubling, within = divmod(number - 5, _FINEST_CLASSES)
    return (64 << doubling) + (within + 1) * ((64 << doubling) // _FINEST_CLASSES)


def _lifetime(table: Columns) -> npt.NDArray[np.int64]:
    """Returns the decade of each block's lifetime in events; -1 for what was never freed."""
    is_freed = table["death"] >= 0
    events = np.where(is_freed, table["death"] - table["birth"], 1).astype(np.float64)
    # log10 of a power of ten may come out a hair below it.
    decades = np.floor(np.log10(np.maximum(events, 1.0)) + 1e-12).astype(np.int64)
    return np.where(is_freed, decades, -1)


def _size_label(number: int) -> str:
    return "0 B" if number == 0 else f"up to {exact_bytes(class_limit(number))}"


def _decade_label(decade: int) -> str:
    if decade < 0:
        return "never freed"
    return f"{10**decade:,} to {10 ** (decade + 1) - 1:,} events"


def _by_class(
    tables: list[Columns], keys: list[npt.NDArray[np.int64]], label: Callable[[int], str]
) -> tuple[Group, ...]:
    sums = [_sums(table, key) for table, key in zip(tables, keys, strict=True)]
    return tuple(_group(label(number), sums, number) for number in sorted({*sums[0], *sums[1]}))


def _by_label(
    tables: list[Columns], name: str, labels: list[Callable[[int], str]]
) -> tuple[Group, ...]:
    """Matches by label, for numbers are each trace's own."""
    named: list[dict[str, Sum]] = []
    for table, label_of in zip(tables, labels, strict=True):
        by_name: dict[str, Sum] = {}
        for number, (count, size) in _sums(table, table.get(name)).items():
            label = "none" if number < 0 else label_of(number)
            before = by_name.get(label, (0, 0))
            by_name[label] = (before[0] + count, before[1] + size)
        named.append(by_name)
    return tuple(_group(label, named, label) for label in sorted({*named[0], *named[1]}))


def _sums(table: Columns, key: npt.NDArray[Any] | None) -> dict[int, Sum]:
    """Counts objects and bytes by key; without one, all of them under 0."""
    sizes = table["size"].astype(np.uint64)
    key = np.zeros(sizes.size, dtype=np.int64) if key is None else key
    numbers, inverse = np.unique(key, return_inverse=True)
    sums = np.zeros(numbers.size, dtype=np.uint64)
    np.add.at(sums, inverse.ravel(), sizes)
    counts = np.bincount(inverse.ravel(), minlength=numbers.size)
    return {
        int(number): (int(count), int(size))
        for number, count, size in zip(numbers, counts, sums, strict=True)
    }


def _group(label: str, sums: Sequence[Mapping[Any, Sum]], key: Any) -> Group:
    first, second = (each.get(key, (0, 0)) for each in sums)
    return Group(label, first[0], second[0], first[1], second[1])


def _scope_labels(trace: TraceObjects) -> Callable[[int], str]:
    """Returns what says a scope's kind and name, by its row."""
    scopes, names = trace.scopes(), trace.names
    return lambda row: f"{names[int(scopes['kind'][row])]} {names[int(scopes['name'][row])]}"


def _site_labels(trace: TraceObjects) -> Callable[[int], str]:
    """Returns what says the functions of a call stack, by its number."""
    stacks = trace.stacks()
    return lambda site: " < ".join(map(_function_of, stacks.frames(site))) or "no function"


def _function_of(frame: Frame) -> str:
    return frame.function or f"{frame.module.rpartition('/')[2] or '?'}+{frame.offset:#x}"


_LABELS: Mapping[str, Callable[[TraceObjects], Callable[[int], str]]] = {
    "scope": _scope_labels,
    "site": _site_labels,
}


def _shortened(label: str) -> str:
    return label if len(label) <= _LABEL_WIDTH else f"{label[: _LABEL_WIDTH - 3]}..."


def _sentence(label: str, group: Group) -> str:
    return (
        f"{label}  {_signed(group.more_bytes, format_bytes)} in "
        f"{_signed(group.more_objects, format_count)} objects  "
        f"({format_bytes(group.first_bytes)} in {format_count(group.first_objects)} -> "
        f"{format_bytes(group.second_bytes)} in {format_count(group.second_objects)})"
    )


def _signed(value: int, write: Callable[[float], str]) -> str:
    return f"{'-' if value < 0 else '+'}{write(abs(value))}"
