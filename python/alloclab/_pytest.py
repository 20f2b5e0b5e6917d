# SPDX-License-Identifier: MIT
"""The pytest plugin: the fixture `alloclab` and the option `--alloclab-update`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from alloclab.gate.check import MeasuredRun
    from alloclab.gate.compare import Tolerance


class Gate:
    """What the fixture `alloclab` gives a test."""

    def __init__(self, folder: Path, test_name: str, update: bool) -> None:
        self._folder = folder
        self._test_name = test_name
        self._update = update
        self._used: set[str] = set()

    def check(
        self,
        run: MeasuredRun,
        *,
        tolerances: Mapping[str, Tolerance] | None = None,
        name: str | None = None,
    ) -> None:
        """Fails the test unless the run's exact figures are those of the committed baseline.

        The file is `baselines/<test module>/<test name>.json` beside the test's own; see
        `alloclab.check` for what is compared and how tolerances are written.

        Args:
            name: tells the checks of one test apart; goes into the file's name.
        """
        # Imported here: a plugin is loaded by every pytest run on the machine, NumPy should not be.
        from alloclab.errors import Error
        from alloclab.gate.check import check

        file_name = f"{self._test_name}-{name}" if name else self._test_name
        if file_name in self._used:
            pytest.fail(
                f"{file_name} was checked twice: give the second check a name=", pytrace=False
            )
        self._used.add(file_name)
        path = self._folder / f"{file_name}.json"
        failure = None
        try:
            check(run, path, tolerances=tolerances, update=self._update)
        except Error as error:
            failure = f"alloclab: {error}"
        if failure is not None:  # outside the handler, so that the report shows it alone
            pytest.fail(failure, pytrace=False)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("alloclab").addoption(
        "--alloclab-update",
        action="store_true",
        help="write the baselines of alloclab.check() anew; the tests fail all the same",
    )


@pytest.fixture
def alloclab(request: pytest.FixtureRequest) -> Gate:
    """Holds replays against committed baselines: `alloclab.check(run)`."""
    # Brackets and slashes of a parametrised test would make awkward or impossible file names.
    test_name = re.sub(r"[^A-Za-z0-9_.-]+", "-", request.node.name).strip("-")
    folder = request.path.parent / "baselines" / request.path.stem
    return Gate(folder, test_name, request.config.getoption("--alloclab-update"))
