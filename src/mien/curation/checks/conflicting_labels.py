"""Check for exact duplicates with different labels."""

from __future__ import annotations

import numpy as np

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Finding, Item, count_of, refer
from mien.data.duplicates.groups import repeated


@CHECKS.register("conflicting_labels")
class ConflictingLabels(Check):
    """Groups of identical images with different labels."""

    order = 50
    passed = "no identical images with different labels"

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding about all groups."""
        labels = subject.dataset.labels
        groups = [
            rows for rows in repeated(subject.duplicates.exact) if len(np.unique(labels[rows])) > 1
        ]
        if not groups:
            return []
        count = sum(len(rows) for rows in groups)
        return [
            Finding(
                check="conflicting-labels",
                severity="warning",
                title=f"{count_of(groups, 'group', 'groups')} of identical images with "
                "different labels",
                count=count,
                why="The same pixels cannot be of two classes: at least one label is wrong, and no "
                "network can learn both.",
                what_to_do="Let the votes or the majority decide, or drop them: mien data clean.",
                figures={"groups": len(groups), "images": count},
                items=tuple(Item(images=refer(subject.dataset, rows)) for rows in groups),
            )
        ]
