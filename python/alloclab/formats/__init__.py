# SPDX-License-Identifier: MIT
"""Traces for other tools, and other tools' recordings for the lab."""

from alloclab.formats.export import ExportReport, export_trace
from alloclab.formats.import_trace import import_trace
from alloclab.formats.importers import FORMATS, ImportFormat

__all__ = ["FORMATS", "ExportReport", "ImportFormat", "export_trace", "import_trace"]
