"""Scores with their bootstrap intervals, from confusion matrices and from probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable

from mien.bundle.scores import Score
from mien.evaluation import metrics
from mien.types import Labels

Metric = Callable[[metrics.Counts], metrics.Floats]


def score_of(metric: Metric, confusion: metrics.Counts, seed: int) -> Score:
    """Return a score of a confusion matrix with its interval. Shape: (classes, classes)."""
    low, high = metrics.bootstrap_interval(confusion, metric, seed=seed)
    return Score(value=float(metric(confusion)), low=low, high=high)


def score_of_area(labels: Labels, probabilities: metrics.Floats, seed: int) -> Score:
    """Return the mean area under the ROC curves with its interval. Shape: (N,), (N, classes)."""
    low, high = metrics.macro_auc_interval(labels, probabilities, seed=seed)
    area = metrics.macro_auc(labels, probabilities)
    return Score(value=finite(area), low=finite(low), high=finite(high))


def finite(value: float) -> float | None:
    """Return a number, or None if it is not finite."""
    return float(value) if math.isfinite(value) else None
