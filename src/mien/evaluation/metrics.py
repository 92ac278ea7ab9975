"""Scores of a classifier from its probabilities and the labels. All scores are in [0, 1].

Averages over classes leave out those without an image in the split: nothing is known of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.labels import NUM_CLASSES

RESAMPLES: Final = 1000
CALIBRATION_BINS: Final = 15
_RESAMPLES_AT_ONCE: Final = 50  # bounds the memory that those of the areas take
INTERVAL: Final = (2.5, 97.5)

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClassScores:
    """Scores of each class, of one confusion matrix or of many.

    Shape: every array (..., 7); NaN where a class has no image.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    support: Counts


def confusion_matrix(labels: Labels, predictions: Labels) -> Counts:
    """Count images by label (row) and prediction (column).

    Shape: (N,), (N,) -> (7, 7).
    """
    cells = np.bincount(labels * NUM_CLASSES + predictions, minlength=NUM_CLASSES**2)
    return cells.reshape(NUM_CLASSES, NUM_CLASSES).astype(np.int64)


def class_scores(confusion: Counts) -> ClassScores:
    """Return precision, recall and F1 of each class.

    A class that is never predicted has precision 0; one without images has NaN throughout.

    Shape: (..., 7, 7) -> (..., 7).
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    support, predicted = confusion.sum(-1), confusion.sum(-2)
    absent = support == 0
    precision = np.where(absent, np.nan, hits / np.maximum(predicted, 1))
    recall = np.where(absent, np.nan, hits / np.maximum(support, 1))
    f1 = np.where(absent, np.nan, 2 * hits / np.maximum(support + predicted, 1))
    return ClassScores(precision, recall, f1, support)


def accuracy(confusion: Counts) -> Floats:
    """Return the share of images on the diagonal. Shape: (..., 7, 7) -> (...)."""
    hits = np.trace(confusion, axis1=-2, axis2=-1)
    return np.asarray(hits / np.maximum(confusion.sum((-2, -1)), 1))


def macro_f1(confusion: Counts) -> Floats:
    """Return the mean F1, every class counting the same. Shape: (..., 7, 7) -> (...)."""
    return np.asarray(np.nanmean(class_scores(confusion).f1, axis=-1))


def weighted_f1(confusion: Counts) -> Floats:
    """Return the mean F1, every image counting the same. Shape: (..., 7, 7) -> (...)."""
    scores = class_scores(confusion)
    weights = scores.support / np.maximum(scores.support.sum(-1, keepdims=True), 1)
    return np.asarray(np.nansum(scores.f1 * weights, axis=-1))


def bootstrap_interval(
    confusion: Counts, score: Callable[[Counts], Floats], *, seed: int = 0
) -> tuple[float, float]:
    """Return a score's 95% interval by the percentile bootstrap over images.

    Drawing N images with replacement is drawing their cells of the confusion matrix from a
    multinomial distribution, so no image has to be touched.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    total = int(confusion.sum())
    shares = confusion.ravel() / total
    draws = np.random.default_rng(seed).multinomial(total, shares, RESAMPLES)
    scores = score(draws.reshape(RESAMPLES, NUM_CLASSES, NUM_CLASSES))
    low, high = np.percentile(scores, INTERVAL)
    return float(low), float(high)


def class_auc(labels: Labels, probabilities: Floats) -> Floats:
    """Return each class's area under its one-against-the-rest ROC curve.

    It is the chance that an image of the class scores above one that is not; NaN for a class that
    has no image, or all of them.

    Shape: (N,), (N, 7) -> (7,).
    """
    once = np.ones((1, len(labels)), np.int64)
    areas: Floats = _weighted_auc(labels, probabilities, once)[0]
    return areas


def macro_auc(labels: Labels, probabilities: Floats) -> float:
    """Return the mean of `class_auc` over the classes that have one; NaN if none has."""
    areas = class_auc(labels, probabilities)
    return float(np.nanmean(areas)) if np.isfinite(areas).any() else float("nan")


def macro_auc_interval(
    labels: Labels, probabilities: Floats, *, seed: int = 0
) -> tuple[float, float]:
    """Return `macro_auc`'s 95% interval by the percentile bootstrap over images."""
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
    # A resample may lack a rare class altogether: it is averaged over the others, as above.
    usable = areas[np.isfinite(areas).any(axis=1)]
    low, high = np.percentile(np.nanmean(usable, axis=1), INTERVAL)
    return float(low), float(high)


