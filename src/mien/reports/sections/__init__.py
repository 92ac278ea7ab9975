"""Sections of the report: one module and one template for each, and those of installed plugins."""

from mien.reports.sections.base import SECTIONS, EvaluationSection, Section

__all__ = ["SECTIONS", "EvaluationSection", "Section"]
