"""Occlusion: how far the probability of an emotion drops when a region of the face is covered.

It needs only predictions of a Bundle, neither gradients nor torch.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from mien.bundle.bundle import Bundle
from mien.images.crop import SIZE_PX
from mien.labels import NUM_CLASSES
from mien.types import Images, Labels, Maps, Mask

PATCH_PX: Final = 10  # covers an eye, or half of a mouth
STRIDE_PX: Final = 5
_CANDIDATES: Final = 4  # candidates read for each face, to find faces that are read as labelled


def occlusion_maps(
    bundle: Bundle,
    images: Images,
    labels: Labels,
    *,
    patch_px: int = PATCH_PX,
    stride_px: int = STRIDE_PX,
) -> Maps:
    """Return how far the probability of an emotion drops when each region is covered.

    A patch in the face's mean gray covers one region after another. A pixel's value is the mean
    drop over the patches that cover it; it is negative if covering raises the probability there. At
    the default sizes each face is read 82 times.

    Args:
        bundle: Bundle that reads the faces.
        images: face crops.
        labels: emotion to explain for each face.
        patch_px: side of the patch, in pixels, 1 to 48.
        stride_px: largest distance between neighbouring patches, in pixels.

    Shape: uint8 (N, 48, 48), (N,) -> float32 (N, 48, 48), from -1 to 1.
    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, 2014;
    deviation: the patch has the face's mean gray, so that the face stays as bright as it was.
    """
    patches = _patches(patch_px, stride_px)  # (places, 48, 48)
    times_covered = patches.sum(0)
    maps = np.empty((len(images), SIZE_PX, SIZE_PX), np.float32)
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        gray = np.uint8(round(float(image.mean())))
        covered = np.where(patches, gray, image)
        probabilities = bundle.predict(np.concatenate([image[None], covered]))[1][:, label]
        drops = probabilities[0] - probabilities[1:]
        maps[row] = np.tensordot(drops, patches, axes=1) / times_covered
    return maps


def mean_occlusion(
    bundle: Bundle, images: Images, labels: Labels, *, per_class: int = 8, seed: int = 0
) -> Maps:
    """Return the mean occlusion map of each emotion over faces with its label.

    The faces are drawn at random; faces that are read as labelled come first. At the default of
    eight faces per emotion, about 4,800 images are read.

    Args:
        bundle: Bundle that reads the faces.
        images: face crops of a split.
        labels: labels of the images.
        per_class: number of faces per emotion; all faces of an emotion that has fewer.
        seed: seed of the draw.

    Shape: uint8 (N, 48, 48), (N,) -> float32 (7, 48, 48), NaN for an emotion without faces.
    """
    generator = np.random.default_rng(seed)
    means = np.full((NUM_CLASSES, SIZE_PX, SIZE_PX), np.nan, np.float32)
    for label in range(NUM_CLASSES):
        candidates = generator.permutation(np.nonzero(labels == label)[0])
        candidates = candidates[: _CANDIDATES * per_class]
        if len(candidates) == 0:
            continue
        wrong = bundle.predict(images[candidates])[0].argmax(1) != label
        drawn = candidates[np.argsort(wrong, kind="stable")][:per_class]
        means[label] = occlusion_maps(bundle, images[drawn], labels[drawn]).mean(0)
    return means


def _patches(patch_px: int, stride_px: int) -> Mask:
    """Return a mask for each position of the patch, from border to border. Shape: (P, 48, 48)."""
    last = SIZE_PX - patch_px
    starts = np.rint(np.linspace(0, last, -(-last // stride_px) + 1)).astype(int)
    along = np.arange(SIZE_PX)
    within = (along >= starts[:, None]) & (along < starts[:, None] + patch_px)
    return (within[:, None, :, None] & within[None, :, None, :]).reshape(-1, SIZE_PX, SIZE_PX)
