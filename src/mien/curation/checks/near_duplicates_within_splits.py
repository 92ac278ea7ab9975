"""Check for near duplicates within a split."""

from __future__ import annotations

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Finding


@CHECKS.register("near_duplicates_within_splits")
class NearDuplicatesWithinSplits(Check):
    """Pairs of near duplicates in the same split."""

    order = 40
    needs_photographs = True

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all pairs."""
        pairs = subject.near_pairs.take(~subject.near_pairs.across)
        if not len(pairs):
            return []
        count = pairs.count_images()
        return [
            Finding(
                check="near-duplicates-within-splits",
                severity="note",
                title=f"{count:,} images have a near duplicate in their own split",
                count=count,
                why="They show fewer different pictures than there are images, as if the data had "
                "been augmented before. When the images are split afresh, such pairs may leak.",
                what_to_do="Nothing, as long as the splits stay; otherwise keep duplicates "
                "together.",
                figures={"pairs of pictures": len(pairs)},
                items=pairs.items(subject.dataset),
            )
        ]
