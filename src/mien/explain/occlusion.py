"""Occlusion: how far the probability of a class drops when a region of the face is covered.

It needs only predictions of a Bundle, neither gradients nor torch.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from mien.bundle.bundle import Bundle
from mien.images.crop import DEFAULT_CROP
from mien.types import Images, Labels, Maps, Mask

# Shares of the crop's side: 10 and 5 px of FER-2013's, which cover an eye, or half of a mouth.
PATCH: Final = 10 / DEFAULT_CROP.size_px
STRIDE: Final = 5 / DEFAULT_CROP.size_px
_CANDIDATES: Final = 4  # candidates read for each face, to find faces that are read as labelled


def occlusion_maps(
    bundle: Bundle,
    images: Images,
    labels: Labels,
    *,
    patch: float = PATCH,
    stride: float = STRIDE,
) -> Maps:
    """Return how far the probability of a class drops when each region is covered.

    A patch in the face's mean gray, or mean colour, covers one region after another. A pixel's
    value is the mean drop over the patches that cover it; it is negative if covering raises the
    probability there. With the default patch and stride each face is read 82 times.

    Args:
        bundle: Bundle that reads the faces.
        images: face crops.
        labels: class to explain for each face.
        patch: side of the patch, as a share of the crop's side.
        stride: largest distance between neighbouring patches, as a share of the crop's side.

    Shape: uint8 (N, size_px, size_px) or (N, size_px, size_px, 3), (N,) -> float32 (N, size_px,
        size_px), from -1 to 1.
    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, 2014;
    deviation: the patch has the face's mean, so that the face stays as bright as it was.
    """
    patches = _patches(images.shape[1], patch, stride)  # (places, size_px, size_px)
    times_covered = patches.sum(0)
    cover = patches.reshape(*patches.shape, *[1] * (images.ndim - 3))  # for all channels
    maps = np.empty(images.shape[:3], np.float32)
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        mean = np.rint(image.mean((0, 1))).astype(np.uint8)
        covered = np.where(cover, mean, image)
        probabilities = bundle.predict(np.concatenate([image[None], covered]))[1][:, label]
        drops = probabilities[0] - probabilities[1:]
        maps[row] = np.tensordot(drops, patches, axes=1) / times_covered
    return maps


def mean_occlusion(
    bundle: Bundle, images: Images, labels: Labels, *, per_class: int = 8, seed: int = 0
) -> Maps:
    """Return the mean occlusion map of each class over faces with its label.

    The faces are drawn at random; faces that are read as labelled come first. At the default of
    eight faces per class, about 700 images are read for each class.

    Args:
        bundle: Bundle that reads the faces.
        images: face crops of a split.
        labels: labels of the images.
        per_class: number of faces per class; all faces of a class that has fewer.
        seed: seed of the draw.

    Shape: uint8 (N, size_px, size_px) or (N, size_px, size_px, 3), (N,) -> float32 (classes,
        size_px, size_px), NaN for a class without faces.
    """
    generator = np.random.default_rng(seed)
    classes = len(bundle.labels)
    means = np.full((classes, *images.shape[1:3]), np.nan, np.float32)
    for label in range(classes):
        candidates = generator.permutation(np.nonzero(labels == label)[0])
        candidates = candidates[: _CANDIDATES * per_class]
        if len(candidates) == 0:
            continue
        wrong = bundle.predict(images[candidates])[0].argmax(1) != label
        drawn = candidates[np.argsort(wrong, kind="stable")][:per_class]
        means[label] = occlusion_maps(bundle, images[drawn], labels[drawn]).mean(0)
    return means


def _patches(side_px: int, patch: float, stride: float) -> Mask:
    """Return a mask for each position of the patch, from border to border.

    Shape: -> (positions, side_px, side_px).
    """
    patch_px = max(1, round(patch * side_px))
    last = side_px - patch_px
    steps = math.ceil(round(last / (stride * side_px), 6))  # rounded: shares are not exact
    starts = np.rint(np.linspace(0, last, steps + 1)).astype(int)
    along = np.arange(side_px)
    within = (along >= starts[:, None]) & (along < starts[:, None] + patch_px)
    return (within[:, None, :, None] & within[None, :, None, :]).reshape(-1, side_px, side_px)
