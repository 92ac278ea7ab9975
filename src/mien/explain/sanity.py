"""A sanity check of Grad-CAM maps: they must change when the network's weights are random."""

from __future__ import annotations

import copy
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import spearmanr

from mien.bundle.scores import Record
from mien.explain.grad_cam import grad_cam
from mien.images.crop import centre_crop
from mien.models import Classifier
from mien.types import Array, Images, Labels, Maps

LIMIT: Final = 0.5  # largest correlation, in absolute value, that passes
_NETWORKS: Final = 5  # a single random network may depend on the same region by chance


class Sanity(Record):
    """Similarity of Grad-CAM maps to those of random networks of the same architecture.

    Args:
        images: number of compared faces; faces with an empty map are left out.
        networks: number of random networks.
        correlation: Spearman's rank correlation, -1 to 1, mean over faces and networks.
        low: 5th percentile over faces of the mean correlation with the random networks.
        high: 95th percentile over faces of the mean correlation with the random networks.
        passed: whether the correlation is below 0.5 in absolute value, so that the maps depend on
            the weights.
        seed: seed of the random weights.
    """

    images: int
    networks: int
    correlation: float
    low: float
    high: float
    passed: bool
    seed: int


def check_maps(
    classifier: Classifier, images: Images, labels: Labels, *, seed: int = 0
) -> Sanity | None:
    """Return how similar a network's Grad-CAM maps are to those of networks with random weights.

    Args:
        classifier: network to check; it is copied and stays unchanged.
        images: face crops.
        labels: explained class of each face.
        seed: seed of the random weights.

    Returns:
        The result of the check; None if every map is empty, so that there is nothing to check.

    Shape: uint8 (N, size_px, size_px) or (N, size_px, size_px, 3), (N,).
    Source: Adebayo et al., Sanity Checks for Saliency Maps, 2018; deviations: all weights are
    randomized at once instead of layer by layer, in five networks; the limit of 0.5 is ours.
    """
    maps = grad_cam(classifier, images, labels)
    mapped = maps.any((1, 2))
    if not mapped.any():
        return None
    maps, images, labels = maps[mapped], images[mapped], labels[mapped]
    correlations = [
        correlate(
            maps,
            grad_cam(randomize(classifier, seed=seed + index), images, labels),
            side_px=classifier.input_px,
        )
        for index in range(_NETWORKS)
    ]
    by_face = np.mean(correlations, axis=0)
    mean = float(by_face.mean())
    low, high = np.percentile(by_face, [5, 95]).tolist()
    return Sanity(
        images=len(images),
        networks=_NETWORKS,
        correlation=mean,
        low=low,
        high=high,
        passed=abs(mean) < LIMIT,
        seed=seed,
    )


def randomize(classifier: Classifier, *, seed: int = 0) -> Classifier:
    """Return a copy of a network with random weights and fresh batch normalization statistics.

    Args:
        classifier: network to copy; it stays unchanged.
        seed: seed of the weights.
    """
    random = copy.deepcopy(classifier)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in random.modules():
            reset: Any = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()
    return random


def correlate(maps: Maps, others: Maps, *, side_px: int) -> npt.NDArray[np.float64]:
    """Return Spearman's rank correlation of each pair of maps; 0 if one of them is constant.

    Args:
        maps: maps of faces.
        others: maps of the same faces, in the same order.
        side_px: side of the centre crop to compare, in pixels: outside of what the network reads,
            both maps are 0 by construction.

    Shape: float32 (N, size_px, size_px), float32 (N, size_px, size_px) -> float64 (N,).
    """
    pairs = zip(centre_crop(maps, side_px), centre_crop(others, side_px), strict=True)
    return np.array([_spearman(one.ravel(), other.ravel()) for one, other in pairs])


def _spearman(one: Array, other: Array) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(spearmanr(one, other).statistic)
