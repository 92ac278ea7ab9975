"""The most similar faces of a data set, by the features of a network's last layer."""

from __future__ import annotations

import copy
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mien.io.mapped import release_pages
from mien.models import Classifier, to_unit
from mien.types import Images, Labels

NEAREST: Final = 5
_BATCH: Final = 256


def nearest_faces(
    classifier: Classifier, images: Images, known: Images, *, count: int = NEAREST
) -> Labels:
    """Return the positions of the known faces that are most similar to each face, nearest first.

    Similarity is the cosine between the features that the network's last layer turns into logits.

    Args:
        classifier: network whose features are compared; it is copied and stays unchanged.
        images: face crops.
        known: face crops to search; the features of all of them are held in memory.
        count: number of neighbours per face; all known faces if there are fewer.

    Shape: uint8 (N, …), (M, …), crops as the network takes them -> int64 (N, count).
    """
    similarity = _features(classifier, images) @ _features(classifier, known).T
    return similarity.topk(min(count, len(known))).indices.numpy()


def _features(classifier: Classifier, images: Images) -> Tensor:
    """Return features of length 1. Shape: uint8 (N, …) -> float32 (N, features)."""
    copied = copy.deepcopy(classifier).cpu().eval()
    batches = []
    with torch.no_grad():
        for start in range(0, len(images), _BATCH):
            batch = torch.from_numpy(np.array(images[start : start + _BATCH]))
            batches.append(copied.features(to_unit(batch)))
            release_pages(images)
    return F.normalize(torch.cat(batches))
