# SPDX-License-Identifier: MIT
"""What every allocator spec is: a frozen value that says how a child builds the real thing.

A new allocator is one subclass with its fields, and one line in the registry of `__init__.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from alloclab.errors import UsageError
from alloclab.units import exact_bytes, parse_bytes

Json = dict[str, Any]

_NO_PART = "{} is a whole process's malloc and cannot be part of a stack"


@dataclass(frozen=True)
class Launch:
    """How a measuring child is started for one allocator.

    `heap`, `options` and `spec` go on the child's command line, `environment` and `preload` into
    its environment; `library` is the file that holds the allocator, for the fingerprint. Huge
    pages are off unless the spec asks for them.
    """

    heap: str
    options: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    preload: tuple[Path, ...] = ()
    library: Path | None = None
    huge_pages: bool = False
    spec: str | None = None


@dataclass(frozen=True)
class Allocator:
    """An allocator as a value: comparable, hashable, printable, JSON both ways."""

    name: ClassVar[str] = ""
    can_be_part: ClassVar[bool] = False  # of a stack of allocators
    is_child_only: ClassVar[bool] = False  # never loaded into the caller's own process

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if value is None:
                continue
            try:
                object.__setattr__(self, each.name, _reader(each)(value))
            except UsageError as error:
                raise UsageError(f"{self.name}: {each.name}: {error}") from None

    def __str__(self) -> str:
        """The form the command line takes: "arena:initial=1MiB,growth=1.5"; defaults left out."""
        parts = [
            f"{each.name}={_write(each, getattr(self, each.name))}"
            for each in dataclasses.fields(self)
            if getattr(self, each.name) != each.default
        ]
        return f"{self.name}:{','.join(parts)}" if parts else self.name

    def to_json(self) -> Json:
        """Returns the spec as plain JSON values, every field included."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        for name, value in values.items():
            if isinstance(value, Allocator):
                values[name] = value.to_json()
        return {"allocator": self.name, **values}

    @classmethod
    def field_names(cls) -> list[str]:
        """Returns the names of the settings this allocator takes."""
        return [each.name for each in dataclasses.fields(cls)]

    @classmethod
    def from_fields(cls, values: Mapping[str, Any]) -> Self:
        """Builds the spec from named values; an unknown name is refused with the known ones."""
        known = cls.field_names()
        for name in values:
            if name not in known:
                choices = f"knows {', '.join(known)}" if known else "has no settings"
                raise UsageError(f"{cls.name} has no setting {name!r}: it {choices}")
        for each in dataclasses.fields(cls):
            if each.name not in values and each.default is dataclasses.MISSING:
                raise UsageError(f"{cls.name} needs {each.name!r}")
        return cls(**values)

    def launch(self) -> Launch:
        """Says how to measure it on equal terms, through malloc and free.

        Raises:
            NotInstalled: its library is not on this machine.
            UsageError: its library is not one that can be preloaded.
            NotMeasured: it has no malloc face.
        """
        raise NotImplementedError

    def kernel(self) -> Launch | None:
        """Says how to measure its templated, sized path; None for everyone else's mallocs."""
        return None

    def core_spec(self) -> Json:
        """Returns what the core builds it from, as a part of a stack or live in this process.

        Raises:
            UsageError: it cannot be a part.
            NotInstalled: a library it needs is not on this machine.
        """
        raise UsageError(_NO_PART.format(self.name))

    def children(self) -> dict[str, Allocator]:
        """Returns the allocators this one is composed of, by the names of their fields."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Allocator)}

    def check_live(self) -> None:
        """Checks that it, and every part of it, may be built in the caller's own process.

        Raises:
            UsageError: it, or a part, may not.
        """
        if self.is_child_only:
            raise UsageError(
                f"{self} runs in the replay child only: a fault in it would end this process"
            )
        for child in self.children().values():
            child.check_live()

    def wants_huge_pages(self) -> bool:
        """Whether a setting asks for huge pages, which children otherwise turn off."""
        return any(child.wants_huge_pages() for child in self.children().values()) or any(
            each.metadata.get("huge_pages", False) and bool(getattr(self, each.name))
            for each in dataclasses.fields(self)
        )

    def part_environment(self) -> dict[str, str]:
        """Returns what a process must have in its environment when it builds this as a part."""
        environment: dict[str, str] = {}
        for child in self.children().values():
            environment.update(child.part_environment())
        return environment

    def settings(self) -> dict[str, str]:
        """Returns the set fields under the names the allocator itself gives them."""
        result = {}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if value is not None and "setting" in each.metadata:
                result[each.metadata["setting"]] = _setting_text(value)
        return result


def size_option(setting: str, default: int | None = None, huge_pages: bool = False) -> Any:
    """Declares a field in bytes, written "64 KiB" or 65536."""
    metadata = {"setting": setting, "read": parse_bytes, "write": exact_bytes}
    return field(default=default, metadata={**metadata, "huge_pages": huge_pages})


def count_option(setting: str, default: int | None = None, huge_pages: bool = False) -> Any:
    """Declares a whole-number field; negative numbers are the allocator's to judge."""
    metadata = {"setting": setting, "read": _read_count}
    return field(default=default, metadata={**metadata, "huge_pages": huge_pages})


def allocator_option() -> Any:
    """Declares a field that is another allocator; it has no default."""
    return field(metadata={"read": _read_allocator, "write": lambda value: f"({value})"})


def choice_option(setting: str, choices: tuple[str, ...], default: str | None = None) -> Any:
    """Declares a field that is one of a few words."""

    def read(value: Any) -> str:
        if value not in choices:
            raise UsageError(f"not one of {', '.join(choices)}: {value!r}")
        return str(value)

    return field(default=default, metadata={"setting": setting, "read": read})


def ratio_option(setting: str, default: float | None = None) -> Any:
    """Declares a field that is a real number."""
    return field(default=default, metadata={"setting": setting, "read": _read_ratio})


def flag_option(setting: str, default: bool | None = None, huge_pages: bool = False) -> Any:
    """Declares a yes-or-no field; its text forms are true/false, yes/no, on/off, 1/0."""
    metadata = {"setting": setting, "read": _read_flag}
    return field(default=default, metadata={**metadata, "huge_pages": huge_pages})


def _reader(each: dataclasses.Field[Any]) -> Callable[[Any], Any]:
    reader: Callable[[Any], Any] = each.metadata.get("read", lambda value: value)
    return reader


def _write(each: dataclasses.Field[Any], value: Any) -> str:
    if value is not None and "write" in each.metadata:
        return str(each.metadata["write"](value)).replace(" ", "")
    return _setting_text(value)


def _setting_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_count(value: Any) -> int:
    try:
        if isinstance(value, bool | float):
            raise ValueError
        return int(value)
    except (TypeError, ValueError):
        raise UsageError(f"not a whole number: {value!r}") from None


def _read_allocator(value: Any) -> Allocator:
    if not isinstance(value, Allocator):
        raise UsageError(f"not an allocator: {value!r}")
    if not value.can_be_part:
        raise UsageError(_NO_PART.format(value.name))
    return value


def _read_ratio(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise UsageError(f"not a number: {value!r}") from None
    if not 0 < number < float("inf"):
        raise UsageError(f"not a positive number: {value!r}")
    return number


def _read_flag(value: Any) -> bool:
    text = str(value).lower()
    if text in {"true", "yes", "on", "1"}:
        return True
    if text in {"false", "no", "off", "0"}:
        return False
    raise UsageError(f"neither true nor false: {value!r}")
