# SPDX-License-Identifier: MIT
"""Views of results, a file a view; pictures need matplotlib, which an extra installs."""

from alloclab.views.flame import folded, speedscope
from alloclab.views.footprint import plot_footprint
from alloclab.views.heat_map import plot_heat_map
from alloclab.views.icicle import plot_icicle
from alloclab.views.live import plot_live
from alloclab.views.memory_map import plot_fragmentation, plot_map
from alloclab.views.profiles import plot_profiles

__all__ = [
    "folded",
    "plot_footprint",
    "plot_fragmentation",
    "plot_heat_map",
    "plot_icicle",
    "plot_live",
    "plot_map",
    "plot_profiles",
    "speedscope",
]
