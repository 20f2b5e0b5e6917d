# SPDX-License-Identifier: MIT
"""Sweeps of runs: comparisons, and the progress bar they draw."""

from alloclab.sweep.compare import compare
from alloclab.sweep.comparison import Comparison, load_comparison
from alloclab.sweep.progress import ProgressBar

__all__ = ["Comparison", "ProgressBar", "compare", "load_comparison"]
