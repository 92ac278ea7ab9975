"""Evaluate a Bundle on one split of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mien.bundle.bundle import Bundle
from mien.bundle.scores import NO_TTA, ClassScore, Protocol, WithoutOverlap
from mien.bundle.session import wrong_probabilities
from mien.data import FaceDataset
from mien.data.duplicates.groups import Overlap, find_overlap
from mien.errors import DataError
from mien.evaluation import metrics
from mien.evaluation.describe import describe_labels
from mien.evaluation.result import Evaluation
from mien.evaluation.scorecard import Scorecard, measure_scorecard
from mien.evaluation.scoring import finite, score_of, score_of_area
from mien.evaluation.tta import predict_tta
from mien.types import Labels, Mask

_SEED = 0


class KnownImages(NamedTuple):
    """Masks of the images that a run knows, pixel for pixel; an image can be in both.

    Args:
        trained_on: True for each image that the run was trained on. Shape: (N,).
        chosen_by: True for each image by which the run chose its weights. Shape: (N,).
    """

    trained_on: Mask
    chosen_by: Mask


def evaluate_bundle(
    bundle: Bundle,
    dataset: FaceDataset,
    split: str,
    *,
    tta: str = NO_TTA,
    known: KnownImages | None = None,
    scorecard: bool = False,
) -> Evaluation:
    """Return a Bundle's evaluation on one split of a loaded data set; nothing is logged or kept.

    Args:
        bundle: Bundle that reads the faces.
        dataset: whole data set, so that duplicates of the split's images in train can be counted.
        split: name of the evaluated split.
        tta: test-time augmentation (`mien.evaluation.tta`); by default none.
        known: masks of the split's images that the Bundle's run was trained on and chosen by; None
            if they are not on record.
        scorecard: whether to also measure the four figures beyond the label
            (`mien.evaluation.scorecard`).

    Raises:
        DataError: if the split has no images, or the data set has other labels or crops than the
            Bundle.
        MienError: if there is no such test-time augmentation.
    """
    refuse_other_task(bundle, dataset)
    faces = dataset.split(split)
    duplicates = None
    if split != "train" and "train" in dataset.split_counts():
        duplicates = find_overlap(faces.images, dataset.train.images, exact_only=dataset.drawn)
    probabilities = predict_tta(bundle, faces.images, tta)
    trained_on = bundle.metadata.data
    same = trained_on.fingerprint == dataset.fingerprint
    protocol = Protocol(
        model=bundle.metadata.name,
        data=dataset.name,
        fingerprint=dataset.fingerprint,
        split=split,
        images=len(faces),
        split_fingerprint=faces.fingerprint,
        split_rule=dataset.split_rule,
        tta=tta,
        checkpoint=bundle.metadata.checkpoint,
        same_data=same,
        trained_on_split=same and split == "train",
        chosen_on_split=same and split == trained_on.chosen_by,
        skipped=len(dataset.skipped),
        identical_in_train=int(duplicates.exact.sum()) if duplicates else None,
        near_in_train=int(duplicates.near.sum()) if duplicates and not dataset.drawn else None,
        trained_on=int(known.trained_on.sum()) if known else None,
        chosen_by=int(known.chosen_by.sum()) if known else None,
        resamples=metrics.RESAMPLES,
        seed=_SEED,
    )
    overlap = _overlap(len(faces), duplicates, known)
    evaluation = evaluate_probabilities(
        faces.labels, probabilities, protocol, names=bundle.labels, overlap=overlap
    )
    if not scorecard:
        return evaluation
    return evaluation.model_copy(update=_scorecard(bundle, faces, probabilities, protocol))


def refuse_other_task(bundle: Bundle, dataset: FaceDataset) -> None:
    """Raise a DataError if a data set has other labels or crops than a Bundle."""
    name = bundle.metadata.name
    if dataset.names != bundle.labels:
        raise DataError(
            f"{dataset.name}: its labels are {describe_labels(dataset.names)}, but {name} tells "
            f"{describe_labels(bundle.labels)} apart; load it with the labels of {name}"
        )
    if dataset.crop != bundle.crop:
        raise DataError(
            f"{dataset.name}: its crops are {dataset.crop}, but {name} reads {bundle.crop}; load "
            f"it with size_px={bundle.crop.size_px} and channels={bundle.crop.channels} (--size, "
            "--channels)"
        )


def evaluate_probabilities(
    labels: Labels,
    probabilities: metrics.Floats,
    protocol: Protocol,
    *,
    names: Sequence[str],
    overlap: Mask | None = None,
) -> Evaluation:
    """Return the evaluation of given probabilities: every score, with its interval.

    Args:
        labels: labels of the images.
        probabilities: probabilities that were read in the images.
        protocol: protocol of the measurement.
        names: names of the classes, in order.
        overlap: mask of the images that `without_overlap` excludes; None for none.

    Raises:
        DataError: if the probabilities of an image are not finite, or do not add up to 1.

    Shape: labels (N,), probabilities (N, classes), overlap (N,); N at least 1.
    """
    wrong = wrong_probabilities(probabilities)
    if wrong:
        raise DataError(f"{protocol.model}: {wrong}, so it cannot be scored")
    confusion = metrics.confusion_matrix(labels, probabilities.argmax(1), len(names))
    scores = metrics.class_scores(confusion)
    areas = metrics.class_auc(labels, probabilities)
    return Evaluation(
        protocol=protocol,
        accuracy=score_of(metrics.accuracy, confusion, protocol.seed),
        macro_f1=score_of(metrics.macro_f1, confusion, protocol.seed),
        weighted_f1=score_of(metrics.weighted_f1, confusion, protocol.seed),
        roc_auc=score_of_area(labels, probabilities, protocol.seed),
        per_class=tuple(
            ClassScore(
                emotion=name,
                images=int(scores.support[label]),
                precision=finite(scores.precision[label]),
                recall=finite(scores.recall[label]),
                f1=finite(scores.f1[label]),
                roc_auc=finite(areas[label]),
            )
            for label, name in enumerate(names)
        ),
        confusion=tuple(map(tuple, confusion.tolist())),
        without_overlap=_without(overlap, labels, probabilities, protocol.seed),
        labels=tuple(labels.tolist()),
        probabilities=tuple(map(tuple, probabilities.astype(np.float64).tolist())),
    )


def _overlap(images: int, duplicates: Overlap | None, known: KnownImages | None) -> Mask:
    """Return which images have a duplicate in train or are known to the run. Shape: (N,)."""
    overlap = np.zeros(images, bool)
    if duplicates:
        overlap |= duplicates.any
    if known:
        overlap |= known.trained_on
        if not known.chosen_by.all():  # otherwise the whole split chose the weights
            overlap |= known.chosen_by
    return overlap


def _scorecard(
    bundle: Bundle, faces: FaceDataset, probabilities: metrics.Floats, protocol: Protocol
) -> dict[str, Scorecard | str]:
    """Return the fields of the scorecard, or the reason why there is none."""
    if protocol.tta != NO_TTA:
        return {"no_scorecard": "the four figures are measured without test-time augmentation"}
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
    overlap: Mask | None, labels: Labels, probabilities: metrics.Floats, seed: int
) -> WithoutOverlap | None:
    if overlap is None or not overlap.any() or overlap.all():
        return None
    rest = probabilities[~overlap]
    confusion = metrics.confusion_matrix(labels[~overlap], rest.argmax(1), rest.shape[1])
    return WithoutOverlap(
        images=int(confusion.sum()),
        accuracy=score_of(metrics.accuracy, confusion, seed),
        macro_f1=score_of(metrics.macro_f1, confusion, seed),
    )
