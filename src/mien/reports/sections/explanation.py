"""Explanation section: which regions of a face the answers depend on."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from mien.explain.overview import Example, Importance, Overview
from mien.reports.figures.overlay import LEAST_DROP, overlay
from mien.reports.sections.base import SECTIONS, Section
from mien.types import Image


@SECTIONS.register("explanation")
class ExplanationSection(Section):
    """Report section with mean occlusion maps per class, and Grad-CAM maps of single faces."""

    title = "Explanation"
    order = 70
    needs = ("explanation",)
    without = "Not measured: this needs the Bundle, the data set and an evaluation."

    @property
    def overview(self) -> Overview:
        """Explanation of the split."""
        assert self.content.explanation is not None
        return self.content.explanation

    @cached_property
    def scale(self) -> float:
        """Drop in probability that is shown as full brightness, the same for all classes."""
        drops = [float(one.map.max()) for one in self.overview.importances]
        return max([LEAST_DROP, *drops])

    def draw_importance(self, importance: Importance) -> Image:
        """Return the mean face of a class under its mean occlusion map."""
        return overlay(importance.face, importance.map / self.scale)

    def draw_example(self, example: Example) -> Image:
        """Return a face under its Grad-CAM map."""
        return overlay(example.image, example.cam)

    def numbers(self) -> dict[str, Any]:
        """Return the importance of eyes and mouth, and the sanity check of the Grad-CAM maps."""
        overview = self.content.explanation
        sanity = overview.sanity if overview else None
        return {
            "importance": [
                {"emotion": one.emotion, "eyes": one.eyes, "mouth": one.mouth}
                for one in (overview.importances if overview else ())
            ],
            "sanity": sanity.model_dump() if sanity else None,
        }

    def count_faces(self) -> int:
        """Return the number of faces that the section shows; mean faces show no single person."""
        return len(self.overview.examples)
