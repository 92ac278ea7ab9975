"""Evaluated faces for the report: crop, id, label, class that was read, and its probability."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from mien.data import FaceDataset
from mien.evaluation import Evaluation
from mien.evaluation.result import Confused
from mien.types import Crop, Integers

MISTAKES: Final = 12  # faces among the most confident mistakes
PAIRS: Final = 5  # pairs of classes, those confused most often
_EXAMPLES: Final = 6  # faces of each pair


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


def confused_examples(evaluation: Evaluation) -> list[tuple[Confused, Integers]]:
    """Return the pairs of classes confused most often, with positions of faces, the surest first.

    The most confident mistakes of all (`surest_mistakes`) are not among them.
    """
    labels, probabilities = np.array(evaluation.labels), np.array(evaluation.probabilities)
    read = probabilities.argmax(1)
    others = np.isin(np.arange(len(labels)), surest_mistakes(evaluation), invert=True)
    examples = []
    for pair in evaluation.most_confused(PAIRS):
        label, other = map(evaluation.names.index, (pair.label, pair.read))
        (rows,) = np.nonzero((labels == label) & (read == other) & others)
        order = np.argsort(-probabilities[rows, other], kind="stable")
        examples.append((pair, rows[order][:_EXAMPLES]))
    return examples
