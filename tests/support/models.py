# SPDX-License-Identifier: MIT
"""Builds the founding systems' models as their descriptions under workloads/ say."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

from alloclab import _native

WORKLOADS = Path(__file__).resolve().parents[2] / "workloads"


def build_model(name: str, folder: Path) -> Path:
    """Builds a model in a folder of its own and returns the program."""
    described = tomllib.loads((WORKLOADS / f"{name}.toml").read_text("utf-8"))
    for each in described["inputs"]:
        target = folder / each
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(WORKLOADS / each, target)
    for words in described["build"]:
        command = [word.replace("{include}", str(_native.include_dir())) for word in words]
        subprocess.run(command, cwd=folder, check=True)
    return folder / described["image"]
