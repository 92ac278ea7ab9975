"""Statistics of a data set: classes, gray levels, image sizes and agreement with FER+ votes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mien.data.dataset import FaceDataset, class_masks
from mien.data.votes import Agreement, measure_agreement
from mien.errors import DataError
from mien.images.crop import SIZE_PX
from mien.images.header import Size
from mien.labels import EMOTIONS
from mien.types import Array, Floats, Image, Images, Labels

_BLOCK: Final = 1024  # images at a time: as floats they take less than 20 MB
_PERCENTILES: Final = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class Spread:
    """Percentiles of a statistic over images.

    Args:
        images: number of images.
        low: 5th percentile.
        quartile: 25th percentile.
        median: 50th percentile.
        upper_quartile: 75th percentile.
        high: 95th percentile.
    """

    images: int
    low: float
    quartile: float
    median: float
    upper_quartile: float
    high: float


@dataclass(frozen=True)
class SizeCount:
    """The number of image files of one size.

    Args:
        width: width in pixels.
        height: height in pixels.
        images: number of images.
    """

    width: int
    height: int
    images: int


@dataclass(frozen=True)
class Exploration:
    """Statistics of a data set, as plain data.

    Args:
        name: name of the data set.
        layout: name of its layout.
        images: number of images.
        split_rule: description of how its splits were made.
        counts: number of images by split, then by emotion; without empty splits.
        intensity: percentiles by emotion of the images' mean gray level; None without images.
        contrast: percentiles by emotion of the std of the images' gray levels.
        intensity_of_all: percentiles of the mean gray level over all images.
        contrast_of_all: percentiles of the std of gray levels over all images.
        sizes: sizes of the image files, the most frequent first.
        votes: agreement of labels and FER+ votes; None without votes.
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
        """Return the number of images of each emotion in all splits together."""
        return {
            emotion: sum(by_emotion[emotion] for by_emotion in self.counts.values())
            for emotion in EMOTIONS
        }


def explore(dataset: FaceDataset, *, sizes: Sequence[Size] | None = None) -> Exploration:
    """Return the statistics of a data set.

    Args:
        dataset: data set with at least one image.
        sizes: width and height of each image's file (`mien.data.sizes.read_sizes`); None if all
            images are stored as 48×48 pixels.

    Raises:
        DataError: if the data set has no image.
    """
    if len(dataset) == 0:
        raise DataError(f"{dataset.name}: has no images, expected at least one")
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


def gray_levels(images: Images) -> tuple[Floats, Floats]:
    """Return the mean and the std of each image's gray levels.

    Shape: uint8 (N, height, width) -> (N,), (N,).
    """
    means, stds = np.empty(len(images)), np.empty(len(images))
    for start in range(0, len(images), _BLOCK):
        block = slice(start, start + _BLOCK)
        means[block] = images[block].mean((1, 2))
        stds[block] = images[block].std((1, 2))
    return means, stds


def spread(values: Array) -> Spread | None:
    """Return the percentiles of some values; None without values."""
    if len(values) == 0:
        return None
    return Spread(len(values), *np.percentile(values, _PERCENTILES).tolist())


def count_sizes(sizes: Sequence[Size]) -> tuple[SizeCount, ...]:
    """Return the number of images of each size, the most frequent first; ties by area."""
    counted = Counter(sizes).items()
    ordered = sorted(counted, key=lambda one: (-one[1], -one[0][0] * one[0][1], one[0]))
    return tuple(SizeCount(width, height, images) for (width, height), images in ordered)


def mean_faces(dataset: FaceDataset) -> dict[str, Image]:
    """Return the mean image of each emotion that has images.

    Shape: -> uint8 (48, 48) each.
    """
    return {
        emotion: np.rint(dataset.images[mask].mean(0)).astype(np.uint8)
        for emotion, mask in class_masks(dataset.labels).items()
        if mask.any()
    }


def sample_classes(
    labels: Labels, per_class: int, generator: np.random.Generator
) -> dict[str, list[int]]:
    """Return positions of random images of each emotion.

    Args:
        labels: label of each image.
        per_class: number of images of each emotion; all images of an emotion that has fewer.
        generator: random generator.
    """
    return {
        emotion: generator.permutation(np.flatnonzero(mask))[:per_class].tolist()
        for emotion, mask in class_masks(labels).items()
    }


def _spread_by_class(values: Floats, labels: Labels) -> dict[str, Spread | None]:
    return {emotion: spread(values[mask]) for emotion, mask in class_masks(labels).items()}
