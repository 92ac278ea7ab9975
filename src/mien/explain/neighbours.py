"""Which faces a network takes for most alike: the nearest by its last features."""

from __future__ import annotations

import copy
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from mien.models import Classifier, to_unit

NEAREST: Final = 5
_BATCH: Final = 256


def nearest_faces(
    classifier: Classifier,
    images: npt.NDArray[np.uint8],
    known: npt.NDArray[np.uint8],
    *,
    count: int = NEAREST,
) -> npt.NDArray[np.int64]:
    """Return which known faces are nearest to each face, the nearest first.

    Near is what has a high cosine between the features that the last layer turns into logits.

    Args:
        classifier: left as it is: a copy is asked.
        images: of faces.
        known: faces to search, all of them; memory grows with their features.
        count: of the nearest, fewer where fewer are known.

    Shape: uint8 (N, 48, 48), (M, 48, 48) -> (N, count).
    """
    similarity = _features(classifier, images) @ _features(classifier, known).T
    return similarity.topk(min(count, len(known))).indices.numpy()


def _features(classifier: Classifier, images: npt.NDArray[np.uint8]) -> Tensor:
    asked = copy.deepcopy(classifier).cpu().eval()
    with torch.no_grad():
        seen = [
            asked.features(to_unit(torch.from_numpy(np.array(images[start : start + _BATCH]))))
            for start in range(0, len(images), _BATCH)
        ]
    return F.normalize(torch.cat(seen))
