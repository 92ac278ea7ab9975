"""Check for splits with different intensity or contrast."""

from __future__ import annotations

from itertools import combinations

from scipy.stats import ks_2samp

from mien.curation.checks.base import CHECKS, Check, Subject
from mien.curation.findings import MIN_P, Figures, Finding, list_words, show_p


@CHECKS.register("light_differs")
class LightDiffers(Check):
    """Splits whose images differ in mean gray level or contrast more than by chance."""

    order = 160
    passed = "intensity and contrast do not differ between splits"
    needs_splits = True

    def find(self, subject: Subject) -> list[Finding]:
        """Return one finding if a Kolmogorov-Smirnov test rejects equal distributions."""
        dataset = subject.dataset
        splits = list(dataset.split_counts())
        figures: Figures = {}
        p_values = []
        for name, measured in zip(("intensity", "contrast"), subject.gray_levels, strict=True):
            values = {split: measured[dataset.splits == split] for split in splits}
            for left, right in combinations(splits, 2):
                result = ks_2samp(values[left], values[right], method="asymp")
                figures[f"{name} {left}–{right}: D"] = round(float(result.statistic), 4)
                figures[f"{name} {left}–{right}: p"] = float(result.pvalue)
                p_values.append(float(result.pvalue))
        least = min(1.0, min(p_values) * len(p_values))  # Bonferroni correction
        if least >= MIN_P:
            return []
        return [
            Finding(
                check="light-differs",
                severity="warning",
                title=f"Intensity or contrast differ between {list_words(splits)} more than by "
                f"chance: p {show_p(least)}",
                count=len(dataset),
                why="The splits do not come from the same source, so a score on one says less "
                "about the others.",
                what_to_do="Find the reason: other cameras, other files, another conversion to "
                "gray?",
                figures=figures,
            )
        ]
