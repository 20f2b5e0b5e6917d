# SPDX-License-Identifier: MIT
"""Figures with their intervals, rows of a comparison, and how they are written down."""

from alloclab.results.environment import fingerprint
from alloclab.results.fidelity import Explained, Fidelity, explain, judge
from alloclab.results.measure import Figure, Measure, Row, figure_from_json, figure_to_json

__all__ = [
    "Explained",
    "Fidelity",
    "Figure",
    "Measure",
    "Row",
    "explain",
    "figure_from_json",
    "figure_to_json",
    "fingerprint",
    "judge",
]
