"""A gate that lets a fitted network be sure of faces alone."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit
from torch import nn

from mien.data.synthetic.non_faces import draw_non_faces
from mien.evaluation.protocol import Record
from mien.images.crop import SIZE_PX
from mien.models import Classifier, to_unit
from mien.models.answer import LEAST_OPEN
from mien.recipes.sections import AugmentSection
from mien.training.augment import Augmentation

_FACES: Final = 2000
_BATCH: Final = 256
# Most of what is read are faces, and to doubt a face costs more than to read a wall.
_FACES_PER_NON_FACE: Final = 9
# Of the features' median deviation: one that hardly ever varies may not decide alone.
_LEAST_DEVIATION: Final = 0.1

Images = npt.NDArray[np.uint8]


class FaceGate(Record):
    """A gate, and what it is worth on faces that the network was not fitted on and other drawings.

    Args:
        weight: with which the features are multiplied, (features,).
        bias: that is added before the sigmoid.
        faces: that it was fitted on, each as it is and augmented.
        non_faces: that it was fitted on.
        faces_open: the share of other faces, as they are, at which it is above a half.
        non_faces_open: the same of other non-faces.
    """

    weight: tuple[float, ...]
    bias: float
    faces: int
    non_faces: int
    faces_open: float
    non_faces_open: float

    def read(self, classifier: Classifier, images: Images) -> npt.NDArray[np.float64]:
        """Return how far it is open to images, 0 to 1. Shape: uint8 (N, 48, 48) -> (N,)."""
        return _openness(_features(classifier, images), np.array(self.weight), self.bias)


def fit_face_gate(
    classifier: Classifier,
    faces: Images,
    others: Images,
    augment: AugmentSection,
    *,
    seed: int,
) -> FaceGate:
    """Fit a gate on a network's features of faces and of drawn non-faces: logistic regression.

    Args:
        classifier: fitted, in evaluation mode, without a gate.
        faces: that it was fitted on; 2,000 of them are drawn.
        others: faces that it was not fitted on, to measure the gate by.
        augment: the changes after which a face is still one.
        seed: of the draws.

    Shape: uint8 (N, 48, 48), (M, 48, 48); one of each at least.
    """
    from sklearn.linear_model import LogisticRegression  # half a second that others need not wait

    own = faces[np.random.default_rng(seed).permutation(len(faces))[:_FACES]]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        whole = augment.model_copy(update={"crop_px": SIZE_PX})  # as non-faces and readings are
        augmented = _features(classifier, own, Augmentation(whole))
    made = draw_non_faces(own, 2 * len(own), seed=seed)
    features = np.concatenate([_features(classifier, own), augmented, _features(classifier, made)])
    mean, deviation = features.mean(0), features.std(0)
    deviation = np.maximum(deviation, _LEAST_DEVIATION * np.median(deviation) + 1e-6)
    fitted = LogisticRegression(max_iter=1000).fit(
        (features - mean) / deviation, np.arange(len(features)) < 2 * len(own)
    )
    weight = (fitted.coef_[0] / deviation).astype(np.float64)
    bias = float(fitted.intercept_[0] - mean @ weight + math.log(_FACES_PER_NON_FACE))

    def share_open(images: Images) -> float:
        return float((_openness(_features(classifier, images), weight, bias) > 0.5).mean())

    return FaceGate(
        weight=tuple(weight.tolist()),
        bias=bias,
        faces=len(own),
        non_faces=len(made),
        faces_open=share_open(others),
        non_faces_open=share_open(draw_non_faces(others, 2 * len(others), seed=seed + 1)),
    )


def _openness(
    features: npt.NDArray[np.float32], weight: npt.NDArray[np.float64], bias: float
) -> npt.NDArray[np.float64]:
    opened: npt.NDArray[np.float64] = expit(features.astype(np.float64) @ weight + bias)
    return np.maximum(opened, LEAST_OPEN)


def _features(
    classifier: Classifier, images: Images, change: nn.Module | None = None
) -> npt.NDArray[np.float32]:
    found = []
    with torch.no_grad():
        for start in range(0, len(images), _BATCH):
            unit = to_unit(torch.from_numpy(np.array(images[start : start + _BATCH])))
            found.append(classifier.features(change(unit) if change else unit))
    return np.asarray(torch.cat(found).numpy())
