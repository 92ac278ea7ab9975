"""Evaluated faces for the report: crop, label, class that was read, and its probability."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mien.data import FaceDataset
from mien.evaluation import Evaluation
from mien.types import Crop


@dataclass(frozen=True, eq=False)
class Sample:
    """An evaluated face.

    Args:
        image: face crop.
        label: class that the face is labelled with.
        emotion: class that was read.
        probability: probability of the class that was read.
    """

    image: Crop
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
                label=evaluation.names[evaluation.labels[row]],
                emotion=evaluation.names[read],
                probability=probabilities[read],
            )
        )
    return samples
