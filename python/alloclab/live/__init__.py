# SPDX-License-Identifier: MIT
"""Allocators used from Python, in this process: blocks, arrays, scopes, and NumPy's own data."""

from alloclab.live.allocator import EVENT_KINDS, LiveAllocator, LiveRow, live
from alloclab.live.numpy_data import numpy_allocator
from alloclab.live.requests import (
    RequestScopes,
    ScopeId,
    enter_request_scope,
    exit_request_scope,
)
from alloclab.live.scopes import UnusedArena, arena, current_scope
from alloclab.live.shared import SharedArena, SharedArenaView
from alloclab.live.tables import ChunkedStore, ScratchStack, SealedBuilder, SideTable

__all__ = [
    "EVENT_KINDS",
    "ChunkedStore",
    "LiveAllocator",
    "LiveRow",
    "RequestScopes",
    "ScopeId",
    "ScratchStack",
    "SealedBuilder",
    "SharedArena",
    "SharedArenaView",
    "SideTable",
    "UnusedArena",
    "arena",
    "current_scope",
    "enter_request_scope",
    "exit_request_scope",
    "live",
    "numpy_allocator",
]
