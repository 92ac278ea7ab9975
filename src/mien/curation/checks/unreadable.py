"""Check for images that could not be read."""

from __future__ import annotations

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Finding, Item, count_of


@CHECKS.register("unreadable")
class Unreadable(Check):
    """Rows and files that were skipped when the data set was loaded."""

    order = 70
    passed = "every image could be read"

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all skipped images."""
        skipped = subject.dataset.skipped
        if not skipped:
            return []
        count = len(skipped)
        return [
            Finding(
                check="unreadable",
                severity="warning",
                title=f"{count_of(count, 'image', 'images')} could not be used",
                count=count,
                why="Tools that skip them silently train and measure on fewer images than they "
                "say.",
                what_to_do="Repair or remove the files or rows; until then --skip-bad leaves them "
                "out.",
                items=tuple(Item(images=(), note=line) for line in skipped),
            )
        ]
