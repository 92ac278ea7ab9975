"""Scorecard: four figures that say how a Bundle reads beyond the labels of its data set.

FER-2013's label agrees with the FER+ majority for 65% of its faces, so accuracy alone says little
about other people's faces. Beside it stand the agreement with that majority, the accuracy on
corrupted faces, and the share of answers that survive changes which leave the expression as it is.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import Bundle
from mien.data import FaceDataset
from mien.data.votes import NO_MAJORITY, majority_labels
from mien.errors import DataError
from mien.evaluation import metrics
from mien.evaluation.protocol import Record
from mien.evaluation.robustness import Robustness, draw_faces, read_changed, summarize
from mien.evaluation.score import Score
from mien.images.crop import SIZE_PX

FACES: Final = 500  # drawn from a split; 57 changed copies of each are read
CROP_SIDES: Final = (1.1, 0.9)  # sides of the crop, relative to the face's own: wider, tighter
SHIFT_PX: Final = 3

_Images = npt.NDArray[np.uint8]
_Hits = npt.NDArray[np.int64]


class Figure(Score):
    """A score with its 95% bootstrap interval, and the number of faces it was measured on."""

    value: float
    low: float
    high: float
    images: int


class Scorecard(Record):
    """How a Bundle reads beyond the labels of its data set.

    Args:
        label_agreement: accuracy on all faces of the split.
        votes_agreement: share of answers that are the FER+ majority (`votes.majority_labels`), on
            the faces that have one.
        corruption_accuracy: mean accuracy over the ten changes at five strengths of
            `mien.evaluation.robustness`, on drawn faces.
        consistency: mean of the three shares below.
        survives_mirror: share of answers that stay the same when the drawn faces are mirrored.
        survives_crop: the same for crops that are 10% wider and 10% tighter, averaged.
        survives_shift: the same for shifts of 3 px to the left, right, top and bottom, averaged.
        mean: mean of the four figures: label_agreement, votes_agreement, corruption_accuracy and
            consistency.
        robustness: accuracy of each change at each strength, on the same drawn faces.
        seed: seed of the draw, of the noise in the changes, and of the bootstrap.
    """

    label_agreement: Figure
    votes_agreement: Figure
    corruption_accuracy: Figure
    consistency: Figure
    survives_mirror: Figure
    survives_crop: Figure
    survives_shift: Figure
    mean: float
    robustness: Robustness
    seed: int

    def four(self) -> dict[str, Figure]:
        """Return the four figures by name, in their order."""
        names = ("label_agreement", "votes_agreement", "corruption_accuracy", "consistency")
        return {name: getattr(self, name) for name in names}


def measure_scorecard(
    bundle: Bundle,
    faces: FaceDataset,
    *,
    predictions: metrics.Labels | None = None,
    seed: int = 0,
) -> Scorecard:
    """Return the four figures of a Bundle.

    Args:
        bundle: the Bundle to measure.
        faces: the faces of one split, with FER+ votes.
        predictions: answers of the Bundle to these faces, where they have been read already.
        seed: seed of the draw, of the noise in the changes, and of the bootstrap.

    Raises:
        DataError: if no face has FER+ votes, or none has a majority among the seven emotions.
    """
    if faces.votes is None or not faces.votes.any():
        raise DataError(
            f"{faces.name}: no face of this split has FER+ votes, "
            "expected a Parquet file with the column ferplus"
        )
    majorities = majority_labels(faces.votes)
    voted = majorities != NO_MAJORITY
    if not voted.any():
        raise DataError(
            f"{faces.name}: no face of this split has a FER+ majority among the seven emotions"
        )
    if predictions is None:
        predictions = _answers(bundle, faces.images)

    rows = draw_faces(len(faces), FACES, seed=seed)
    drawn, labels, answers = faces.images[rows], faces.labels[rows], predictions[rows]
    changed = read_changed(bundle, drawn, labels, seed=seed)
    right = np.concatenate(list(changed.values()))  # (50, faces)
    mirror = _surviving(bundle, [drawn[:, :, ::-1]], answers)
    crop = _surviving(bundle, [_crop(drawn, side) for side in CROP_SIDES], answers)
    shift = _surviving(bundle, _shifts(drawn), answers)

    label_agreement = _agreement(faces.labels, predictions, seed)
    votes_agreement = _agreement(majorities[voted], predictions[voted], seed)
    corruption_accuracy = _mean_share(right.sum(0), len(right), seed)
    # Twelfths of a face: each kind counts for four of them, whatever its number of members.
    consistency = _mean_share(4 * mirror + 2 * crop + shift, 12, seed)
    four = (label_agreement, votes_agreement, corruption_accuracy, consistency)
    return Scorecard(
        label_agreement=label_agreement,
        votes_agreement=votes_agreement,
        corruption_accuracy=corruption_accuracy,
        consistency=consistency,
        survives_mirror=_mean_share(mirror, 1, seed),
        survives_crop=_mean_share(crop, 2, seed),
        survives_shift=_mean_share(shift, 4, seed),
        mean=float(np.mean([figure.value for figure in four])),
        robustness=summarize(changed, clean=answers == labels, seed=seed),
        seed=seed,
    )


def _answers(bundle: Bundle, images: _Images) -> metrics.Labels:
    return np.asarray(bundle.predict(images)[1].argmax(1))


def _agreement(labels: metrics.Labels, predictions: metrics.Labels, seed: int) -> Figure:
    confusion = metrics.confusion_matrix(labels, predictions)
    low, high = metrics.bootstrap_interval(confusion, metrics.accuracy, seed=seed)
    value = float(metrics.accuracy(confusion))
    return Figure(value=value, low=low, high=high, images=len(labels))


def _mean_share(hits: _Hits, most: int, seed: int) -> Figure:
    """Return the mean share of hits, its interval by the percentile bootstrap over faces.

    A face's copies are read alike, so whole faces are drawn and not single copies. The sums are of
    whole numbers, so that where all faces are alike the interval is the value to the last bit.

    Shape: hits (N,), each 0 to `most`.
    """
    count = len(hits)
    generator = np.random.default_rng(seed)
    draws = generator.multinomial(count, np.full(count, 1 / count), metrics.RESAMPLES)
    low, high = np.percentile(draws @ hits / (count * most), metrics.INTERVAL)
    value = float(hits.sum() / (count * most))
    return Figure(value=value, low=float(low), high=float(high), images=count)


def _surviving(bundle: Bundle, changed: list[_Images], answers: metrics.Labels) -> _Hits:
    """Return how many changed copies of each face are answered as the face itself. Shape: (N,)."""
    same = [_answers(bundle, images) == answers for images in changed]
    return np.asarray(np.sum(same, axis=0, dtype=np.int64))


def _crop(images: _Images, side: float) -> _Images:
    """Return the faces as a crop about the same centre would show them, brought back to 48 px."""
    centre = (SIZE_PX - 1) / 2
    scale = 1 / side
    offset = centre * (1 - scale)
    return _warp(images, np.array([[scale, 0, offset], [0, scale, offset]]))


def _shifts(images: _Images) -> list[_Images]:
    """Return the faces shifted to the left, right, top and bottom."""
    moves = ((-SHIFT_PX, 0), (SHIFT_PX, 0), (0, -SHIFT_PX), (0, SHIFT_PX))
    return [_warp(images, np.array([[1.0, 0, x], [0, 1, y]])) for x, y in moves]


def _warp(images: _Images, matrix: npt.NDArray[np.float64]) -> _Images:
    warped = [
        cv2.warpAffine(
            image,
            matrix,
            (SIZE_PX, SIZE_PX),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        for image in images
    ]
    return np.stack([np.asarray(image, np.uint8) for image in warped])
