"""Occlusion: how much less probable an emotion becomes when a place is covered.

It asks the Bundle alone, as anybody could, and needs neither gradients nor torch.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import Bundle
from mien.images.crop import SIZE_PX
from mien.labels import NUM_CLASSES

PATCH_PX: Final = 10  # covers an eye, or half of a mouth
STRIDE_PX: Final = 5
_CANDIDATES: Final = 4  # times the faces wanted: so many are read to find those read rightly

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Maps = npt.NDArray[np.float32]


def occlusion_maps(
    bundle: Bundle,
    images: Images,
    labels: Labels,
    *,
    patch_px: int = PATCH_PX,
    stride_px: int = STRIDE_PX,
) -> Maps:
    """Return how much the probability of an emotion drops when each place is covered.

    A patch of the face's own mean gray is put on one place after another; a pixel has the mean of
    the patches that cover it, and below 0 where covering it makes the emotion more probable. At the
    default sizes each face is read 82 times.

    Args:
        bundle: what reads them.
        images: of faces.
        labels: the emotion to explain, one a face.
        patch_px: side of the patch, 1 to 48.
        stride_px: from one place to the next, at most.

    Shape: uint8 (N, 48, 48), (N,) -> float32 (N, 48, 48), from -1 to 1.
    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, 2014;
    deviation: the patch has the face's mean gray, so that its brightness stays as it is.
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
    """Return the mean occlusion map of each emotion over faces labelled with it.

    Faces are drawn by chance, those first whose emotion is read as labelled. At the default eight
    an emotion, about 4,800 faces are read.

    Args:
        bundle: what reads them.
        images: of a split.
        labels: of the images.
        per_class: faces of each emotion, fewer where there are fewer.
        seed: of the draw.

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


def _patches(patch_px: int, stride_px: int) -> npt.NDArray[np.bool_]:
    """Return the places of the patch, from border to border, evenly."""
    last = SIZE_PX - patch_px
    starts = np.rint(np.linspace(0, last, -(-last // stride_px) + 1)).astype(int)
    along = np.arange(SIZE_PX)
    within = (along >= starts[:, None]) & (along < starts[:, None] + patch_px)
    return (within[:, None, :, None] & within[None, :, None, :]).reshape(-1, SIZE_PX, SIZE_PX)
