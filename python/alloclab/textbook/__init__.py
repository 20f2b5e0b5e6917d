# SPDX-License-Identifier: MIT
"""The allocators of the textbooks, as short as they can be read: for `simulate`, and to copy from.

Each is a class that places blocks in an address space and keeps its books in Python; none of them
holds memory. docs/simulate.md shows them side by side.
"""

from alloclab.textbook.buddy import Buddy
from alloclab.textbook.bump import Bump
from alloclab.textbook.fits import BestFit, FirstFit, NextFit
from alloclab.textbook.segregated import SegregatedFit

__all__ = ["BestFit", "Buddy", "Bump", "FirstFit", "NextFit", "SegregatedFit"]
