"""Statistics of a data set: classes, gray levels, image sizes and agreement with FER+ votes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mien.data.dataset import FaceDataset
from mien.data.votes import Agreement, measure_agreement
from mien.errors import DataError
from mien.images.crop import CropSpec, to_gray
from mien.images.header import Size
from mien.io.mapped import release_pages
from mien.labels import FER2013
from mien.types import Array, Crop, Floats, Images, Mask

_BLOCK_PIXELS: Final = 1 << 21  # at a time: as floats they take 16 MB
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
        counts: number of images by split, then by class; without empty splits.
        intensity: percentiles by class of the images' mean gray level; None without images.
        contrast: percentiles by class of the std of the images' gray levels.
        intensity_of_all: percentiles of the mean gray level over all images.
        contrast_of_all: percentiles of the std of gray levels over all images.
        sizes: sizes of the image files, the most frequent first.
        votes: agreement of labels and FER+ votes; None without votes, or with labels of one's own.
        crop: size and channels of the face crops.
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
    crop: CropSpec

    def class_counts(self) -> dict[str, int]:
        """Return the number of images of each class in all splits together."""
        return {name: sum(of[name] for of in self.counts.values()) for name in self.intensity}


def explore(dataset: FaceDataset, *, sizes: Sequence[Size] | None = None) -> Exploration:
    """Return the statistics of a data set.

    Args:
        dataset: data set with at least one image.
        sizes: width and height of each image's file (`mien.data.sizes.read_sizes`); None if all
            files hold crops.

    Raises:
        DataError: if the data set has no image.
    """
    if len(dataset) == 0:
        raise DataError(f"{dataset.name}: has no images, expected at least one")
    intensity, contrast = gray_levels(dataset.images)
    masks = dataset.class_masks()
    side_px = dataset.crop.size_px
    voted = dataset.votes if dataset.label_set == FER2013 else None
    return Exploration(
        name=dataset.name,
        layout=dataset.layout,
        images=len(dataset),
        split_rule=dataset.split_rule,
        counts={split: dataset.split(split).class_counts() for split in dataset.split_counts()},
        intensity=_spread_by_class(intensity, masks),
        contrast=_spread_by_class(contrast, masks),
        intensity_of_all=spread(intensity),
        contrast_of_all=spread(contrast),
        sizes=count_sizes([(side_px, side_px)] * len(dataset) if sizes is None else sizes),
        votes=None if voted is None else measure_agreement(voted, dataset.labels),
        crop=dataset.crop,
    )


def gray_levels(images: Images) -> tuple[Floats, Floats]:
    """Return the mean and the std of each image's gray levels, in colour of its luminance.

    Shape: uint8 (N, side, side) or (N, side, side, 3) -> (N,), (N,).
    """
    means, stds = np.empty(len(images)), np.empty(len(images))
    for rows in _blocks(images):
        gray = to_gray(images[rows], images.shape[1])
        means[rows], stds[rows] = gray.mean((1, 2)), gray.std((1, 2))
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


def mean_faces(dataset: FaceDataset) -> dict[str, Crop]:
    """Return the mean crop of each class that has images.

    Shape: -> uint8 (size_px, size_px) each, or (size_px, size_px, 3).
    """
    sums = np.zeros((len(dataset.names), *dataset.crop.shape), np.uint64)
    for rows in _blocks(dataset.images):
        images, labels = dataset.images[rows], dataset.labels[rows]
        for label in np.unique(labels):
            sums[label] += images[labels == label].sum(0, dtype=np.uint64)
    return {
        name: np.rint(total / count).astype(np.uint8)
        for (name, count), total in zip(dataset.class_counts().items(), sums, strict=True)
        if count
    }


def sample_classes(
    dataset: FaceDataset, per_class: int, generator: np.random.Generator
) -> dict[str, list[int]]:
    """Return positions of random images of each class.

    Args:
        dataset: data set to draw from.
        per_class: number of images of each class; all images of a class that has fewer.
        generator: random generator.
    """
    return {
        name: generator.permutation(np.flatnonzero(mask))[:per_class].tolist()
        for name, mask in dataset.class_masks().items()
    }


def _spread_by_class(values: Floats, masks: dict[str, Mask]) -> dict[str, Spread | None]:
    return {name: spread(values[mask]) for name, mask in masks.items()}


def _blocks(images: Images) -> Iterator[slice]:
    """Yield slices of the images, and keep those of a mapped file out of memory."""
    step = max(1, _BLOCK_PIXELS // int(np.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        yield slice(start, start + step)
        release_pages(images)
