# SPDX-License-Identifier: MIT
"""Traces made of what other tools write."""

from alloclab.formats.import_trace import import_trace
from alloclab.formats.importers import FORMATS, ImportFormat

__all__ = ["FORMATS", "ImportFormat", "import_trace"]
