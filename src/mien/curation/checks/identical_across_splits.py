"""Check for exact duplicates across splits."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Figures, Finding, Item, refer
from mien.curation.pairs import MEND_LEAKS, WHY_LEAKS_MATTER, count_leaks, leak_verdict
from mien.data.duplicates.groups import repeated


@CHECKS.register("identical_across_splits")
class IdenticalAcrossSplits(Check):
    """Groups of identical images that are in more than one split."""

    order = 10
    passed = "no identical images across splits"
    needs_splits = True

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all groups."""
        dataset, duplicates = subject.dataset, subject.duplicates
        splits = dataset.splits
        groups = [rows for rows in repeated(duplicates.exact) if len(np.unique(splits[rows])) > 1]
        if not groups:
            return []
        figures: Figures = {"groups": len(groups)}
        for left, right in combinations(dataset.split_counts(), 2):
            figures[f"pairs {left}–{right}"] = sum(
                int((splits[rows] == left).sum() * (splits[rows] == right).sum()) for rows in groups
            )
        figures |= count_leaks(dataset, duplicates, "exact")
        count = sum(len(rows) for rows in groups)
        return [
            Finding(
                check="identical-across-splits",
                severity="serious",
                title=f"{count:,} images in {len(groups):,} groups are identical across splits",
                count=count,
                why=WHY_LEAKS_MATTER,
                what_to_do=MEND_LEAKS,
                verdict=leak_verdict(dataset, duplicates),
                figures=figures,
                items=tuple(Item(images=refer(dataset, rows)) for rows in groups),
            )
        ]
