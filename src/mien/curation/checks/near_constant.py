"""Check for images with very low contrast."""

from __future__ import annotations

from typing import Final

import numpy as np

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Finding, Item, count_of, refer

_MIN_STD: Final = 8.0  # gray levels; a face in the dark has about 15


@CHECKS.register("near_constant")
class NearConstant(Check):
    """Images with a low standard deviation that are not blank."""

    order = 90
    passed = "no images of very low contrast"

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all images of low contrast, the lowest first."""
        stds = subject.gray_levels[1]
        (rows,) = np.nonzero((stds < _MIN_STD) & ~subject.blank)
        if len(rows) == 0:
            return []
        return [
            Finding(
                check="near-constant",
                severity="note",
                title=f"{count_of(rows, 'image has', 'images have')} very low contrast",
                count=len(rows),
                why="Once standardized, they are mostly noise.",
                what_to_do="Look at them, and drop those that show no face.",
                figures={"gray levels of standard deviation below": _MIN_STD},
                items=tuple(
                    Item(
                        images=refer(subject.dataset, [row]),
                        note=f"standard deviation {stds[row]:.1f}",
                    )
                    for row in sorted(rows, key=lambda row: float(stds[row]))
                ),
            )
        ]
