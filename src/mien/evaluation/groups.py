"""Figures by group of people, the gaps between groups, and whether these are more than chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from mien.bundle.scores import Record, Score
from mien.evaluation import metrics
from mien.evaluation.scoring import finite, score_of, score_of_area
from mien.types import Array, Integers, Labels, Mask, Strings

FEWEST: Final = 20  # images of a group; smaller ones are shown, but have no part in a gap
SIGNIFICANT: Final = 0.05
_PERMUTATIONS: Final = 2000
_RESAMPLES: Final = 500  # of the calibration error


class GroupScores(Record):
    """The figures of one group."""

    group: str
    """Name of the group."""
    images: int
    """Number of its images."""
    accuracy: Score
    macro_f1: Score
    weighted_f1: Score
    roc_auc: Score
    calibration_error: Score
    """Expected calibration error; few images raise it by chance."""
    recall: dict[str, float | None]
    """Recall of each class; None for a class that the group lacks."""


class Gap(Record):
    """The difference of a figure between the groups of one column."""

    figure: str
    """Name of the figure."""
    highest: str
    """Group with the highest value."""
    lowest: str
    """Group with the lowest value."""
    value: float
    """Difference between them."""
    p_value: float
    """Share of random divisions into groups of the same sizes with as large a difference."""
    p_adjusted: float
    """The same, adjusted by Holm's method for all gaps that are tested."""

    @property
    def more_than_chance(self) -> bool:
        """Whether chance hardly explains the gap."""
        return self.p_adjusted < SIGNIFICANT


class Grouping(Record):
    """The figures of all groups of one column."""

    column: str
    """Name of the column."""
    groups: tuple[GroupScores, ...]
    """Figures of each group, in the order of their names."""
    ungrouped: int
    """Number of images in no group."""
    gaps: tuple[Gap, ...]
    """Gap of each tested figure; empty if fewer than two groups have enough images."""


def describe_gap(column: str, gap: Gap) -> str:
    """Return a gap in one sentence."""
    chance = "which chance hardly explains" if gap.more_than_chance else "which may be chance"
    return (
        f"{gap.figure[0].upper()}{gap.figure[1:]} differs by {100 * gap.value:.1f} percentage "
        f"points between the groups of {column}, {gap.highest} being highest and {gap.lowest} "
        f"lowest, {chance} "
        f"(p {'<' if gap.p_adjusted < 0.001 else '='} {max(gap.p_adjusted, 0.001):.3f})"
    )


def measure_groups(
    labels: Labels,
    probabilities: metrics.Floats,
    groups: Mapping[str, Strings],
    *,
    names: tuple[str, ...],
    seed: int = 0,
) -> tuple[Grouping, ...]:
    """Return the figures of each group of people, with their gaps.

    A gap of accuracy may come from other labels being frequent in a group; macro F1 weighs all
    classes equally.

    Args:
        labels: labels of the images.
        probabilities: probabilities that were read in them.
        groups: for each column, the group of each image, empty for none
            (`mien.data.groups.read_groups`).
        names: names of the classes, in order.
        seed: seed of the resamples and permutations.

    Shape: labels (N,), probabilities (N, classes), groups (N,) each.
    Source: Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 2005, for the test.
    """
    found = []
    for column, values in groups.items():
        members = {name: values == name for name in sorted(set(values.tolist()) - {""})}
        scores = tuple(
            _scores(name, labels[mask], probabilities[mask], names, seed)
            for name, mask in members.items()
        )
        gaps = _gaps(labels, probabilities, members, len(names), seed)
        found.append(
            Grouping(
                column=column, groups=scores, ungrouped=int((values == "").sum()), gaps=tuple(gaps)
            )
        )
    return _adjusted(found)


def _scores(
    name: str, labels: Labels, probabilities: metrics.Floats, names: tuple[str, ...], seed: int
) -> GroupScores:
    confusion = metrics.confusion_matrix(labels, probabilities.argmax(1), len(names))
    recall = metrics.class_scores(confusion).recall.tolist()
    return GroupScores(
        group=name,
        images=len(labels),
        accuracy=score_of(metrics.accuracy, confusion, seed),
        macro_f1=score_of(metrics.macro_f1, confusion, seed),
        weighted_f1=score_of(metrics.weighted_f1, confusion, seed),
        roc_auc=score_of_area(labels, probabilities, seed),
        calibration_error=_calibration_error(labels, probabilities, seed),
        recall={one: finite(value) for one, value in zip(names, recall, strict=True)},
    )


def _calibration_error(labels: Labels, probabilities: metrics.Floats, seed: int) -> Score:
    generator = np.random.default_rng(seed)
    draws = generator.integers(0, len(labels), (_RESAMPLES, len(labels)))
    errors = [metrics.calibration_error(labels[rows], probabilities[rows]) for rows in draws]
    low, high = np.percentile(errors, metrics.INTERVAL)
    value = metrics.calibration_error(labels, probabilities)
    return Score(value=value, low=float(low), high=float(high))


def _gaps(
    labels: Labels, probabilities: metrics.Floats, members: dict[str, Mask], classes: int, seed: int
) -> list[Gap]:
    """Return the gaps of accuracy and macro F1, with their p-values not yet adjusted."""
    large = [name for name, mask in members.items() if mask.sum() >= FEWEST]
    if len(large) < 2:
        return []
    number = np.full(len(labels), -1)
    for index, name in enumerate(large):
        number[members[name]] = index
    kept = number >= 0
    number = number[kept]
    cells = (labels * classes + probabilities.argmax(1))[kept]

    def by_group(number: Integers) -> dict[str, Array]:
        """Return each figure of each group."""
        counts = np.bincount(number * classes**2 + cells, minlength=len(large) * classes**2)
        confusions = counts.reshape(len(large), classes, classes)
        return {
            "accuracy": metrics.accuracy(confusions),
            "macro F1": metrics.macro_f1(confusions),
        }

    observed = by_group(number)
    generator = np.random.default_rng(seed)
    as_large = dict.fromkeys(observed, 0)
    for _ in range(_PERMUTATIONS):
        for figure, values in by_group(generator.permutation(number)).items():
            as_large[figure] += bool(np.ptp(values) >= np.ptp(observed[figure]) - 1e-12)
    return [
        Gap(
            figure=figure,
            highest=large[int(values.argmax())],
            lowest=large[int(values.argmin())],
            value=float(np.ptp(values)),
            p_value=(as_large[figure] + 1) / (_PERMUTATIONS + 1),
            p_adjusted=1.0,
        )
        for figure, values in observed.items()
    ]


def _adjusted(groupings: list[Grouping]) -> tuple[Grouping, ...]:
    """Return the groupings with p-values that are adjusted for the number of all gaps."""
    values = iter(metrics.holm([gap.p_value for one in groupings for gap in one.gaps]))
    return tuple(
        one.model_copy(
            update={
                "gaps": tuple(
                    gap.model_copy(update={"p_adjusted": next(values)}) for gap in one.gaps
                )
            }
        )
        for one in groupings
    )
