# SPDX-License-Identifier: MIT
"""The shelf: recordings of real programs and of the founding systems' models, and how to make
each again."""

from alloclab.workloads.description import Workload
from alloclab.workloads.shelf import workload, workloads

__all__ = ["Workload", "workload", "workloads"]
