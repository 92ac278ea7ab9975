"""What a data set looks like in figures: classes, light, sizes and what voters said of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.data.dataset import FaceDataset
from mien.data.votes import Agreement, measure_agreement
from mien.errors import DataError
from mien.images.crop import SIZE_PX
from mien.images.header import Size
from mien.labels import EMOTIONS

_BLOCK: Final = 1024  # images at once: their gray levels as floats stay under 20 MB
_PERCENTILES: Final = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class Spread:
    """How one figure of an image is spread over images.

    Args:
        images: how many.
        low: the 5th percentile.
        quartile: the 25th percentile.
        median: the 50th percentile.
        upper_quartile: the 75th percentile.
        high: the 95th percentile.
    """

    images: int
    low: float
    quartile: float
    median: float
    upper_quartile: float
    high: float


@dataclass(frozen=True)
class SizeCount:
    """How many images have a width and a height in their files, in pixels."""

    width: int
    height: int
    images: int


@dataclass(frozen=True)
class Exploration:
    """A data set in plain figures.

    Args:
        name: the data set's name.
        layout: how it is stored.
        images: how many it holds.
        split_rule: how its splits came about, in words.
        counts: split -> emotion -> images, of splits that have any.
        intensity: emotion -> spread of the mean gray level; None where it has no image.
        contrast: emotion -> spread of the standard deviation of gray levels.
        intensity_of_all: the same over all images.
        contrast_of_all: the same over all images.
        sizes: of the images in their files, the most frequent first.
        votes: how labels and FER+ votes agree; None where there are none.
    """

    name: str
    layout: str
    images: int
    split_rule: str
    counts: dict[str, dict[str, int]]
    intensity: dict[str, Spread | None]
    contrast: dict[str, Spread | None]
    intensity_of_all: Spread | None
    contrast_of_all: Spread | None
    sizes: tuple[SizeCount, ...]
    votes: Agreement | None

    def class_counts(self) -> dict[str, int]:
        """Return the images of each emotion in all splits together."""
        return {
            emotion: sum(by_emotion[emotion] for by_emotion in self.counts.values())
            for emotion in EMOTIONS
        }


def explore(dataset: FaceDataset, *, sizes: Sequence[Size] | None = None) -> Exploration:
    """Return a data set's figures.

    Args:
        dataset: any.
        sizes: width and height of each image in its file (`mien.data.sizes.read_sizes`); None
            where all are 48×48.

    Raises:
        DataError: if it holds no image.
    """
    if len(dataset) == 0:
        raise DataError(f"{dataset.name}: holds no image, expected one at least")
    intensity, contrast = gray_levels(dataset.images)
    return Exploration(
        name=dataset.name,
        layout=dataset.layout,
        images=len(dataset),
        split_rule=dataset.split_rule,
        counts={split: dataset.split(split).class_counts() for split in dataset.split_counts()},
        intensity=_spread_by_class(intensity, dataset.labels),
        contrast=_spread_by_class(contrast, dataset.labels),
        intensity_of_all=spread(intensity),
        contrast_of_all=spread(contrast),
        sizes=count_sizes([(SIZE_PX, SIZE_PX)] * len(dataset) if sizes is None else sizes),
        votes=None if dataset.votes is None else measure_agreement(dataset.votes, dataset.labels),
    )


def gray_levels(
    images: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return each image's intensity and contrast: mean and standard deviation of its gray levels.

    Shape: uint8 (N, height, width) -> two of (N,).
    """
    means, deviations = np.empty(len(images)), np.empty(len(images))
    for start in range(0, len(images), _BLOCK):
        block = slice(start, start + _BLOCK)
        means[block] = images[block].mean((1, 2))
        deviations[block] = images[block].std((1, 2))
    return means, deviations


def spread(values: npt.NDArray[Any]) -> Spread | None:
    """Return the percentiles of ``values``, None where there are none."""
    if len(values) == 0:
        return None
    return Spread(len(values), *np.percentile(values, _PERCENTILES).tolist())


def count_sizes(sizes: Sequence[Size]) -> tuple[SizeCount, ...]:
    """Return how many images have each size, the most frequent first, the larger where as many."""
    counted = Counter(sizes).items()
    ordered = sorted(counted, key=lambda one: (-one[1], -one[0][0] * one[0][1], one[0]))
    return tuple(SizeCount(width, height, images) for (width, height), images in ordered)


def mean_faces(dataset: FaceDataset) -> dict[str, npt.NDArray[np.uint8]]:
    """Return the mean of each emotion's images, for those that have any.

    Shape: -> uint8 (48, 48) each.
    """
    means = {}
    for label, emotion in enumerate(EMOTIONS):
        rows = dataset.labels == label
        if rows.any():
            means[emotion] = np.rint(dataset.images[rows].mean(0)).astype(np.uint8)
    return means


def sample_classes(
    labels: npt.NDArray[np.int64], of_each: int, generator: np.random.Generator
) -> dict[str, list[int]]:
    """Return positions of ``of_each`` images of every emotion, or all it has, drawn by chance."""
    return {
        emotion: generator.permutation(np.nonzero(labels == label)[0])[:of_each].tolist()
        for label, emotion in enumerate(EMOTIONS)
    }


def _spread_by_class(
    values: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]
) -> dict[str, Spread | None]:
    return {emotion: spread(values[labels == label]) for label, emotion in enumerate(EMOTIONS)}
