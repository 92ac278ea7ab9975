"""Check for splits of FER-2013 as they were published."""

from __future__ import annotations

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Finding
from mien.data.fer2013 import find_usage


@CHECKS.register("known_release")
class KnownRelease(Check):
    """Published splits of FER-2013, recognized by their class counts."""

    order = 120
    needs_fer2013 = True

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding for each published split."""
        findings = []
        for split in subject.dataset.split_counts():
            counts = list(subject.dataset.split(split).class_counts().values())
            if usage := find_usage(counts):
                findings.append(
                    Finding(
                        check="known-release",
                        severity="note",
                        title=f"{split} has the class counts of FER-2013's {usage}, as published",
                        count=sum(counts),
                        why="Scores on it can be compared with other scores on that split.",
                        what_to_do="Nothing.",
                    )
                )
        return findings
