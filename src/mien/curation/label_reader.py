"""Read a data set with a classifier that was not trained on it, to find doubtful labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import Bundle
from mien.data import FaceDataset
from mien.evaluation.evaluate import refuse_other_task
from mien.images.crop import RELEASE_EVERY, CropSpec, to_gray
from mien.io.mapped import release_pages
from mien.io.threads import one_blas_thread
from mien.types import Array, Floats, Images, Integers, Labels, Mask

_FOLDS: Final = 3
_COMPONENTS: Final = 200
_PER_COMPONENT: Final = 3  # images, at least: of as many components as images all are noise
_INVERSE_PENALTY: Final = 0.01  # strong regularization, so that a weak classifier is unsure
_SEED: Final = 0
_MIN_IMAGES: Final = 100
_MOST_FITTED: Final = 50_000  # images of a fold that the classifier is fitted on, drawn at random
_BLOCK: Final = 8192  # images that are read at a time
_SIDE_PX: Final = CropSpec.size_px  # of the gray images that gradients are taken of
_CELL_PX: Final = _SIDE_PX // 6


@dataclass(frozen=True)
class LabelReading:
    """A classifier's probabilities for the images of a data set.

    Args:
        probabilities: probability of each class. Shape: (N, classes).
        read: mask of the images read by a classifier that was not trained on them. Shape: (N,).
        reader: the classifier, in words.
    """

    probabilities: Floats
    read: Mask
    reader: str


def doubt(labels: Labels, probabilities: Array) -> Floats:
    """Return how confidently a classifier contradicts each label; above 0 for doubtful labels.

    The threshold of each class is the mean probability that its own images get. A label is doubtful
    if another class is above its threshold and more probable than the label.

    Shape: labels (N,), probabilities (N, classes) -> (N,).
    Source: Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset
    Labels, 2021: the confident joint, ranked by normalized margin.
    """
    thresholds = np.array(
        [
            probabilities[labels == label, label].mean() if (labels == label).any() else np.inf
            for label in range(probabilities.shape[1])
        ]
    )
    confident = np.where(probabilities >= thresholds, probabilities, -np.inf)
    confident[np.arange(len(labels)), labels] = -np.inf
    given = probabilities[np.arange(len(labels)), labels]
    return np.asarray(np.maximum(confident.max(1, initial=-np.inf) - given, 0))


def read_with_bundle(
    dataset: FaceDataset, bundle: Bundle, trained_on: Mask | None = None
) -> LabelReading | None:
    """Read a data set with a Bundle, except for the images that it was trained on.

    Args:
        dataset: data set to read.
        bundle: Bundle to read it with.
        trained_on: mask of the images that the Bundle was trained on; by default the train split if
            the data set is the Bundle's own, else unknown. Shape: (N,).

    Returns:
        The reading; None if the Bundle was trained on every image.

    Raises:
        DataError: if the Bundle reads other classes or other crops (`refuse_other_task`).
    """
    refuse_other_task(bundle, dataset)
    if trained_on is None and bundle.metadata.data.fingerprint == dataset.fingerprint:
        trained_on = dataset.splits == "train"
    read = np.ones(len(dataset), bool) if trained_on is None else ~trained_on
    if not read.any():
        return None
    unknown = ", which may have been trained on some of them" if trained_on is None else ""
    probabilities = np.zeros((len(dataset), len(dataset.names)))
    for start in range(0, len(dataset), RELEASE_EVERY):
        block = slice(start, start + RELEASE_EVERY)
        probabilities[block] = bundle.predict(dataset.images[block])[1]
        release_pages(dataset.images)
    return LabelReading(probabilities, read, f"the Bundle {bundle.metadata.name}{unknown}")


def read_crosswise(dataset: FaceDataset, groups: Integers) -> LabelReading | None:
    """Read every image with a classifier fitted on the other images.

    The classifier is logistic regression on histograms of oriented gradients. It takes seconds, and
    agrees with about half of FER-2013's labels. Duplicates stay in one fold: otherwise the
    classifier would be fitted on a copy of what it reads. It is fitted on at most 50,000 images,
    and reads the others a block at a time, so that memory stays bounded.

    Args:
        dataset: data set to read, in all its splits.
        groups: group number of each image, the same for duplicates. Shape: (N,).

    Returns:
        The reading; None if there are too few images, classes or groups.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classes = np.unique(dataset.labels)
    if len(dataset) < _MIN_IMAGES or len(classes) < 2 or len(np.unique(groups)) < _FOLDS:
        return None
    images, labels = dataset.images, dataset.labels
    probabilities = np.zeros((len(dataset), len(dataset.names)))
    read = np.zeros(len(dataset), bool)
    random = np.random.default_rng(_SEED)
    folds = GroupKFold(_FOLDS, shuffle=True, random_state=_SEED)
    for fitted, held_out in folds.split(labels, groups=groups):
        if len(fitted) > _MOST_FITTED:
            fitted = random.choice(fitted, _MOST_FITTED, replace=False)
        known = np.unique(labels[fitted])
        if len(known) < 2:
            continue
        classifier = make_pipeline(
            PCA(min(_COMPONENTS, len(fitted) // _PER_COMPONENT), random_state=_SEED),
            StandardScaler(),
            LogisticRegression(C=_INVERSE_PENALTY, max_iter=200),
        )
        with one_blas_thread():
            classifier.fit(_gradients(images, fitted), labels[fitted])
            for start in range(0, len(held_out), _BLOCK):
                rows = held_out[start : start + _BLOCK]
                read_rows = classifier.predict_proba(_gradients(images, rows))
                probabilities[np.ix_(rows, known)] = read_rows
        read[held_out] = np.isin(labels[held_out], known)
    return LabelReading(probabilities, read, "a plain classifier fitted on the other images")


def _gradients(images: Images, rows: Integers) -> npt.NDArray[np.float32]:
    """Return histograms of oriented gradients of some images (Dalal and Triggs, 2005).

    Shape: images (N, side, side) or (N, side, side, 3), rows (n,) -> (n, 900).
    """
    block, cell = (2 * _CELL_PX, 2 * _CELL_PX), (_CELL_PX, _CELL_PX)
    descriptor = cv2.HOGDescriptor((_SIDE_PX, _SIDE_PX), block, cell, cell, 9)
    gradients = np.empty((len(rows), descriptor.getDescriptorSize()), np.float32)
    for at, row in enumerate(rows):
        (image,) = to_gray(images[row : row + 1], _SIDE_PX)
        gradients[at] = descriptor.compute(np.ascontiguousarray(image))
        if at % RELEASE_EVERY == 0:
            release_pages(images)
    return gradients
