# SPDX-License-Identifier: MIT
"""Methods an allocator has or has not: where it has not, the attribute is missing."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any, TypeVar, cast

Method = TypeVar("Method", bound=Callable[..., Any])


class _Capability:
    def __init__(self, name: str, method: Callable[..., Any]) -> None:
        self.name = name
        self.method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        if self.name not in instance.capabilities:
            raise AttributeError(f"{instance.spec} has no {self.method.__name__}")
        return MethodType(self.method, instance)


def capability(name: str) -> Callable[[Method], Method]:
    """Makes a method one that only allocators with the capability have."""

    def decorate(method: Method) -> Method:
        return cast(Method, _Capability(name, method))

    return decorate
