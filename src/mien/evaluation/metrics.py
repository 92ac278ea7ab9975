"""Metrics of a classifier, computed from labels and probabilities. All scores are in [0, 1].

Averages over classes exclude the classes without an image in the split.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.errors import MienError, install_hint
from mien.types import Labels, Mask

RESAMPLES: Final = 1000
INTERVAL: Final = (2.5, 97.5)  # percentiles
CALIBRATION_BINS: Final = 15
_RESAMPLES_AT_ONCE: Final = 50  # bounds the memory of the resampled areas

Floats = npt.NDArray[np.floating]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClassScores:
    """Scores of each class, for one confusion matrix or for many.

    Shape: each (..., classes); NaN for a class without images.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    support: Counts


def confusion_matrix(labels: Labels, predictions: Labels, classes: int) -> Counts:
    """Return the number of images by label (row) and prediction (column).

    Args:
        labels: labels of the images.
        predictions: predicted labels of the images.
        classes: number of classes.

    Shape: (N,), (N,) -> (classes, classes).
    """
    cells = np.bincount(labels * classes + predictions, minlength=classes**2)
    return cells.reshape(classes, classes).astype(np.int64)


def class_scores(confusion: Counts) -> ClassScores:
    """Return precision, recall and F1 of each class.

    A class that is never predicted has precision 0; a class without images has NaN for all three.

    Shape: (..., classes, classes) -> (..., classes).
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    support, predicted = confusion.sum(-1), confusion.sum(-2)
    absent = support == 0
    precision = np.where(absent, np.nan, hits / np.maximum(predicted, 1))
    recall = np.where(absent, np.nan, hits / np.maximum(support, 1))
    f1 = np.where(absent, np.nan, 2 * hits / np.maximum(support + predicted, 1))
    return ClassScores(precision, recall, f1, support)


def accuracy(confusion: Counts) -> Floats:
    """Return the share of images that are read as labelled.

    Shape: (..., classes, classes) -> (...).
    """
    hits = np.trace(confusion, axis1=-2, axis2=-1)
    return np.asarray(hits / np.maximum(confusion.sum((-2, -1)), 1))


def macro_f1(confusion: Counts) -> Floats:
    """Return the mean F1 of the classes, unweighted. Shape: (..., classes, classes) -> (...)."""
    return np.asarray(np.nanmean(class_scores(confusion).f1, axis=-1))


def weighted_f1(confusion: Counts) -> Floats:
    """Return the mean F1 of the classes, weighted by their images.

    Shape: (..., classes, classes) -> (...).
    """
    scores = class_scores(confusion)
    weights = scores.support / np.maximum(scores.support.sum(-1, keepdims=True), 1)
    return np.asarray(np.nansum(scores.f1 * weights, axis=-1))


def bootstrap_interval(
    confusion: Counts, score: Callable[[Counts], Floats], *, seed: int = 0
) -> tuple[float, float]:
    """Return the 95% interval of a score, by the percentile bootstrap over images.

    To draw N images with replacement is to draw their cells of the confusion matrix from a
    multinomial distribution, so the images themselves are not needed.

    Args:
        confusion: confusion matrix. Shape: (classes, classes).
        score: function that computes the score of many confusion matrices.
        seed: seed of the resamples.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    total = int(confusion.sum())
    shares = confusion.ravel() / total
    draws = np.random.default_rng(seed).multinomial(total, shares, RESAMPLES)
    scores = score(draws.reshape(RESAMPLES, *confusion.shape))
    low, high = np.percentile(scores, INTERVAL)
    return float(low), float(high)


def class_auc(labels: Labels, probabilities: Floats) -> Floats:
    """Return the area under the one-vs-rest ROC curve of each class.

    The area is the probability that an image of the class scores above an image of another class;
    NaN for a class that has none or all of the images.

    Shape: (N,), (N, classes) -> (classes,).
    """
    once = np.ones((1, len(labels)), np.int64)
    areas: Floats = _weighted_auc(labels, probabilities, once)[0]
    return areas


def macro_auc(labels: Labels, probabilities: Floats) -> float:
    """Return the mean of `class_auc` over the classes that have an area; NaN if none has."""
    areas = class_auc(labels, probabilities)
    return float(np.nanmean(areas)) if np.isfinite(areas).any() else float("nan")


def macro_auc_interval(
    labels: Labels, probabilities: Floats, *, seed: int = 0
) -> tuple[float, float]:
    """Return the 95% interval of `macro_auc`, by the percentile bootstrap over images."""
    count = len(labels)
    if not np.isfinite(class_auc(labels, probabilities)).any():
        return float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    shares = np.full(count, 1 / count)
    areas = np.concatenate(
        [
            _weighted_auc(
                labels, probabilities, generator.multinomial(count, shares, _RESAMPLES_AT_ONCE)
            )
            for _ in range(RESAMPLES // _RESAMPLES_AT_ONCE)
        ]
    )
    # A resample may lack a rare class: its mean is over the other classes, as in macro_auc.
    usable = areas[np.isfinite(areas).any(axis=1)]
    low, high = np.percentile(np.nanmean(usable, axis=1), INTERVAL)
    return float(low), float(high)


def log_loss(labels: Labels, probabilities: Floats) -> float:
    """Return the mean cross-entropy, in nats. Shape: (N,), (N, classes)."""
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(of_label, np.finfo(np.float32).tiny)).mean())


