"""Check for unbalanced classes."""

from __future__ import annotations

from typing import Final

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import Finding

_MIN_RATIO: Final = 10.0


@CHECKS.register("imbalance")
class Imbalance(Check):
    """The largest against the smallest class of train, or of all images without a train split."""

    order = 130
    passed = "no class has ten times the images of another"

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding if the ratio of the two is at least ten."""
        dataset = subject.dataset
        fitted = dataset.train if "train" in dataset.split_counts() else dataset
        counts = {name: count for name, count in fitted.class_counts().items() if count}
        most = max(counts, key=lambda one: counts[one])
        least = min(counts, key=lambda one: counts[one])
        ratio = counts[most] / counts[least]
        if ratio < _MIN_RATIO:
            return []
        return [
            Finding(
                check="imbalance",
                severity="note",
                title=f"{most} has {ratio:.1f} times the images of {least} "
                f"({counts[most]:,} and {counts[least]:,})",
                count=counts[least],
                why="Accuracy hardly depends on rare classes, so a network may never predict them.",
                what_to_do="Judge by macro F1 as well as accuracy; "
                "--set train.class_weights=balanced weights the classes.",
                figures={"ratio": round(ratio, 2)},
            )
        ]
