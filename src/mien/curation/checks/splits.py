"""Whether classes are balanced, splits drawn alike, and whose splits they are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np
from scipy.stats import chi2_contingency, ks_2samp

from mien.curation.findings import Finding
from mien.data import FaceDataset
from mien.labels import FER2013_TRAIN_COUNTS

_IMBALANCE: Final = 10.0
_MIN_P: Final = 0.001  # so small that chance alone would hardly ever draw splits so different
_ENOUGH: Final = 5  # images that chi-squared wants of each class in each split, on average

# FER-2013 as it was published: class counts in the labels' order.
_RELEASED: Final = {
    "Training": FER2013_TRAIN_COUNTS,
    "PublicTest": (467, 56, 496, 895, 653, 415, 607),
    "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
}
# A popular folder release that shuffled all three splits: about four fifths of PrivateTest is in
# its training folder, so whoever trains on it has no honest score on FER-2013's test images.
_SHUFFLED: Final = (28_821, 7_066)


def check_splits(dataset: FaceDataset) -> tuple[list[Finding], list[str]]:
    """Return what there is to say on classes and splits, and what could not be looked for."""
    found = [*_releases(dataset), _imbalance(dataset), *_missing(dataset)]
    if len(dataset.split_counts()) < 2:
        return [one for one in found if one is not None], [
            "leaks and differences between splits: there is one split only"
        ]
    found += [_label_shift(dataset), _light_shift(dataset)]
    return [one for one in found if one is not None], []


def _releases(dataset: FaceDataset) -> list[Finding | None]:
    findings: list[Finding | None] = []
    counts = dataset.split_counts()
    sizes = sorted(counts.values(), reverse=True)
    if sizes[0] == _SHUFFLED[0] and sum(sizes[1:]) == _SHUFFLED[1]:
        findings.append(
            Finding(
                check="leaky-release",
                severity="serious",
                title="This is the FER-2013 release that shuffled all splits (28,821 and 7,066)",
                count=sum(sizes),
                why="About four fifths of FER-2013's PrivateTest are inside its training folder. A "
                "score on FER-2013's test images by what was trained on it is a leak.",
                what_to_do="Train on the published splits instead (28,709 Training images).",
            )
        )
    for split in counts:
        by_class = tuple(dataset.split(split).class_counts().values())
        name = next((name for name, known in _RELEASED.items() if known == by_class), None)
        if name is not None:
            findings.append(
                Finding(
                    check="known-release",
                    severity="note",
                    title=f"{split} has the class counts of FER-2013's {name}, as published",
                    count=sum(by_class),
                    why="Scores on it can be compared with others' on that split.",
                    what_to_do="Nothing.",
                )
            )
    return findings


def _imbalance(dataset: FaceDataset) -> Finding | None:
    """Compare the classes of train, or of everything where there is no train split."""
    fitted = dataset.train if "train" in dataset.split_counts() else dataset
    counts = {emotion: count for emotion, count in fitted.class_counts().items() if count}
    most, least = max(counts, key=lambda one: counts[one]), min(counts, key=lambda one: counts[one])
    ratio = counts[most] / counts[least]
    if ratio < _IMBALANCE:
        return None
    return Finding(
        check="imbalance",
        severity="note",
        title=f"{most} has {ratio:.1f} times the images of {least} "
        f"({counts[most]:,} and {counts[least]:,})",
        count=counts[least],
        why="Accuracy hardly notices the rare classes, and a network may never say them.",
        what_to_do="Judge by macro F1 beside accuracy; --set train.class_weights=balanced "
        "weighs them.",
        figures={"ratio": round(ratio, 2)},
    )


def _missing(dataset: FaceDataset) -> list[Finding | None]:
    findings: list[Finding | None] = []
    for split in dataset.split_counts():
        none = [name for name, count in dataset.split(split).class_counts().items() if not count]
        if none:
            findings.append(
                Finding(
                    check="missing-class",
                    severity="warning",
                    title=f"{split} has no image of {', '.join(none)}",
                    count=0,
                    why="What is not there can be neither learnt nor measured; macro scores over "
                    "the others cannot be compared with those over all seven.",
                    what_to_do="Split anew, stratified (mien data split --fractions …), or say so.",
                )
            )
    return findings


def _label_shift(dataset: FaceDataset) -> Finding | None:
    splits = list(dataset.split_counts())
    table = np.array([list(dataset.split(split).class_counts().values()) for split in splits])
    table = table[:, table.sum(0) > 0]
    if table.shape[1] < 2 or table.mean() < _ENOUGH:
        return None
    result = chi2_contingency(table)
    if result.pvalue >= _MIN_P:
        return None
    return Finding(
        check="labels-drawn-otherwise",
        severity="warning",
        title=f"Classes are spread otherwise over {_list(splits)}: χ² {result.statistic:.1f}, "
        f"p {_p(result.pvalue)}",
        count=len(dataset),
        why="A split with other shares of the classes measures something else than was trained.",
        what_to_do="Split anew, stratified, unless the shares are meant to differ.",
        figures={"chi-squared": round(float(result.statistic), 3), "p": float(result.pvalue)},
    )


def _light_shift(dataset: FaceDataset) -> Finding | None:
    """Compare the images' mean gray level and contrast between splits."""
    figures: dict[str, int | float | str] = {}
    p_values = []
    for what, measure in (("intensity", np.mean), ("contrast", np.std)):
        values = {
            split: np.array([measure(image) for image in dataset.split(split).images])
            for split in dataset.split_counts()
        }
        for left, right in combinations(values, 2):
            result = ks_2samp(values[left], values[right], method="asymp")
            figures[f"{what} {left}–{right}: D"] = round(float(result.statistic), 4)
            figures[f"{what} {left}–{right}: p"] = float(result.pvalue)
            p_values.append(float(result.pvalue))
    least = min(1.0, min(p_values) * len(p_values))  # Bonferroni: the least of so many tests
    if least >= _MIN_P:
        return None
    return Finding(
        check="light-differs",
        severity="warning",
        title=f"Intensity or contrast differ between {_list(list(dataset.split_counts()))} more "
        f"than by chance: p {_p(least)}",
        count=len(dataset),
        why="The splits were not drawn from one source: a score on one says less about another.",
        what_to_do="Find out why: other cameras, other files, another conversion to gray?",
        figures=figures,
    )


def _list(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= 1e-6 else "below 0.000001"
