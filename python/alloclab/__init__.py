# SPDX-License-Identifier: MIT
"""Record a program's heap, replay it under any allocator, compare, and keep the result."""

from alloclab.errors import Error

__all__ = ["Error"]
