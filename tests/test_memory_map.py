# SPDX-License-Identifier: MIT
"""Memory maps: which rectangle is drawn where, in which colour, and what is said beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alloclab as al
from alloclab.errors import NotMeasured
from alloclab.views import memory_map, plot_fragmentation, plot_map

pytest.importorskip("matplotlib")

STEPS = [
    ("allocate", "a", 16),
    ("allocate", "b", 100),
    ("free", "a"),
    ("allocate", "c", 8),
    ("allocate", "d", 5000),
]


@pytest.fixture
def placement() -> al.Placement:
    return al.simulate(STEPS, al.textbook.FirstFit)


def test_a_block_is_a_rectangle_of_its_life_and_its_addresses(placement: al.Placement) -> None:
    axes = plot_map(placement).axes[0]
    paths = axes.collections[0].get_paths()
    corners = [path.vertices[:4].tolist() for path in paths]
    assert corners[0] == [[0, 0], [0, 16], [2, 16], [2, 0]]
    assert corners[1] == [[1, 16], [1, 128], [5, 128], [5, 16]]  # 112 bytes given for 100
    assert corners[2] == [[3, 0], [3, 16], [5, 16], [5, 0]]
    assert axes.get_xlim() == (0, 5)
    assert axes.get_ylabel() == "address (bytes)"


def test_the_legend_names_the_classes_there_are(placement: al.Placement) -> None:
    legend = plot_map(placement).axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["16 B", "256 B", "64 KiB"]
    assert plot_map(placement, has_legend=False).axes[0].get_legend() is None


def test_classes_rise_in_lightness() -> None:
    colours = memory_map._colours()
    lightness = colours @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > 0.07).all()


def test_many_blocks_are_a_raster_of_the_same_map(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two blocks a half each of the space and of the time: quarters of the picture.
    steps: list[Any] = [("allocate", 0, 16), ("free", 0), ("allocate", 1, 16), ("allocate", 2, 16)]
    placement = al.simulate(steps, al.textbook.FirstFit)
    monkeypatch.setattr(memory_map, "_OUTLINED_BLOCKS", 0)
    picture = plot_map(placement).axes[0].images[0].get_array()
    assert picture is not None
    rows, columns = picture.shape[:2]
    alpha = np.asarray(picture)[..., 3]
    assert (alpha[: rows // 2, : columns // 4] == 1).all()  # the first, for one event of four
    assert (alpha[: rows // 2, columns // 4 + 1 : columns // 2 - 1] == 0).all()
    assert (alpha[: rows // 2, columns // 2 + 1 :] == 1).all()
    assert (alpha[rows // 2 + 1 :, : columns * 3 // 4 - 1] == 0).all()
    assert (alpha[rows // 2 + 1 :, columns * 3 // 4 + 1 :] == 1).all()


def test_a_block_smaller_than_a_pixel_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[Any] = [("allocate", 0, 16), ("allocate", 1, 10 << 20), ("free", 1)]
    placement = al.simulate([*steps, ("free", 0)], al.textbook.Bump)
    monkeypatch.setattr(memory_map, "_OUTLINED_BLOCKS", 0)
    alpha = np.asarray(plot_map(placement).axes[0].images[0].get_array())[..., 3]
    assert alpha[0].max() == 1
    assert 0 < alpha[0, -300] < 0.5


def test_maps_side_by_side_share_an_address_axis(placement: al.Placement) -> None:
    axes = plot_map(placement, top_bytes=1_000_000).axes[0]
    assert axes.get_ylim() == (0, 1.0)
    assert axes.get_ylabel() == "address (MB)"


def test_fragmentation_is_drawn_as_areas_below_the_extent(placement: al.Placement) -> None:
    axes = placement.plot_fragmentation().axes[0]
    legend = axes.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["block live", "requested live", "extent", "largest free run"]
    assert axes.lines[0].get_ydata().tolist() == [16, 128, 128, 128, 5136]  # type: ignore[union-attr]


def test_pictures_go_into_axes_of_ones_own_and_into_files(
    placement: al.Placement, tmp_path: Path
) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    first, second = figure.subplots(2)
    assert plot_map(placement, axes=first) is figure
    assert plot_fragmentation(placement, axes=second) is figure
    placement.plot_map().savefig(tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG"


def test_an_empty_map_is_not_drawn() -> None:
    with pytest.raises(NotMeasured, match="no block was ever placed"):
        plot_map(al.simulate([], al.textbook.Bump))
    with pytest.raises(NotMeasured, match="no events"):
        plot_fragmentation(al.simulate([], al.textbook.Bump))
