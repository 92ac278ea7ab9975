"""Check for near duplicates across splits."""

from __future__ import annotations

import numpy as np

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Figures, Finding
from mien.curation.pairs import (
    MEND_LEAKS,
    WHY_LEAKS_MATTER,
    count_leaks,
    leak_verdict,
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
        pairs = subject.near_pairs.take(subject.near_pairs.across)
        if not len(pairs):
            return []
        figures: Figures = {
            "pairs of pictures": len(pairs),
            "mirrored": int(pairs.near.mirrored.sum()),
            "rescaled": int((pairs.near.scale != 1).sum()),
            "shifted by 2 px or more": int((np.abs(pairs.near.shifts).max(1) >= 2).sum()),
        }
        figures |= count_leaks(dataset, duplicates, "near")
        figures |= count_leaks(dataset, duplicates, "any")
        count = pairs.count_images()
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
                items=pairs.items(dataset),
            )
        ]
