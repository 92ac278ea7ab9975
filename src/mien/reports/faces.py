"""Faces for a page: which ones, what they are labelled and what was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from mien.curation.checks.labels import doubt
from mien.data import FaceDataset
from mien.data.votes import find_majorities, labels_of
from mien.evaluation import Evaluation
from mien.evaluation.result import Confused
from mien.labels import EMOTIONS
from mien.models import to_unit
from mien.recipes import Recipe
from mien.reports.pages import to_png
from mien.training.augment import Augmentation

_SAMPLES: Final = 24
_MISTAKES: Final = 12
_CONFUSED: Final = 6
_AUGMENTED_OF_EACH: Final = 4
_SEED: Final = 0


@dataclass(frozen=True)
class Sample:
    """One face: what it is labelled and what was read."""

    png: str
    label: str
    emotion: str
    probability: float

    @property
    def right(self) -> bool:
        """Whether label and reading agree."""
        return self.label == self.emotion


@dataclass(frozen=True)
class Doubts:
    """Labels that may be wrong.

    Args:
        images: how many are doubted.
        samples: the surest of them.
        mistakes_voted: on how many of the network's mistakes most FER+ voters named one of the
            seven emotions; None without votes.
        voters_agree: on how many of these they named what the network read.
    """

    images: int
    samples: list[Sample]
    mistakes_voted: int | None
    voters_agree: int | None


@dataclass(frozen=True)
class Augmented:
    """A training face, and what a recipe's augmentation makes of it."""

    label: str
    png: str
    changed: tuple[str, ...]


def draw_sample(dataset: FaceDataset, evaluation: Evaluation) -> list[Sample]:
    """Draw faces of the measured split by chance, so that they show the score as it is."""
    generator = np.random.default_rng(_SEED)
    rows = generator.permutation(evaluation.protocol.images)[:_SAMPLES]
    return _as_samples(dataset, evaluation, rows.tolist())


def most_confident_mistakes(dataset: FaceDataset, evaluation: Evaluation) -> list[Sample]:
    """Return the faces read otherwise than labelled, the surest first."""
    confidence = np.where(evaluation.right(), -1.0, np.array(evaluation.probabilities).max(1))
    rows = np.argsort(-confidence, kind="stable")[:_MISTAKES]
    return _as_samples(dataset, evaluation, [row for row in rows.tolist() if confidence[row] >= 0])


def least_certain_right(dataset: FaceDataset, evaluation: Evaluation) -> list[Sample]:
    """Return the faces read as labelled, the least sure first."""
    confidence = np.where(evaluation.right(), np.array(evaluation.probabilities).max(1), np.inf)
    rows = np.argsort(confidence, kind="stable")[:_MISTAKES]
    return _as_samples(
        dataset, evaluation, [row for row in rows.tolist() if np.isfinite(confidence[row])]
    )


def confused_examples(dataset: FaceDataset, evaluation: Evaluation, pair: Confused) -> list[Sample]:
    """Return faces with the label of a pair that were read as its other emotion, surest first."""
    probabilities = np.array(evaluation.probabilities)
    label, read = EMOTIONS.index(pair.label), EMOTIONS.index(pair.read)
    (rows,) = np.nonzero((np.array(evaluation.labels) == label) & (probabilities.argmax(1) == read))
    rows = rows[np.argsort(-probabilities[rows, read], kind="stable")]
    return _as_samples(dataset, evaluation, rows[:_CONFUSED].tolist())


def doubt_labels(dataset: FaceDataset, evaluation: Evaluation) -> Doubts:
    """Return the labels of the measured split that the network doubts, by confident learning.

    Where there are FER+ votes, they are asked about every mistake.
    """
    labels, probabilities = np.array(evaluation.labels), np.array(evaluation.probabilities)
    doubts = doubt(labels, probabilities)
    rows = [row for row in np.argsort(-doubts, kind="stable").tolist() if doubts[row] > 0]
    mistakes = ~evaluation.right()
    votes = dataset.split(evaluation.protocol.split).votes
    compared = sided = None
    if votes is not None and votes.any():
        majorities = labels_of(find_majorities(votes))
        known = mistakes & (majorities >= 0)
        compared = int(known.sum())
        sided = int((known & (majorities == probabilities.argmax(1))).sum())
    return Doubts(
        images=len(rows),
        samples=_as_samples(dataset, evaluation, rows[:_MISTAKES]),
        mistakes_voted=compared,
        voters_agree=sided,
    )


def augment_examples(dataset: FaceDataset, recipe: Recipe) -> list[Augmented]:
    """Return a training face of each of three emotions and what augmentation makes of it.

    Nothing where the recipe augments nothing, or the data set has no train split.
    """
    augmentation = Augmentation(recipe.augment)
    if len(augmentation) == 0 or "train" not in dataset.split_counts():
        return []
    train = dataset.train
    examples = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        for emotion in ("fear", "happy", "surprise"):
            rows = np.nonzero(train.labels == EMOTIONS.index(emotion))[0]
            if len(rows) == 0:
                continue
            image = train.images[rows[0]]
            batch = torch.from_numpy(np.stack([image] * _AUGMENTED_OF_EACH))
            changed = (augmentation(to_unit(batch)).clamp(0, 1) * 255).round().byte()
            pngs = tuple(to_png(one) for one in changed.squeeze(1).numpy())
            examples.append(Augmented(emotion, to_png(image), pngs))
    return examples


def _as_samples(dataset: FaceDataset, evaluation: Evaluation, rows: list[int]) -> list[Sample]:
    faces = dataset.split(evaluation.protocol.split)
    samples = []
    for row in rows:
        probabilities = evaluation.probabilities[row]
        read = int(np.argmax(probabilities))
        samples.append(
            Sample(
                png=to_png(faces.images[row]),
                label=EMOTIONS[evaluation.labels[row]],
                emotion=EMOTIONS[read],
                probability=probabilities[read],
            )
        )
    return samples
