"""Check for classes without images."""

from __future__ import annotations

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Finding


@CHECKS.register("missing_class")
class MissingClass(Check):
    """Splits without any image of a class."""

    order = 140
    passed = "every split has images of every class"

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding for each split that lacks a class."""
        findings = []
        for split in subject.dataset.split_counts():
            counts = subject.dataset.split(split).class_counts()
            missing = [name for name, count in counts.items() if not count]
            if missing:
                findings.append(
                    Finding(
                        check="missing-class",
                        severity="warning",
                        title=f"{split} has no image of {', '.join(missing)}",
                        count=0,
                        why="A class without images can be neither learned nor measured; macro "
                        f"scores over the other classes cannot be compared with those over all "
                        f"{len(counts)}.",
                        what_to_do="Split afresh, stratified (mien data split --fractions …), or "
                        "state it next to every score.",
                    )
                )
        return findings
