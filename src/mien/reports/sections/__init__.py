"""Sections of the report: one module and one template for each, and those of installed plugins."""

from mien.reports.sections.base import SECTIONS, EvaluationSection, FailedSection, Section

__all__ = ["SECTIONS", "EvaluationSection", "FailedSection", "Section"]
