# SPDX-License-Identifier: MIT
"""Runs a workload's program from scratch: its packages, its inputs, its build, its environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alloclab import _native
from alloclab.errors import Error, NotInstalled, UsageError
from alloclab.workloads.checking import place_of
from alloclab.workloads.description import Workload

_NOBODY = "65534"
_LOG_TAIL_BYTES = 2000


@dataclass(frozen=True)
class Job:
    """A workload ready to run, in a folder of its own that every user can reach."""

    workload: Workload
    command: list[str]
    scratch: Path
    environment: dict[str, str]

    @property
    def log(self) -> Path:
        """Receives what the program prints."""
        return self.scratch / "output.log"


def missing_packages(packages: Sequence[str]) -> list[str]:
    """Returns those of some Debian packages that are not installed; none, where it is no Debian."""
    if shutil.which("dpkg-query") is None:
        return []
    return [each for each in packages if not _is_installed(each)]


def _is_installed(package: str) -> bool:
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout == "installed"


def check_packages(workload: Workload) -> None:
    """Raises NotInstalled, with the line that installs them, where packages are missing."""
    missing = missing_packages(workload.packages)
    if missing:
        line = f"apt-get install -y --no-install-recommends {' '.join(missing)}"
        raise NotInstalled(f"{workload.name}: {', '.join(missing)}", line)


@contextmanager
def prepared(workload: Workload) -> Iterator[Job]:
    """Puts a workload's inputs into a new folder and builds what it builds; removes it afterwards.

    Raises:
        NotInstalled: packages are missing.
        Error: the build failed; it names the command and the end of what it printed.
    """
    check_packages(workload)
    with tempfile.TemporaryDirectory(prefix="alloclab-workload-") as folder:
        scratch = Path(folder)
        scratch.chmod(0o777)
        _copy_inputs(workload, scratch)
        environment = {
            "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/games",
            "HOME": str(scratch),
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
            **{key: _filled(text, scratch) for key, text in workload.environment.items()},
        }
        for words in workload.build:
            _build(workload, [_filled(word, scratch) for word in words], scratch, environment)
        yield Job(workload, _command_of(workload, scratch), scratch, environment)


def _copy_inputs(workload: Workload, scratch: Path) -> None:
    def copy_once(source: str, destination: str) -> str:
        if Path(destination).exists():
            place = Path(destination).relative_to(scratch)
            raise Error(f"{workload.name}: two inputs go to one place, {place}")
        return shutil.copy(source, destination)

    for each in workload.inputs:
        source, destination = workload.folder / each, scratch / place_of(each)
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, destination, copy_function=copy_once, dirs_exist_ok=True)
            else:
                copy_once(str(source), str(destination))
        except OSError as error:
            raise Error(f"{workload.name}: {each}: {error}") from None


def _filled(text: str, scratch: Path) -> str:
    if "{include}" in text:
        text = text.replace("{include}", str(_native.include_dir()))
    return text.replace("{scratch}", str(scratch))


def _build(
    workload: Workload, words: list[str], scratch: Path, environment: dict[str, str]
) -> None:
    said = f"{workload.name}: {' '.join(words)}"
    try:
        built = subprocess.run(
            words, cwd=scratch, env=environment, capture_output=True, errors="replace", check=False
        )
    except OSError as error:
        raise Error(f"{said}: {error.strerror}") from None
    if built.returncode != 0:
        tail = (built.stderr or built.stdout)[-_LOG_TAIL_BYTES:].strip()
        raise Error(f"{said} ended with {built.returncode}: {tail}")


def _command_of(workload: Workload, scratch: Path) -> list[str]:
    """The command to run: its placeholders filled in, and not as root where it refuses."""
    words = [_filled(word, scratch) for word in workload.command]
    if workload.refuses_root and os.geteuid() == 0:
        become = ["setpriv", "--reuid", _NOBODY, "--regid", _NOBODY, "--clear-groups"]
        return [*become, *words]
    return words


@contextmanager
def output_to(log: Path) -> Iterator[None]:
    """Sends what programs started meanwhile print to a file: servers say a lot."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.dup2(file, 1)
        os.dup2(file, 2)
        yield
    finally:
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for each in (*kept, file):
            os.close(each)


def check_ended_well(job: Job, returncode: int | None) -> None:
    """Raises Error, with the end of what the program printed, unless it ended with 0."""
    if returncode != 0:
        said = job.log.read_text(encoding="utf-8", errors="replace") if job.log.exists() else ""
        tail = said[-_LOG_TAIL_BYTES:].strip()
        raise Error(f"{job.workload.name}: {job.command[0]} ended with {returncode}: {tail}")


@contextmanager
def named(workload: Workload) -> Iterator[None]:
    """Puts the workload's name before what is said to be wrong with its command or options."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{workload.name}: {error}") from None
    except OSError as error:
        raise Error(f"{workload.name}: {error}") from None
