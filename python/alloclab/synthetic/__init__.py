# SPDX-License-Identifier: MIT
"""Traces nobody recorded: from models fitted to recordings, and shapes known to be hard."""

from alloclab.synthetic.adversaries import littering, robson, robson_bound
from alloclab.synthetic.likeness import (
    DISTANCE_LIMIT,
    FOOTPRINT_LIMIT,
    PEAK_LIMIT,
    Likeness,
    likeness,
)
from alloclab.synthetic.model import Model, model
from alloclab.synthetic.servers import larson, producer_consumer, sh6bench

SHAPES = {
    shape.__name__: shape for shape in (robson, littering, producer_consumer, larson, sh6bench)
}
"""The shapes by name, as the command line has them."""

__all__ = [
    "DISTANCE_LIMIT",
    "FOOTPRINT_LIMIT",
    "PEAK_LIMIT",
    "SHAPES",
    "Likeness",
    "Model",
    "larson",
    "likeness",
    "littering",
    "model",
    "producer_consumer",
    "robson",
    "robson_bound",
    "sh6bench",
]
