"""Faces for a page: which ones, what they are labelled and what was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from mien.data import FaceDataset
from mien.emotions import EMOTIONS
from mien.evaluation import Evaluation
from mien.models import to_unit
from mien.recipes import Recipe
from mien.reports.pages import to_png
from mien.training.augment import build_augmentation

_SAMPLES: Final = 24
_MISTAKES: Final = 12
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


def augment_examples(dataset: FaceDataset, recipe: Recipe) -> list[Augmented]:
    """Return a training face of each of three emotions and what augmentation makes of it."""
    augmentation = build_augmentation(recipe.augment)
    if len(augmentation) == 0:
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
