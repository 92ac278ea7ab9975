"""A Bundle and a data set's split to an Evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mien.bundle.bundle import Bundle
from mien.data import FaceDataset
from mien.data.duplicates.groups import Mask, Overlap, find_overlap
from mien.errors import DataError
from mien.evaluation import metrics
from mien.evaluation.protocol import Protocol
from mien.evaluation.result import ClassScore, Evaluation, WithoutOverlap
from mien.evaluation.score import Score
from mien.evaluation.scorecard import Scorecard, measure_scorecard
from mien.evaluation.tta import SINGLE, predict_views
from mien.labels import EMOTIONS

_Metric = Callable[[metrics.Counts], metrics.Floats]


class KnownImages(NamedTuple):
    """Which of some images a run knows, pixel for pixel; an image can be in both.

    Args:
        trained_on: the run has trained on it. Shape: (N,).
        chosen_by: it had a say in which weights were kept. Shape: (N,).
    """

    trained_on: Mask
    chosen_by: Mask


def evaluate_bundle(
    bundle: Bundle,
    dataset: FaceDataset,
    split: str,
    *,
    views: str = SINGLE,
    known: KnownImages | None = None,
    scorecard: bool = False,
) -> Evaluation:
    """Return what a Bundle scores on one split of a loaded data set, and leave no trace.

    Args:
        bundle: Bundle that reads the faces.
        dataset: whole data set, so that duplicates of the split's images in train can be counted.
        split: name of the evaluated split.
        views: views of each image whose probabilities are averaged (`mien.evaluation.tta`).
        known: masks of the split's images that the Bundle's run has trained on and was chosen by;
            None where these are not on record.
        scorecard: also measure the four figures beyond the label (`mien.evaluation.scorecard`).

    Raises:
        DataError: if the split has no images.
    """
    faces = dataset.split(split)
    duplicates = None
    if split != "train" and "train" in dataset.split_counts():
        duplicates = find_overlap(faces.images, dataset.train.images)
    probabilities = predict_views(bundle, faces.images, views)
    trained_on = bundle.metadata.data
    same = trained_on.get("fingerprint") == dataset.fingerprint
    protocol = Protocol(
        model=bundle.metadata.name,
        data=dataset.name,
        fingerprint=dataset.fingerprint,
        split=split,
        images=len(faces),
        split_fingerprint=faces.fingerprint,
        split_rule=dataset.split_rule,
        views=views,
        checkpoint=bundle.metadata.checkpoint,
        same_data=same,
        trained_on_split=same and split == "train",
        chosen_on_split=same and split == trained_on.get("chosen_by"),
        skipped=len(dataset.skipped),
        identical_in_train=int(duplicates.identical.sum()) if duplicates else None,
        near_in_train=int(duplicates.near.sum()) if duplicates else None,
        trained_on=int(known.trained_on.sum()) if known else None,
        chosen_by=int(known.chosen_by.sum()) if known else None,
    )
    overlap = _overlap(len(faces), duplicates, known)
    evaluation = evaluate_probabilities(faces.labels, probabilities, protocol, overlap)
    if not scorecard:
        return evaluation
    return evaluation.model_copy(update=_scorecard(bundle, faces, probabilities, protocol))


def evaluate_probabilities(
    labels: metrics.Labels,
    probabilities: metrics.Floats,
    protocol: Protocol,
    overlap: Mask | None = None,
) -> Evaluation:
    """Compute every score from labels and probabilities.

    Args:
        labels: of the images.
        probabilities: that were read in them.
        protocol: how.
        overlap: which images stand elsewhere too; they are left out of ``without_overlap``.

    Shape: labels int64 (N,), probabilities (N, 7), overlap bool (N,); N at least 1.
    """
    confusion = metrics.confusion_matrix(labels, probabilities.argmax(1))
    scores = metrics.class_scores(confusion)
    areas = metrics.class_auc(labels, probabilities)

    def score(of: _Metric) -> Score:
        return _score(of, confusion, protocol.seed)

    low, high = metrics.macro_auc_interval(labels, probabilities, seed=protocol.seed)
    return Evaluation(
        protocol=protocol,
        accuracy=score(metrics.accuracy),
        macro_f1=score(metrics.macro_f1),
        weighted_f1=score(metrics.weighted_f1),
        roc_auc=Score(
            value=_finite(metrics.macro_auc(labels, probabilities)),
            low=_finite(low),
            high=_finite(high),
        ),
        per_class=tuple(
            ClassScore(
                emotion=emotion,
                images=int(scores.support[label]),
                precision=_finite(scores.precision[label]),
                recall=_finite(scores.recall[label]),
                f1=_finite(scores.f1[label]),
                roc_auc=_finite(areas[label]),
            )
            for label, emotion in enumerate(EMOTIONS)
        ),
        confusion=tuple(map(tuple, confusion.tolist())),
        without_overlap=_without(overlap, labels, probabilities, protocol.seed),
        labels=tuple(labels.tolist()),
        probabilities=tuple(map(tuple, probabilities.astype(np.float64).tolist())),
    )


def _overlap(images: int, duplicates: Overlap | None, known: KnownImages | None) -> Mask:
    """Return which of the images stand elsewhere too. Shape: (N,)."""
    overlap = np.zeros(images, bool)
    if duplicates:
        overlap |= duplicates.any
    if known:
        overlap |= known.trained_on
        if not known.chosen_by.all():  # else it is the very split to choose by
            overlap |= known.chosen_by
    return overlap


def _scorecard(
    bundle: Bundle, faces: FaceDataset, probabilities: metrics.Floats, protocol: Protocol
) -> dict[str, Scorecard | str]:
    """Return the four figures, or the reason why there are none, by field of an Evaluation."""
    if protocol.views != SINGLE:
        return {"no_scorecard": "the four figures are measured on a single view of each face"}
    predictions = probabilities.argmax(1)
    try:
        return {
            "scorecard": measure_scorecard(
                bundle, faces, predictions=predictions, seed=protocol.seed
            )
        }
    except DataError as error:
        return {"no_scorecard": str(error)}


def _without(
    overlap: Mask | None, labels: metrics.Labels, probabilities: metrics.Floats, seed: int
) -> WithoutOverlap | None:
    if overlap is None or not overlap.any() or overlap.all():
        return None
    confusion = metrics.confusion_matrix(labels[~overlap], probabilities[~overlap].argmax(1))
    return WithoutOverlap(
        images=int(confusion.sum()),
        accuracy=_score(metrics.accuracy, confusion, seed),
        macro_f1=_score(metrics.macro_f1, confusion, seed),
    )


def _score(of: _Metric, confusion: metrics.Counts, seed: int) -> Score:
    low, high = metrics.bootstrap_interval(confusion, of, seed=seed)
    return Score(value=float(of(confusion)), low=low, high=high)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
