"""Scorecard: four figures that measure a Bundle beyond the labels of its data set.

The labels of FER-2013 agree with the FER+ majority for 65% of the faces, so accuracy alone says
little about other faces. The scorecard adds the agreement with that majority, the accuracy on
corrupted faces, and the share of answers that stay the same under changes that keep the expression.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from mien.bundle.bundle import Bundle
from mien.bundle.scores import Record, Score
from mien.data import FaceDataset
from mien.data.votes import NO_MAJORITY, majority_labels
from mien.errors import DataError
from mien.evaluation import metrics
from mien.evaluation.robustness import Robustness, draw_faces, read_changed, summarize
from mien.images.crop import DEFAULT_CROP
from mien.labels import FER2013
from mien.types import Array, Images, Labels

FACES: Final = 500  # number of faces drawn from a split; 57 changed copies of each are read
CROP_SIDES: Final = (1.1, 0.9)  # side of the wider and the tighter crop, relative to the original
SHIFT_SHARE: Final = 3 / DEFAULT_CROP.size_px  # of the crop's side: 3 px of FER-2013's

_Hits = metrics.Counts  # (N,), number of changed copies of each face that are read correctly


class Figure(Score):
    """A score that can always be computed, with the number of faces behind it."""

    value: float
    low: float
    high: float
    images: int
    """Number of faces that the score was measured on."""


class Scorecard(Record):
    """Four figures beyond the labels of a data set, and the parts of the fourth."""

    label_agreement: Figure
    """Accuracy on all faces of the split."""
    votes_agreement: Figure
    """Share of answers that equal the FER+ majority, on the faces that have one."""
    corruption_accuracy: Figure
    """Mean accuracy over the ten corruptions at five strengths of `mien.evaluation.robustness`, on
    drawn faces."""
    consistency: Figure
    """Mean of the three shares below."""
    survives_mirror: Figure
    """Share of answers that stay the same when the drawn faces are mirrored."""
    survives_crop: Figure
    """Share of answers that stay the same for crops 10% wider and 10% tighter, averaged."""
    survives_shift: Figure
    """Share of answers that stay the same for shifts by a sixteenth of the side in four directions,
    averaged."""
    mean: float
    """Mean of the four figures."""
    robustness: Robustness
    """Accuracy under each corruption at each strength, on the same drawn faces."""
    seed: int
    """Seed of the draw, of the noise in the corruptions, and of the bootstrap."""

    def four(self) -> dict[str, Figure]:
        """Return the four figures by name, in their fixed order."""
        names = ("label_agreement", "votes_agreement", "corruption_accuracy", "consistency")
        return {name: getattr(self, name) for name in names}


def measure_scorecard(
    bundle: Bundle,
    faces: FaceDataset,
    *,
    predictions: Labels | None = None,
    seed: int = 0,
) -> Scorecard:
    """Return the scorecard of a Bundle.

    Args:
        bundle: Bundle to measure.
        faces: faces of one split, with FER+ votes.
        predictions: answers of the Bundle to these faces, if they have been read already.
        seed: seed of the draw, of the noise in the corruptions, and of the bootstrap.

    Raises:
        DataError: if the labels are not FER-2013's, no face has FER+ votes, or none has a majority
            among FER-2013's labels.
    """
    if faces.label_set != FER2013:
        raise DataError(
            f"{faces.name}: its labels are not FER-2013's, which the FER+ votes are compared with"
        )
    if faces.votes is None or not faces.has_votes:
        raise DataError(
            f"{faces.name}: no face of this split has FER+ votes, "
            "expected a Parquet file with the column ferplus"
        )
    majorities = majority_labels(faces.votes)
    voted = majorities != NO_MAJORITY
    if not voted.any():
        raise DataError(f"{faces.name}: no face of this split has a FER+ majority among the labels")
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
    # In twelfths of a face: each of the three kinds counts for four, however many copies it has.
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
        robustness=summarize(changed, clean=answers == labels, side_px=drawn.shape[1], seed=seed),
        seed=seed,
    )


def _answers(bundle: Bundle, images: Images) -> Labels:
    return np.asarray(bundle.predict(images)[1].argmax(1))


def _agreement(labels: Labels, predictions: Labels, seed: int) -> Figure:
    confusion = metrics.confusion_matrix(labels, predictions, len(FER2013))
    low, high = metrics.bootstrap_interval(confusion, metrics.accuracy, seed=seed)
    value = float(metrics.accuracy(confusion))
    return Figure(value=value, low=low, high=high, images=len(labels))


def _mean_share(hits: _Hits, most: int, seed: int) -> Figure:
    """Return the mean share of hits, with its interval by the percentile bootstrap over faces.

    Answers to copies of one face are correlated, so faces are drawn, not copies. Sums are of whole
    numbers, so that if all faces are alike, the interval equals the value to the last bit.

    Args:
        hits: number of copies of each face that are hits. Shape: (N,).
        most: number of copies of each face.
        seed: seed of the bootstrap.
    """
    count = len(hits)
    generator = np.random.default_rng(seed)
    draws = generator.multinomial(count, np.full(count, 1 / count), metrics.RESAMPLES)
    low, high = np.percentile(draws @ hits / (count * most), metrics.INTERVAL)
    value = float(hits.sum() / (count * most))
    return Figure(value=value, low=float(low), high=float(high), images=count)


def _surviving(bundle: Bundle, changed: list[Images], answers: Labels) -> _Hits:
    """Return the number of changed copies of each face with the same answer. Shape: (N,)."""
    same = [_answers(bundle, images) == answers for images in changed]
    return np.asarray(np.sum(same, axis=0, dtype=np.int64))


def _crop(images: Images, side: float) -> Images:
    """Return the faces as a wider or tighter crop around the same centre, at the same size."""
    centre = (images.shape[1] - 1) / 2
    scale = 1 / side
    offset = centre * (1 - scale)
    return _warp(images, np.array([[scale, 0, offset], [0, scale, offset]]))


def _shifts(images: Images) -> list[Images]:
    """Return the faces shifted to the left, right, top and bottom."""
    far = SHIFT_SHARE * images.shape[1]
    moves = ((-far, 0), (far, 0), (0, -far), (0, far))
    return [_warp(images, np.array([[1.0, 0, x], [0, 1, y]])) for x, y in moves]


def _warp(images: Images, matrix: Array) -> Images:
    warped = [
        cv2.warpAffine(
            image,
            matrix,
            image.shape[:2],
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        for image in images
    ]
    return np.stack([np.asarray(image, np.uint8) for image in warped])
