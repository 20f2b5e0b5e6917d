# SPDX-License-Identifier: MIT
"""Finds the workloads: those that come with the lab, or those of a folder of one's own."""

from __future__ import annotations

import os
from pathlib import Path

from alloclab._native import workloads_dir
from alloclab.errors import UsageError
from alloclab.workloads.description import Workload, read_workload

FOLDER_VARIABLE = "ALLOCLAB_WORKLOADS"


def workloads(folder: str | Path | None = None) -> list[Workload]:
    """Returns all workloads of a shelf, by name.

    Args:
        folder: where their .toml files are; by default what ALLOCLAB_WORKLOADS names, or those
            that were installed with the lab.

    Raises:
        UsageError: there is no such folder, or a description in it is wrong.
    """
    return [read_workload(path) for path in _descriptions(_folder(folder))]


def workload(name: str, folder: str | Path | None = None) -> Workload:
    """Returns one workload, for instance `al.workload("freeciv").open()`.

    Raises:
        UsageError: there is none of that name; it says which there are.
    """
    place = _folder(folder)
    known = [path.stem for path in _descriptions(place)]
    if name not in known:
        raise UsageError(f"no workload {name!r} in {place}: there are {', '.join(known) or 'none'}")
    return read_workload(place / f"{name}.toml")


def _folder(folder: str | Path | None) -> Path:
    said = folder or os.environ.get(FOLDER_VARIABLE)
    place = Path(said) if said else workloads_dir()
    if not place.is_dir():
        raise UsageError(f"{place}: there is no such folder of workloads")
    return place


def _descriptions(place: Path) -> list[Path]:
    return sorted(path for path in place.glob("*.toml") if path.is_file())
