# SPDX-License-Identifier: MIT
"""Which size follows which: births near each other are put in the order of a Markov chain.

Zorn and Grunwald (1994, "Evaluating models of memory allocation") compare models that draw sizes
independently with a Markov chain of them. Here the boxes say what is born in a stretch of the run,
and the chain only in which order: how much more often than by chance one class of sizes comes right
after another, and how much more often one after the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alloclab.synthetic.columns import Ints
from alloclab.synthetic.scales import Scale

CLASSES = 24
_OWN = 17  # classes that are one range of the scale: its widest
_WINDOW = 256  # births put in order together; fewer where a run has few
_LEAST_LIFT = 0.01  # so that what is left over at the end of a window has a place
LAGS = (1, 2)

Lifts = npt.NDArray[np.float32]


def class_of(scale: Scale, sizes: Ints) -> Ints:
    """Returns the class of each size: the widest ranges of the scale, and what lies between."""
    width = np.diff(scale.edges)
    is_own = np.zeros(len(width), np.bool_)
    is_own[np.argsort(-width, kind="stable")[:_OWN]] = True
    rest = np.where(is_own, 0.0, width)
    shared = np.floor(np.cumsum(rest) / max(rest.sum(), 1e-300) * (CLASSES - _OWN) * (1 - 1e-9))
    classes = np.where(is_own, np.cumsum(is_own) - 1, _OWN + shared).astype(np.int64)
    entry = np.searchsorted(scale.low, sizes, side="right") - 1
    return np.asarray(classes[np.clip(entry, 0, len(classes) - 1)], np.int64)


def fit_lifts(scale: Scale, sizes: Ints) -> list[list[list[float]]]:
    """Returns for each lag how much more often than by chance a class follows another one."""
    if len(sizes) == 0:
        return [[] for _ in LAGS]
    classes = class_of(scale, sizes)
    share = np.bincount(classes, minlength=CLASSES) / len(classes)
    expected = np.outer(share, share)
    tables = []
    for lag in LAGS:
        pairs = classes[:-lag] * CLASSES + classes[lag:]
        counts = np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
        found = counts / max(len(pairs), 1)
        lift = np.divide(found, expected, out=np.ones_like(found), where=expected > 0)
        tables.append([[float(f"{each:.2g}") for each in row] for row in lift.tolist()])
    return tables


def put_in_order(rng: np.random.Generator, classes: Ints, tables: list[list[list[Any]]]) -> Ints:
    """Returns the permutation that puts objects, sorted by birth, in the order of the chain.

    An object stays within its window of at most 256 births, and those of a class in their order.
    Cost: some 1 us an object.
    """
    count = len(classes)
    window = int(np.clip(count // 256, 8, _WINDOW))
    windows = -(-count // window)
    if count < 3 or not tables[0]:
        return np.arange(count)
    lifts = [np.maximum(np.array(table, np.float32), _LEAST_LIFT) for table in tables]
    where = np.arange(count) // window
    left = np.bincount(where * CLASSES + classes, minlength=windows * CLASSES)
    left = left.reshape(windows, CLASSES).astype(np.float32)
    drawn = np.zeros((window, windows), np.int64)
    rows = np.arange(windows)
    before, last = (classes[np.maximum(rows * window - lag, 0)] for lag in (2, 1))
    for step in range(window):
        weights = left * lifts[0][last]
        weights *= lifts[1][before]
        sums = np.cumsum(weights, axis=1)
        at = rng.random(windows, np.float32) * sums[:, -1]
        pick = (sums <= at[:, None]).sum(axis=1)
        pick = np.minimum(pick, CLASSES - 1)
        is_gone = left[rows, pick] < 0.5  # rounding, or a window that is full
        if is_gone.any():
            pick[is_gone] = left[is_gone].argmax(axis=1)
        left[rows, pick] -= 1
        drawn[step] = pick
        before, last = last, pick
    slots = drawn.T.reshape(-1)[:count]
    order = np.empty(count, np.int64)
    order[np.argsort(where * CLASSES + slots, kind="stable")] = np.argsort(
        where * CLASSES + classes, kind="stable"
    )
    return order
