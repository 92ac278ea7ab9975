"""Evaluated faces for the report: crop, id, label, class that was read, and its probability."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from mien.data import FaceDataset
from mien.evaluation import Evaluation
from mien.types import Crop, Integers

MISTAKES: Final = 12  # faces among the most confident mistakes


@dataclass(frozen=True, eq=False)
class Sample:
    """An evaluated face.

    Args:
        id: id of the face in the data set.
        image: face crop.
        label: class that the face is labelled with.
        emotion: class that was read.
        probability: probability of the class that was read.
    """

    id: str
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
    split = dataset.split(evaluation.protocol.split)
    samples = []
    for row in rows:
        probabilities = evaluation.probabilities[row]
        read = int(np.argmax(probabilities))
        samples.append(
            Sample(
                id=str(split.ids[row]),
                image=split.images[row],
                label=evaluation.names[evaluation.labels[row]],
                emotion=evaluation.names[read],
                probability=probabilities[read],
            )
        )
    return samples


def surest_mistakes(evaluation: Evaluation) -> Integers:
    """Return the positions of the mistakes with the most confident answers, the surest first.

    Shape: (up to MISTAKES,).
    """
    order = np.argsort(-np.array(evaluation.probabilities).max(1), kind="stable")
    return order[~evaluation.right()[order]][:MISTAKES]
