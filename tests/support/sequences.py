# SPDX-License-Identifier: MIT
"""Drawn sequences of operations that fail are kept as files; committed ones run again.

The file is there before the sequence runs: one that ends the process leaves it behind. It holds
the arguments of the test, not a trace: marks, arrays and the allocator itself are no events.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis.errors import HypothesisException

import alloclab as al
from alloclab import textbook

SEQUENCES = Path(__file__).resolve().parents[1] / "sequences"
FAILURES = (Exception, pytest.fail.Exception)

folder: Callable[[], Path] | None = None  # set by conftest; None keeps nothing


def kept(test: Callable[..., None]) -> Callable[..., None]:
    """Keeps the arguments that made a test fail, the last and so the smallest of each subject.
    Goes below `given`.
    """

    @functools.wraps(test)
    def keeping(**arguments: Any) -> None:
        if folder is None:
            test(**arguments)
            return
        content = {name: _encode(value) for name, value in arguments.items()}
        where = {"module": test.__module__, "test": test.__qualname__}
        running = folder() / "running.json"
        running.write_text(json.dumps({**where, "arguments": content}) + "\n", encoding="utf-8")
        try:
            test(**arguments)
        except HypothesisException:
            raise
        except FAILURES as error:
            file = running.rename(running.with_name(_name(test, content)))
            error.add_note(f"kept as {file}: move it to {SEQUENCES} and it runs with every test")
            raise
        finally:
            running.unlink(missing_ok=True)

    return keeping


def check_again(file: Path) -> None:
    """Runs a kept sequence under the test that it failed in."""
    content = json.loads(file.read_text(encoding="utf-8"))
    test = getattr(importlib.import_module(content["module"]), content["test"])
    arguments = {name: _decode(value) for name, value in content["arguments"].items()}
    test.hypothesis.inner_test(**arguments)


def _name(test: Callable[..., None], content: dict[str, Any]) -> str:
    subject = json.dumps({name: each for name, each in content.items() if isinstance(each, dict)})
    return f"{test.__name__}-{hashlib.sha256(subject.encode()).hexdigest()[:8]}.json"


def _encode(value: Any) -> Any:
    if isinstance(value, al.Allocator):
        return {"spec": value.to_json()}
    return {"textbook": value.__name__} if isinstance(value, type) else value


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "spec" in value:
        return al.allocators.from_json(value["spec"])
    return getattr(textbook, value["textbook"])
