# SPDX-License-Identifier: MIT
"""Recording in a notebook's kernel: cells as scopes and tags, and the magic."""

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra alloclab[notebook]")
nbclient = pytest.importorskip("nbclient", reason="needs the extra alloclab[notebook]")

ACROSS_CELLS = [
    "import alloclab as al, numpy as np\nr = al.recording()\nr.start()\na = bytearray(8000)",
    "b = bytearray(9000)\nn = np.zeros(54_321, np.uint8)",
    "with r.tag('mine'):\n    c = bytearray(9500)\nt = r.stop()",
    """rows, scopes, names = t.objects(), t.scopes(), t.names
for size in (8001, 9001, 54_321, 9501):
    (row,) = (rows["size"] == size).nonzero()[0]
    scope = rows["scope"][row]
    words = rows["tag"][row], scopes["name"][scope], scopes["kind"][scope]
    print(*(names[word] for word in words), sep="/")""",
]
MAGIC = [
    "%load_ext alloclab",
    "%%alloclab first\nkept = [bytearray(6000) for _ in range(100)]",
    "print(int((first.objects()['size'] == 6001).sum()))",
]


def printed(sources: list[str]) -> list[str]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return ["".join(out.get("text", "") for out in cell.outputs) for cell in notebook.cells]


@pytest.mark.slow
def test_each_cell_is_a_scope_and_a_tag() -> None:
    assert printed(ACROSS_CELLS)[-1].split("\n")[:4] == [
        "cell 1/cell 1/task",
        "cell 2/cell 2/task",
        "cell 2/cell 2/task",
        "mine/cell 3/task",
    ]


@pytest.mark.slow
def test_the_magic_records_its_cell() -> None:
    assert printed(MAGIC)[-1] == "100\n"
