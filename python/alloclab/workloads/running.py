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
from alloclab.errors import Error, NotInstalled
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
    """Returns those of some Debian packages that are not installed; all, where it is no Debian."""
    if shutil.which("dpkg-query") is None:
        return list(packages)
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
        for each in workload.inputs:
            _copy(workload.folder / each, scratch / _place_of(each))
        environment = {
            "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/games",
            "HOME": str(scratch),
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
            **{key: _filled(text, scratch) for key, text in workload.environment.items()},
        }
        for words in workload.build:
            _build([_filled(word, scratch) for word in words], scratch, environment)
        yield Job(workload, _command_of(workload, scratch), scratch, environment)


def _place_of(source: str) -> Path:
    """Where an input goes in the scratch folder: what lies in inputs/ comes to its top."""
    path = Path(source)
    return Path(*path.parts[1:]) if path.parts[0] == "inputs" else path


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, destination, dirs_exist_ok=True)
    else:
        shutil.copy(source, destination)


def _filled(text: str, scratch: Path) -> str:
    if "{include}" in text:
        text = text.replace("{include}", str(_native.include_dir()))
    return text.replace("{scratch}", str(scratch))


def _build(words: list[str], scratch: Path, environment: dict[str, str]) -> None:
    try:
        built = subprocess.run(
            words, cwd=scratch, env=environment, capture_output=True, errors="replace", check=False
        )
    except OSError as error:
        raise Error(f"{' '.join(words)}: {error.strerror}") from None
    if built.returncode != 0:
        said = (built.stderr or built.stdout)[-_LOG_TAIL_BYTES:].strip()
        raise Error(f"{' '.join(words)} ended with {built.returncode}: {said}")


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
