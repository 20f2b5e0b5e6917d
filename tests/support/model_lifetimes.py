# SPDX-License-Identifier: MIT
"""Two checks of a recording whose tags say what is scratch and what is durable (R83)."""

from __future__ import annotations

import numpy as np

from support.model_trace import ModelTrace, Rows


def tagged_below(model: ModelTrace, prefix: str) -> Rows:
    """Returns the objects whose tag begins with a prefix, for instance "scratch/"."""
    return model.tagged(*(tag for tag in model.tags() if tag.startswith(prefix)))


def outlives_its_scope(model: ModelTrace, objects: Rows) -> np.ndarray:
    """Says of each object whether it was alive when the innermost scope of its birth was left.

    One born in no scope outlives none; a scope that was never left is outlived by nothing.
    """
    scope = model.objects["scope"][objects].astype(np.int64)
    death = model.objects["death"][objects].astype(np.int64)
    exit_event = model.scopes["exit"][scope].astype(np.int64)
    is_alive = (death < 0) | (death > exit_event)
    result: np.ndarray = (scope >= 0) & (exit_event >= 0) & is_alive
    return result


def overlong_scratch(model: ModelTrace) -> Rows:
    """Returns what was called scratch and lived on after the scope it was allocated in."""
    scratch = tagged_below(model, "scratch/")
    return scratch[outlives_its_scope(model, scratch)]


def short_lived_durable(model: ModelTrace) -> Rows:
    """Returns what was called durable and did not outlive the scope it was allocated in."""
    durable = tagged_below(model, "durable/")
    return durable[~outlives_its_scope(model, durable)]
