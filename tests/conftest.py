# SPDX-License-Identifier: MIT
"""Where the tests find the checkout and its recordings; the same from outside the tree."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[1]


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
