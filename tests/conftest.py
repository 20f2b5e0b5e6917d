# SPDX-License-Identifier: MIT
"""Where the tests find the checkout and its recordings; the same from outside the tree."""

import functools
from pathlib import Path

import pytest

from support import sequences

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Failing sequences go where pytest keeps what outlives a run: .pytest_cache/d."""
    cache = getattr(config, "cache", None)  # -p no:cacheprovider
    if cache is not None:
        sequences.folder = functools.partial(cache.mkdir, "failed-sequences")


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The project's root; skips where only the tests were copied (the installed-wheel job)."""
    if not (ROOT / "cpp" / "include").is_dir():
        pytest.skip("not in a checkout")
    return ROOT


@pytest.fixture(scope="session")
def workloads() -> Path:
    """The folder of shipped recordings."""
    return ROOT / "workloads"


@pytest.fixture(scope="session")
def foreign() -> Path:
    """The folder of small files in other tools' formats."""
    return ROOT / "tests" / "foreign"
