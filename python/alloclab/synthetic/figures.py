# SPDX-License-Identifier: MIT
"""How like its model's trace a generated one is: peak, sizes, lifetimes, footprint."""

from __future__ import annotations

import numpy as np

from alloclab.traces import Trace


def ks(a, b):
    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    return float(np.abs(np.searchsorted(a, both, "right") / len(a) - np.searchsorted(b, both, "right") / len(b)).max())

def columns(trace):
    o = trace.objects()
    m = o["is_region"] == 0
    birth, death, size = o["birth"][m], o["death"][m], o["size"][m].astype(np.int64)
    cum = np.concatenate([[0], np.cumsum(size)])
    f = death >= 0
    lived = cum[np.searchsorted(birth, death[f])] - cum[1:][f]
    n = (np.searchsorted(birth, death[f]) - 1) - np.flatnonzero(f)
    return size, lived, f, n
