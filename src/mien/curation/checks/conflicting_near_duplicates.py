"""Check for near duplicates with different labels."""

from __future__ import annotations

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Finding
from mien.curation.pairs import count_images, pair_items


@CHECKS.register("conflicting_near_duplicates")
class ConflictingNearDuplicates(Check):
    """Pairs of near duplicates with different labels."""

    order = 60
    needs_photographs = True

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all pairs."""
        labels = subject.dataset.labels
        everyone = len(subject.near_pairs)
        pairs = [
            pair for pair in subject.near_pairs if labels[pair.rows[0]] != labels[pair.rows[1]]
        ]
        if not pairs:
            return []
        return [
            Finding(
                check="conflicting-near-duplicates",
                severity="note",
                title=f"{len(pairs):,} of {everyone:,} pairs of near duplicates have different "
                "labels",
                count=count_images(pairs),
                why="They show the same face with the same expression. The share of pairs whose "
                "labels agree measures how reliable labels are, and so how high an honest score "
                "can be.",
                what_to_do="Look at them; no network can be expected to agree with both labels.",
                figures={
                    "pairs of pictures": len(pairs),
                    "labels agree": round(1 - len(pairs) / everyone, 4),
                },
                items=pair_items(subject.dataset, pairs),
            )
        ]
