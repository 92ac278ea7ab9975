"""Do the maps show what the network learnt? Then they must change when its weights are random."""

from __future__ import annotations

import copy
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import spearmanr

from mien.evaluation.protocol import Record
from mien.explain.grad_cam import Maps, grad_cam
from mien.images.crop import SIZE_PX
from mien.models import Classifier

LIMIT: Final = 0.5
_NETWORKS: Final = 5  # one drawn by chance may look at the same place by chance


class Sanity(Record):
    """How alike maps are to those of random networks of the same shape.

    Args:
        images: how many faces it is from; those whose own map is empty say nothing, and are not in.
        networks: how many random networks they were compared with.
        correlation: Spearman's, from -1 to 1, mean over faces and networks.
        low: of the faces' own means, the 5th percentile.
        high: likewise, the 95th.
        passed: whether the correlation is below 0.5 in size: the maps follow the weights.
        seed: of the random weights.
    """

    images: int
    networks: int
    correlation: float
    low: float
    high: float
    passed: bool
    seed: int


def check_maps(
    classifier: Classifier,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    *,
    seed: int = 0,
) -> Sanity | None:
    """Return how alike a network's Grad-CAM maps are to those of networks with random weights.

    None where every map is empty: there is nothing to check.

    Args:
        classifier: left as it is.
        images: of faces.
        labels: the emotion that is explained, one a face.
        seed: of the random weights.

    Shape: uint8 (N, 48, 48), (N,).
    Source: Adebayo et al., Sanity Checks for Saliency Maps, 2018; deviations: all weights are drawn
    anew at once, not layer by layer, and by five networks; the limit of 0.5 is ours.
    """
    maps = grad_cam(classifier, images, labels)
    mapped = maps.any((1, 2))
    if not mapped.any():
        return None
    maps, images, labels = maps[mapped], images[mapped], labels[mapped]
    found = [
        correlate(
            maps,
            grad_cam(randomize(classifier, seed=seed + index), images, labels),
            side_px=classifier.input_px,
        )
        for index in range(_NETWORKS)
    ]
    of_faces = np.mean(found, axis=0)
    mean = float(of_faces.mean())
    low, high = np.percentile(of_faces, [5, 95]).tolist()
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
    """Return a copy whose weights are drawn anew, and whose batch normalisation has learnt nothing.

    Args:
        classifier: left as it is.
        seed: of the weights.
    """
    made = copy.deepcopy(classifier)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in made.modules():
            reset: Any = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()
    return made


def correlate(maps: Maps, others: Maps, *, side_px: int = SIZE_PX) -> npt.NDArray[np.float64]:
    """Return Spearman's correlation of each map with its counterpart, 0 where one of them is flat.

    Args:
        maps: of faces.
        others: of the same faces.
        side_px: only the middle so many pixels are compared: maps that are 0 outside them are alike
            there by construction.

    Shape: float32 (N, 48, 48), twice -> (N,).
    """
    start = (SIZE_PX - side_px) // 2
    kept = slice(start, start + side_px)
    pairs = zip(maps[:, kept, kept], others[:, kept, kept], strict=True)
    return np.array([_spearman(one.ravel(), other.ravel()) for one, other in pairs])


def _spearman(one: Maps, other: Maps) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(spearmanr(one, other).statistic)