def log_loss(labels: Labels, probabilities: Floats) -> float:
    """Return the mean cross-entropy in nats. Shape: (N,), (N, 7)."""
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(of_label, np.finfo(np.float32).tiny)).mean())


@dataclass(frozen=True)
class Reliability:
    """Images sorted into bins of equal width by their highest probability.

    Shape: each (bins,); confidence and accuracy are NaN where a bin has no image.
    """

    images: Counts
    confidence: Floats
    accuracy: Floats


def reliability(
    labels: Labels, probabilities: Floats, *, bins: int = CALIBRATION_BINS
) -> Reliability:
    """Return mean confidence and accuracy in each bin of confidence. Shape: (N,), (N, 7)."""
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == labels
    of_bin = np.minimum((confidence * bins).astype(int), bins - 1)
    images = np.bincount(of_bin, minlength=bins)
    filled = np.where(images, images, np.nan)
    return Reliability(
        images,
        np.bincount(of_bin, confidence, minlength=bins) / filled,
        np.bincount(of_bin, right, minlength=bins) / filled,
    )


def calibration_error(
    labels: Labels, probabilities: Floats, *, bins: int = CALIBRATION_BINS
) -> float:
    """Return the expected calibration error: how far confidence is from accuracy, on average.

    Images are sorted into ``bins`` of equal width by the highest probability; a bin counts by its
    share of the images.

    Shape: (N,), (N, 7).
    Source: Guo et al., On Calibration of Modern Neural Networks, 2017.
    """
    found = reliability(labels, probabilities, bins=bins)
    gaps = np.abs(found.confidence - found.accuracy)
    return float(np.nansum(gaps * found.images) / len(labels))


def mcnemar(ours: npt.NDArray[np.bool_], theirs: npt.NDArray[np.bool_]) -> tuple[int, int, float]:
    """Compare two classifiers on the same images by McNemar's exact test.

    Only images that one reads right and the other wrong tell them apart; were they equally good,
    each such image would be a fair coin.

    Args:
        ours: whether each image was read right by the one.
        theirs: by the other.

    Returns:
        How many only the one reads right, how many only the other, and the two-sided p-value.

    Shape: (N,), (N,).
    Source: McNemar, Psychometrika 12, 1947; exact binomial form.
    """
    only_ours, only_theirs = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    discordant, fewer = only_ours + only_theirs, min(only_ours, only_theirs)
    tail = term = 1  # binomial coefficients, each from the one before: 0, 1, … of the fewer kind
    for count in range(fewer):
        term = term * (discordant - count) // (count + 1)
        tail += term
    return only_ours, only_theirs, min(1.0, float(Fraction(2 * tail, 2**discordant)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number, in the order given.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.
    """
    order = np.argsort(p_values, kind="stable")
    left = len(p_values) - np.arange(len(p_values))
    adjusted = np.minimum(np.maximum.accumulate(np.array(p_values)[order] * left), 1)
    result = np.empty(len(p_values))
    result[order] = adjusted
    return [float(value) for value in result]


def _weighted_auc(labels: Labels, probabilities: Floats, weights: Counts) -> Floats:
    """Return areas where image i counts ``weights[r, i]`` times in resample r.

    Shape: (N,), (N, 7), (R, N) -> (R, 7).
    """
    areas = np.full((len(weights), NUM_CLASSES), np.nan)
    for label in range(NUM_CLASSES):
        order = np.argsort(probabilities[:, label], kind="stable")
        scores = probabilities[order, label]
        ties = np.concatenate([[0], np.nonzero(np.diff(scores))[0] + 1])  # where each score starts
        sorted_weights = weights[:, order]
        is_class = labels[order] == label
        positive = np.add.reduceat(sorted_weights * is_class, ties, axis=1)
        negative = np.add.reduceat(sorted_weights * ~is_class, ties, axis=1)
        below = np.cumsum(negative, axis=1) - negative
        wins = (positive * (below + negative / 2)).sum(1)  # a tie is half a win
        pairs = positive.sum(1) * negative.sum(1)
        areas[:, label] = np.where(pairs > 0, wins / np.maximum(pairs, 1), np.nan)
    return areas
