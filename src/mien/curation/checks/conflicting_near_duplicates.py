"""Check for near duplicates with different labels."""

from __future__ import annotations

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Finding


@CHECKS.register("conflicting_near_duplicates")
class ConflictingNearDuplicates(Check):
    """Pairs of near duplicates with different labels."""

    order = 60
    needs_photographs = True

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all pairs."""
        labels = subject.dataset.labels
        every = subject.near_pairs
        pairs = every.take(labels[every.rows[:, 0]] != labels[every.rows[:, 1]])
        if not len(pairs):
            return []
        return [
            Finding(
                check="conflicting-near-duplicates",
                severity="note",
                title=f"{len(pairs):,} of {len(every):,} pairs of near duplicates have different "
                "labels",
                count=pairs.count_images(),
                why="They show the same face with the same expression. The share of pairs whose "
                "labels agree measures how reliable labels are, and so how high an honest score "
                "can be.",
                what_to_do="Look at them; no network can be expected to agree with both labels.",
                figures={
                    "pairs of pictures": len(pairs),
                    "labels agree": round(1 - len(pairs) / len(every), 4),
                },
                items=pairs.items(subject.dataset),
            )
        ]