def share_interval(share: Floats, count: Floats | int) -> tuple[Floats, Floats]:
    """Return the 95% interval of shares of independent images.

    Args:
        share: share of the images, 0 to 1. Shape: any.
        count: number of images, of which it is the share; NaN for none. Shape: that of `share`.

    Source: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927.
    """
    z2 = 1.959964**2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = np.sqrt(share * (1 - share) * z2 / count + z2**2 / (4 * count**2)) / (1 + z2 / count)
    return np.asarray(centre - half), np.asarray(centre + half)


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: images in bins of equal width by their highest probability.

    Shape: each (bins,); all but images are NaN for a bin without images.

    Args:
        images: number of images.
        confidence: mean of their highest probabilities.
        accuracy: share of them that are read as labelled.
        low: lower end of the accuracy's 95% interval.
        high: its upper end.
    """

    images: Counts
    confidence: Floats
    accuracy: Floats
    low: Floats
    high: Floats


def reliability(
    labels: Labels, probabilities: Floats, *, bins: int = CALIBRATION_BINS
) -> Reliability:
    """Return the mean confidence and the accuracy of each bin. Shape: (N,), (N, classes)."""
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == labels
    of_bin = np.minimum((confidence * bins).astype(int), bins - 1)
    images = np.bincount(of_bin, minlength=bins)
    filled = np.where(images, images, np.nan)
    accuracy = np.bincount(of_bin, right, minlength=bins) / filled
    return Reliability(
        images,
        np.bincount(of_bin, confidence, minlength=bins) / filled,
        accuracy,
        *share_interval(accuracy, filled),
    )


def calibration_error(
    labels: Labels, probabilities: Floats, *, bins: int = CALIBRATION_BINS
) -> float:
    """Return the expected calibration error: the mean gap between confidence and accuracy.

    Images are grouped into bins of equal width by their highest probability; each bin is weighted
    by its share of the images.

    Shape: (N,), (N, classes).
    Source: Guo et al., On Calibration of Modern Neural Networks, 2017.
    """
    found = reliability(labels, probabilities, bins=bins)
    gaps = np.abs(found.confidence - found.accuracy)
    return float(np.nansum(gaps * found.images) / len(labels))


def mcnemar(ours: Mask, theirs: Mask) -> tuple[int, int, float]:
    """Compare two classifiers on the same images by McNemar's exact test.

    Only images that one classifier reads correctly and the other does not distinguish the two; if
    both were equally good, each of these images would be a fair coin toss.

    Args:
        ours: True for each image that the first classifier reads correctly.
        theirs: True for each image that the second classifier reads correctly.

    Returns:
        The number of images that only the first reads correctly, the number that only the second
        reads correctly, and the two-sided p-value.

    Raises:
        MienError: if scipy is not installed.

    Shape: (N,), (N,).
    Source: McNemar, Note on the Sampling Error of the Difference Between Correlated Proportions or
    Percentages, 1947; deviation: the exact binomial form.
    """
    only_ours, only_theirs = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    if not only_ours + only_theirs:
        return 0, 0, 1.0
    stats = import_scipy("stats", purpose="comparing runs")
    test = stats.binomtest(only_ours, only_ours + only_theirs)
    return only_ours, only_theirs, float(test.pvalue)


def paired_difference(only_ours: int, only_theirs: int, images: int) -> tuple[float, float, float]:
    """Return the difference of two accuracies on the same images, and its 95% interval.

    Args:
        only_ours: number of images that only the first classifier reads correctly.
        only_theirs: number of images that only the second classifier reads correctly.
        images: number of images.

    Returns:
        The first accuracy minus the second, and the low and the high end of the interval.

    Source: Agresti and Min, Simple Improved Confidence Intervals for Comparing Matched Proportions,
    2005: Wald's interval after half an image is added to each cell of the table.
    """
    ours, theirs, total = only_ours + 0.5, only_theirs + 0.5, images + 2
    middle = (ours - theirs) / total
    margin = 1.959964 * math.sqrt(ours + theirs - (ours - theirs) ** 2 / total) / total
    return (only_ours - only_theirs) / images, middle - margin, middle + margin


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for the number of tests, in the given order.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.
    """
    order = np.argsort(p_values, kind="stable")
    left = len(p_values) - np.arange(len(p_values))
    adjusted = np.minimum(np.maximum.accumulate(np.array(p_values)[order] * left), 1)
    result = np.empty(len(p_values))
    result[order] = adjusted
    return [float(value) for value in result]


def _weighted_auc(labels: Labels, probabilities: Floats, weights: Counts) -> Floats:
    """Return the areas of resamples; resample r holds image i ``weights[r, i]`` times.

    Shape: (N,), (N, classes), (R, N) -> (R, classes).
    """
    classes = probabilities.shape[1]
    areas = np.full((len(weights), classes), np.nan)
    for label in range(classes):
        order = np.argsort(probabilities[:, label], kind="stable")
        scores = probabilities[order, label]
        ties = np.concatenate(
            [[0], np.nonzero(np.diff(scores))[0] + 1]
        )  # starts of distinct scores
        sorted_weights = weights[:, order]
        is_class = labels[order] == label
        positive = np.add.reduceat(sorted_weights * is_class, ties, axis=1)
        negative = np.add.reduceat(sorted_weights * ~is_class, ties, axis=1)
        below = np.cumsum(negative, axis=1) - negative
        wins = (positive * (below + negative / 2)).sum(1)  # a tie counts as half a win
        pairs = positive.sum(1) * negative.sum(1)
        areas[:, label] = np.where(pairs > 0, wins / np.maximum(pairs, 1), np.nan)
    return areas


def import_scipy(module: str, *, purpose: str) -> Any:
    """Return a module of scipy, which is not among the dependencies of the core.

    Args:
        module: name of the module, for example ``stats``.
        purpose: purpose of the module, with which the message begins.

    Raises:
        MienError: if scipy is not installed.
    """
    try:
        return importlib.import_module(f"scipy.{module}")
    except ImportError as error:
        raise MienError(f"{purpose} needs scipy: {install_hint('scipy')}") from error
