# SPDX-License-Identifier: MIT
"""Views of results, a file a view; each needs matplotlib, which an extra installs."""

from alloclab.views.footprint import plot_footprint
from alloclab.views.live import live_bytes, plot_live
from alloclab.views.memory_map import plot_fragmentation, plot_map

__all__ = ["live_bytes", "plot_footprint", "plot_fragmentation", "plot_live", "plot_map"]
