"""Check for blank images."""

from __future__ import annotations

import numpy as np

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Finding, Item, count_of, refer


@CHECKS.register("blank")
class Blank(Check):
    """Images of one gray level, or nearly so."""

    order = 80
    passed = "no blank images"

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all blank images."""
        (rows,) = np.nonzero(subject.blank)
        if len(rows) == 0:
            return []
        return [
            Finding(
                check="blank",
                severity="warning",
                title=f"{count_of(rows, 'image is', 'images are')} blank",
                count=len(rows),
                why="A network can learn no expression from a blank image, and no answer about it "
                "is right.",
                what_to_do="Drop them: mien data clean.",
                items=tuple(Item(images=refer(subject.dataset, [row])) for row in rows),
            )
        ]
