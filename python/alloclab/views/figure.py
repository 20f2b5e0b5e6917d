# SPDX-License-Identifier: MIT
"""A figure that needs no window and that a notebook shows as it is."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from alloclab.errors import NotInstalled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(size_inches: tuple[float, float]) -> Figure:
    """Returns an empty figure that draws without a display and without touching pyplot's state.

    Raises:
        NotInstalled: matplotlib is missing; says how to get it.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as PlainFigure
    except ImportError:
        raise NotInstalled("matplotlib", "pip install 'alloclab[plot]'") from None

    class NotebookFigure(PlainFigure):
        """Shows itself in a notebook whose drawing backend was never switched on."""

        def _repr_png_(self) -> bytes:
            picture = io.BytesIO()
            self.savefig(picture, format="png", bbox_inches="tight")
            return picture.getvalue()

    figure = NotebookFigure(figsize=size_inches, layout="constrained")
    FigureCanvasAgg(figure)
    return figure
