"""Evaluated faces for the report: crop, label, emotion that was read, and its probability."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mien.data import FaceDataset
from mien.evaluation import Evaluation
from mien.labels import EMOTIONS
from mien.types import Image


@dataclass(frozen=True, eq=False)
class Sample:
    """An evaluated face.

    Args:
        image: face crop. Shape: uint8 (48, 48).
        label: emotion that the face is labelled with.
        emotion: emotion that was read.
        probability: probability of the emotion that was read.
    """

    image: Image
    label: str
    emotion: str
    probability: float

    @property
    def right(self) -> bool:
        """Whether the face was read as labelled."""
        return self.label == self.emotion


def take_samples(dataset: FaceDataset, evaluation: Evaluation, rows: Iterable[int]) -> list[Sample]:
    """Return faces of the evaluated split by their positions in it."""
    images = dataset.split(evaluation.protocol.split).images
    samples = []
    for row in rows:
        probabilities = evaluation.probabilities[row]
        read = int(np.argmax(probabilities))
        samples.append(
            Sample(
                image=images[row],
                label=EMOTIONS[evaluation.labels[row]],
                emotion=EMOTIONS[read],
                probability=probabilities[read],
            )
        )
    return samples
