"""Check for exact duplicates within a split."""

from __future__ import annotations

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Figures, Finding, Item, count_of, refer
from mien.data.duplicates.groups import repeated
from mien.data.split import SPLITS, split_ranks


@CHECKS.register("identical_within_splits")
class IdenticalWithinSplits(Check):
    """Groups of identical images in the same split."""

    order = 20
    passed = "no identical images within a split"

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all groups."""
        dataset = subject.dataset
        # One number for each pair of picture and split.
        numbers = subject.duplicates.exact * len(SPLITS) + split_ranks(dataset.splits)
        groups = repeated(numbers)
        if not groups:
            return []
        surplus = sum(len(rows) - 1 for rows in groups)
        figures: Figures = {"groups": len(groups), "surplus": surplus}
        for split in dataset.split_counts():
            figures[f"surplus in {split}"] = sum(
                len(rows) - 1 for rows in groups if dataset.splits[rows[0]] == split
            )
        return [
            Finding(
                check="identical-within-splits",
                severity="warning",
                title=f"{count_of(surplus, 'image is a copy', 'images are copies')} of another "
                "image in the same split",
                count=surplus,
                why="Copies weigh more than other images: a network trains on them more often, "
                "scores count them more often, and confidence intervals come out too narrow.",
                what_to_do="Merge them: mien data clean.",
                figures=figures,
                items=tuple(
                    Item(images=refer(dataset, rows))
                    for rows in sorted(groups, key=len, reverse=True)
                ),
            )
        ]
