# SPDX-License-Identifier: MIT
"""Views of results, a file a view; each needs matplotlib, which an extra installs."""

from alloclab.views.footprint import plot_footprint

__all__ = ["plot_footprint"]
