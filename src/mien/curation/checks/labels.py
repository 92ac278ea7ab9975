"""Labels that are likely wrong: against FER+ votes, or against what a network reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import Bundle
from mien.curation.findings import Finding, Item, refer
from mien.data import FaceDataset
from mien.data.duplicates.groups import Mask
from mien.data.votes import find_majorities, labels_of, measure_agreement, name_an_expression
from mien.images.crop import SIZE_PX
from mien.labels import EMOTIONS, FERPLUS_VOTES, NUM_CLASSES

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

_FOLDS: Final = 3
_COMPONENTS: Final = 200
_STRENGTH: Final = 0.01  # inverse of the penalty: sure of little, as a weak reader should be
_SEED: Final = 0
_ENOUGH: Final = 100  # images: fewer train no reader

_NOISE_WHY: Final = (
    "What is labelled wrong is learnt wrong, and on test it counts right answers as wrong."
)


@dataclass(frozen=True)
class Reading:
    """What reads the images, for the sake of their labels.

    Args:
        probabilities: of each emotion. Shape: (N, 7).
        read: which images were read by something that had not learnt them. Shape: (N,).
        reader: in words.
    """

    probabilities: Floats
    read: npt.NDArray[np.bool_]
    reader: str


def check_votes(dataset: FaceDataset) -> list[Finding]:
    """Return how far labels and FER+ votes disagree; nothing where there are no votes."""
    if dataset.votes is None or not dataset.votes.any():
        return []
    majorities = find_majorities(dataset.votes)
    names = np.array([*FERPLUS_VOTES, ""])[majorities]
    found = []
    (no_face,) = np.nonzero(names == "NF")
    if len(no_face):
        found.append(
            Finding(
                check="voted-no-face",
                severity="warning",
                title=f"{len(no_face):,} {'image was' if len(no_face) == 1 else 'images were'} "
                "voted not a face",
                count=len(no_face),
                why="No expression can be learnt from them, and none be right about them.",
                what_to_do="Look at them and drop them.",
                items=tuple(Item(images=refer(dataset, [row])) for row in no_face),
            )
        )
    agreement = measure_agreement(dataset.votes, dataset.labels)
    assert agreement is not None  # there are votes
    overall = agreement.overall
    if not overall.compared or overall.agreeing == overall.compared:
        return found
    rows = _against_votes(dataset.votes, dataset.labels)
    figures: dict[str, int | float | str] = {
        "compared": overall.compared,
        "agree": round(overall.agreeing / overall.compared, 4),
    }
    for emotion, one in agreement.by_label.items():
        if one.share is not None:
            figures[f"agree: {emotion}"] = round(one.share, 4)
    found.append(
        Finding(
            check="label-noise",
            severity="warning",
            title=f"{overall.compared - overall.agreeing:,} of {overall.compared:,} labels are not "
            "what most of ten voters said",
            count=overall.compared - overall.agreeing,
            why=_NOISE_WHY,
            what_to_do="Train on the votes, or judge by images whose votes agree.",
            figures=figures,
            items=tuple(
                Item(
                    images=refer(dataset, [row]),
                    note=f"{dataset.votes[row].max()} of {dataset.votes[row].sum()} voted "
                    f"{names[row]}",
                )
                for row in rows
            ),
        )
    )
    return found


def check_reading(dataset: FaceDataset, reading: Reading) -> list[Finding]:
    """Return the labels that a reader doubts, by confident learning."""
    doubts = np.zeros(len(dataset))
    read = reading.read
    doubts[read] = doubt(dataset.labels[read], reading.probabilities[read])
    (rows,) = np.nonzero(doubts > 0)
    if len(rows) == 0:
        return []
    right = reading.probabilities[read].argmax(1) == dataset.labels[read]
    rows = rows[np.argsort(-doubts[rows], kind="stable")]
    guesses = reading.probabilities.argmax(1)
    return [
        Finding(
            check="label-noise",
            severity="warning",
            title=f"{len(rows):,} of {int(read.sum()):,} labels are doubted by {reading.reader}",
            count=len(rows),
            why=_NOISE_WHY,
            what_to_do="Look at the surest ones; the reader is often wrong itself, so let people "
            "decide. Train with label smoothing, or leave the surest out.",
            figures={
                "reader's accuracy": round(float(right.mean()), 4),
                "read": int(read.sum()),
            },
            items=tuple(
                Item(
                    images=refer(dataset, [row]),
                    note=f"read as {EMOTIONS[guesses[row]]} "
                    f"{reading.probabilities[row, guesses[row]]:.2f}, as labelled "
                    f"{reading.probabilities[row, dataset.labels[row]]:.2f}",
                )
                for row in rows
            ),
        )
    ]


def doubt(labels: Labels, probabilities: Floats) -> Floats:
    """Return how sure a reader is that a label is another: above 0 for those to look at.

    Each class has its own threshold, the mean probability that its own images get. A label is
    doubted if another class is above its threshold and read as likelier than the label.

    Shape: labels (N,), probabilities (N, 7) -> (N,).
    Source: Northcutt, Jiang and Chuang, "Confident Learning", 2021, the confident joint; ranked by
    normalised margin.
    """
    thresholds = np.array(
        [
            probabilities[labels == label, label].mean() if (labels == label).any() else np.inf
            for label in range(NUM_CLASSES)
        ]
    )
    confident = np.where(probabilities >= thresholds, probabilities, -np.inf)
    confident[np.arange(len(labels)), labels] = -np.inf
    given = probabilities[np.arange(len(labels)), labels]
    return np.asarray(np.maximum(confident.max(1, initial=-np.inf) - given, 0))


def read_with_bundle(
    dataset: FaceDataset, bundle: Bundle, learnt: Mask | None = None
) -> Reading | None:
    """Read a data set with a trained Bundle, all but what it is known to have learnt.

    Args:
        dataset: any.
        bundle: that reads.
        learnt: which images it was trained on, where its run says so; else these are the train
            split of the data set that it names as its own. Shape: (N,).

    Returns:
        None where it has learnt every image.
    """
    if learnt is None and bundle.metadata.data.get("fingerprint") == dataset.fingerprint:
        learnt = dataset.splits == "train"
    read = np.ones(len(dataset), bool) if learnt is None else ~learnt
    if not read.any():
        return None
    about = ", which may have learnt some of them" if learnt is None else ""
    _, probabilities = bundle.predict(dataset.images)
    return Reading(
        probabilities.astype(np.float64), read, f"the Bundle {bundle.metadata.name}{about}"
    )


def read_crosswise(dataset: FaceDataset, groups: Labels) -> Reading | None:
    """Read every image by a classifier that was fitted on the others; None where that cannot be.

    The classifier is a plain one, logistic regression on histograms of gradients: it takes seconds,
    and reads about half of FER-2013 as labelled. Duplicates stay in one fold, else it would know
    them.

    Args:
        dataset: all of it, whatever its splits.
        groups: a number for each image, the same for duplicates.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classes = np.unique(dataset.labels)
    if len(dataset) < _ENOUGH or len(classes) < 2 or len(np.unique(groups)) < _FOLDS:
        return None
    features = _gradients(dataset.images)
    probabilities = np.zeros((len(dataset), NUM_CLASSES))
    read = np.zeros(len(dataset), bool)
    folds = GroupKFold(_FOLDS, shuffle=True, random_state=_SEED)
    for fitted, held_out in folds.split(features, dataset.labels, groups):
        known = np.unique(dataset.labels[fitted])
        if len(known) < 2:
            continue
        classifier = make_pipeline(
            PCA(min(_COMPONENTS, len(fitted), features.shape[1]), random_state=_SEED),
            StandardScaler(),
            LogisticRegression(C=_STRENGTH, max_iter=200),
        ).fit(features[fitted], dataset.labels[fitted])
        probabilities[np.ix_(held_out, known)] = classifier.predict_proba(features[held_out])
        read[held_out] = np.isin(dataset.labels[held_out], known)
    return Reading(probabilities, read, "a plain classifier fitted on the others")


def _against_votes(votes: npt.NDArray[np.int8], labels: Labels) -> npt.NDArray[np.intp]:
    """Return images whose majority is another expression than the label, the clearest first."""
    majorities = find_majorities(votes)
    (rows,) = np.nonzero(name_an_expression(majorities) & (labels_of(majorities) != labels))
    share = votes.max(1) / np.maximum(votes.sum(1, dtype=np.int64), 1)
    return rows[np.argsort(-share[rows], kind="stable")]


def _gradients(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return histograms of oriented gradients (Dalal and Triggs, 2005). Shape: -> (N, 900)."""
    cell = SIZE_PX // 6
    descriptor = cv2.HOGDescriptor(
        (SIZE_PX, SIZE_PX), (2 * cell, 2 * cell), (cell, cell), (cell, cell), 9
    )
    return np.stack([descriptor.compute(np.ascontiguousarray(image)) for image in images])
