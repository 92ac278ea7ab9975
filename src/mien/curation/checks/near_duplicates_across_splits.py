"""Check for near duplicates across splits."""

from __future__ import annotations

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Figures, Finding
from mien.curation.pairs import (
    MEND_LEAKS,
    WHY_LEAKS_MATTER,
    count_images,
    count_leaks,
    leak_verdict,
    pair_items,
)


@CHECKS.register("near_duplicates_across_splits")
class NearDuplicatesAcrossSplits(Check):
    """Pairs of near duplicates in different splits."""

    order = 30
    needs_photographs = True
    passed = "no near duplicates across splits"
    needs_splits = True

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all pairs."""
        dataset, duplicates = subject.dataset, subject.duplicates
        pairs = [pair for pair in subject.near_pairs if pair.across]
        if not pairs:
            return []
        figures: Figures = {
            "pairs of pictures": len(pairs),
            "mirrored": sum(pair.mirrored for pair in pairs),
            "rescaled": sum(pair.rescaled for pair in pairs),
            "shifted by 2 px or more": sum(pair.shifted for pair in pairs),
        }
        figures |= count_leaks(dataset, duplicates, "near")
        figures |= count_leaks(dataset, duplicates, "any")
        count = count_images(pairs)
        return [
            Finding(
                check="near-duplicates-across-splits",
                severity="serious",
                title=f"{count:,} images have a near duplicate in another split",
                count=count,
                why=WHY_LEAKS_MATTER,
                what_to_do=MEND_LEAKS,
                verdict=leak_verdict(dataset, duplicates),
                figures=figures,
                items=pair_items(dataset, pairs),
            )
        ]
