"""Data section: the classes of each split, and the overlap of the evaluated split with train."""

from __future__ import annotations

from functools import cached_property

from matplotlib.figure import Figure

from mien.reports.figures.classes import draw_class_counts, draw_class_shares
from mien.reports.sections.base import SECTIONS, Section


@SECTIONS.register("data")
class DataSection(Section):
    """Report section about the data set and its splits."""

    title = "Data"
    order = 80

    @cached_property
    def counts(self) -> dict[str, dict[str, int]]:
        """Number of images by split and class; empty without the data set."""
        dataset = self.content.dataset
        if dataset is None:
            return {}
        return {split: dataset.split(split).class_counts() for split in dataset.split_counts()}

    def figures(self) -> dict[str, Figure]:
        """Return numbers and shares of the classes in each split."""
        if not self.counts:
            return {}
        return {
            "class-counts": draw_class_counts(self.counts),
            "class-shares": draw_class_shares(self.counts),
        }
