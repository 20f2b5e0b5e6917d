# SPDX-License-Identifier: MIT
"""Holds a replay's exact figures against a committed file."""

from alloclab.gate.check import VerdictFailed, check

__all__ = ["VerdictFailed", "check"]
