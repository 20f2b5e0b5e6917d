# SPDX-License-Identifier: MIT
"""Traces for other tools, and other tools' recordings for the lab."""

from alloclab.formats.export import ExportReport, export_trace

__all__ = ["ExportReport", "export_trace"]
