"""One-vs-rest ROC and precision–recall curves, and the areas under them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.bundle.scores import Record
from mien.evaluation.metrics import Counts, Floats, class_auc, macro_auc
from mien.types import Labels, Mask


class Areas(Record):
    """Areas under the ROC curves and average precisions; None for a class without a curve."""

    roc: dict[str, float | None]
    """Area under the ROC curve of each class."""
    roc_micro: float
    """Area under the ROC curve of all decisions: one for each image and class."""
    roc_macro: float | None
    """Mean area over the classes."""
    precision: dict[str, float | None]
    """Average precision of each class."""
    precision_micro: float
    """Average precision of all decisions."""
    precision_macro: float | None
    """Mean average precision over the classes."""


def measure_areas(labels: Labels, probabilities: Floats, names: Sequence[str]) -> Areas:
    """Return the areas under the curves of each class, with their micro and macro averages.

    Args:
        labels: labels of the images.
        probabilities: probabilities of the images.
        names: names of the classes, in order.

    Shape: (N,), (N, classes); N at least 1.
    """
    roc = class_auc(labels, probabilities)
    precision = np.full(len(names), np.nan)
    for label in np.unique(labels):
        precision[label] = average_precision(
            *precision_recall_curve(labels == label, probabilities[:, label])
        )
    pooled = pool_classes(labels, probabilities)
    false_rate, true_rate = roc_curve(*pooled)
    return Areas(
        roc=dict(zip(names, map(_finite, roc), strict=True)),
        roc_micro=float(np.trapezoid(true_rate, false_rate)),
        roc_macro=_finite(macro_auc(labels, probabilities)),
        precision=dict(zip(names, map(_finite, precision), strict=True)),
        precision_micro=average_precision(*precision_recall_curve(*pooled)),
        precision_macro=_finite(float(np.nanmean(precision))),
    )


def pool_classes(labels: Labels, probabilities: Floats) -> tuple[Mask, Floats]:
    """Return the decisions about each image and class as one list, for the micro-averaged curves.

    Shape: (N,), (N, classes) -> (N * classes,), (N * classes,).
    """
    return (labels[:, None] == np.arange(probabilities.shape[1])).ravel(), probabilities.ravel()


def macro_roc_curve(labels: Labels, probabilities: Floats) -> tuple[Floats, Floats]:
    """Return the macro-averaged ROC curve: false positive rates and mean true positive rates.

    Shape: (N,), (N, classes) -> (T,), (T,); at least one class has some of the images, but not all.
    """
    curves = [
        roc_curve(labels == label, probabilities[:, label])
        for label, area in enumerate(class_auc(labels, probabilities))
        if np.isfinite(area)
    ]
    false_rates = np.unique(np.concatenate([false_rate for false_rate, _ in curves]))
    means = np.mean([np.interp(false_rates, *curve) for curve in curves], axis=0)
    return np.append(0.0, false_rates), np.append(0.0, means)


def roc_curve(positive: Mask, scores: Floats) -> tuple[Floats, Floats]:
    """Return false and true positive rates at every threshold, in descending order of threshold.

    Shape: (N,), (N,) -> (T,), (T,), both from 0 to 1; `positive` has true and false elements.
    """
    true, false = _counts_above(positive, scores)
    return np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])


def precision_recall_curve(positive: Mask, scores: Floats) -> tuple[Floats, Floats]:
    """Return recall and precision at every threshold, in descending order of threshold.

    Shape: (N,), (N,) -> (T,), (T,); `positive` has at least one true element.
    """
    true, false = _counts_above(positive, scores)
    return true / true[-1], true / (true + false)


def average_precision(recall: Floats, precision: Floats) -> float:
    """Return the area under a precision–recall curve, without interpolation."""
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def _counts_above(positive: Mask, scores: Floats) -> tuple[Counts, Counts]:
    """Return the true and false positives at each distinct score, in descending order of score."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.nonzero(np.diff(scores[order]))[0], len(scores) - 1)
    true = np.cumsum(positive[order])[ends]
    return true, 1 + ends - true


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
