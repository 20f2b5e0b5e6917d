# SPDX-License-Identifier: MIT
"""Every notebook is committed without outputs and runs from a clean kernel in a small setting."""

from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra alloclab[notebook]")
nbclient = pytest.importorskip("nbclient", reason="needs the extra alloclab[notebook]")

# What CI puts behind the cell tagged `parameters`, so that a notebook takes seconds.
SMALL = {
    "01-first-comparison": "source = {small_program!r}\nrepeats = 2\n",
    "02-growth-and-sealing": "items = 2000\nrepeats = 1\nvectors = 20\n",
    "03-a-compiler-phase-by-phase": "source = {small_program!r}\n",
    "04-what-programs-do": "repeats = 1\nis_small = True\n",
    # Row S34: a list of one size loses less to fragmentation than a malloc does.
    "05-allocator-gallery": "blocks = 1000\nnodes = 20_000\n",
}


def notebooks(checkout: Path) -> dict[str, Any]:
    paths = sorted((checkout / "notebooks").glob("*.ipynb"))
    return {path.stem: nbformat.read(path, as_version=4) for path in paths}


def parameters_index(notebook: Any) -> int:
    return next(
        index
        for index, cell in enumerate(notebook.cells)
        if "parameters" in cell.metadata.get("tags", [])
    )


def test_every_notebook_has_a_small_setting(checkout: Path) -> None:
    assert sorted(notebooks(checkout)) == sorted(SMALL)


def test_no_notebook_has_outputs(checkout: Path) -> None:
    for name, notebook in notebooks(checkout).items():
        for cell in notebook.cells:
            assert not cell.get("outputs"), name
            assert cell.get("execution_count") is None, name


def test_every_notebook_opens_with_its_parameters_and_ends_with_its_claim(checkout: Path) -> None:
    for name, notebook in notebooks(checkout).items():
        assert parameters_index(notebook) == 1, name
        code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        assert "assert" in code[-1], name


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL))
def test_it_runs_from_a_clean_kernel(checkout: Path, tmp_path: Path, name: str) -> None:
    small_program = tmp_path / "small.cpp"
    small_program.write_text(
        "#include <map>\n#include <string>\nstd::map<std::string, int> words;\n"
    )
    notebook = notebooks(checkout)[name]
    override = nbformat.v4.new_code_cell(SMALL[name].format(small_program=str(small_program)))
    notebook.cells.insert(parameters_index(notebook) + 1, override)
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(checkout / "notebooks")}},
    )
    client.execute()
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
