"""Check for the FER-2013 release whose splits were shuffled."""

from __future__ import annotations

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Finding
from mien.data.fer2013 import LEAKY_RELEASE_SIZES, SPLIT_SIZES


@CHECKS.register("leaky_release")
class LeakyRelease(Check):
    """A popular release of FER-2013, recognized by the sizes of its splits."""

    order = 110
    passed = "not the FER-2013 release that shuffled all splits"
    needs_fer2013 = True

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding if the data set is that release."""
        train, *others = sorted(subject.dataset.split_counts().values(), reverse=True)
        if (train, sum(others)) != LEAKY_RELEASE_SIZES:
            return []
        sizes = " and ".join(f"{size:,}" for size in LEAKY_RELEASE_SIZES)
        return [
            Finding(
                check="leaky-release",
                severity="serious",
                title=f"This is the FER-2013 release that shuffled all splits ({sizes})",
                count=sum(LEAKY_RELEASE_SIZES),
                why="About four fifths of FER-2013's PrivateTest are in its training folder. A "
                "network trained on it knows most of FER-2013's test images, so its score on "
                "them is too high.",
                what_to_do="Train on the published splits instead "
                f"({SPLIT_SIZES['Training']:,} Training images).",
            )
        ]
