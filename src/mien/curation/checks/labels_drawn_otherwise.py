"""Check for splits with different class distributions."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.stats import chi2_contingency

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import MIN_P, Finding, list_words, show_p

_MIN_EXPECTED: Final = 5  # images of each class in each split, on average, for chi-squared


@CHECKS.register("labels_drawn_otherwise")
class LabelsDrawnOtherwise(Check):
    """Splits whose class distributions differ more than by chance."""

    order = 150
    passed = "class distributions do not differ between splits"
    needs_splits = True

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding if a chi-squared test rejects equal distributions."""
        dataset = subject.dataset
        splits = list(dataset.split_counts())
        table = np.array([list(dataset.split(split).class_counts().values()) for split in splits])
        table = table[:, table.sum(0) > 0]
        if table.shape[1] < 2 or table.mean() < _MIN_EXPECTED:
            return []
        result = chi2_contingency(table)
        if result.pvalue >= MIN_P:
            return []
        return [
            Finding(
                check="labels-drawn-otherwise",
                severity="warning",
                title=f"Class distributions differ between {list_words(splits)}: "
                f"χ² {result.statistic:.1f}, p {show_p(result.pvalue)}",
                count=len(dataset),
                why="A score on a split with another class distribution than train's measures "
                "another task.",
                what_to_do="Split afresh, stratified, unless the distributions are meant to "
                "differ.",
                figures={
                    "chi-squared": round(float(result.statistic), 3),
                    "p": float(result.pvalue),
                },
            )
        ]
