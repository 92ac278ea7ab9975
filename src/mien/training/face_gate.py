"""The face gate: lowers the confidence on images that do not show a face."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit
from torch import nn

from mien.bundle.metadata import FaceGate
from mien.data.synthetic.non_faces import draw_non_faces
from mien.models import Classifier, to_unit
from mien.models.answer import LEAST_OPEN
from mien.recipes.sections import AugmentSection
from mien.training.augment import Augmentation
from mien.types import Images

_FACES: Final = 2000
_BATCH: Final = 256
# Prior odds: most images are faces, and doubting a face costs more than reading a non-face.
_FACES_PER_NON_FACE: Final = 9
# Lower bound of the stds, relative to their median: a constant feature may not decide alone.
_LEAST_STD: Final = 0.1


def read_gate(gate: FaceGate, classifier: Classifier, images: Images) -> npt.NDArray[np.float64]:
    """Return the opening of a gate for each image, from 0 to 1.

    Shape: uint8 (N, …) -> float64 (N,).
    """
    return _openness(_features(classifier, images), np.array(gate.weight), gate.bias)


def fit_face_gate(
    classifier: Classifier,
    faces: Images,
    others: Images,
    augment: AugmentSection,
    *,
    seed: int,
) -> FaceGate:
    """Fit a gate by logistic regression on the features of faces and of drawn non-faces.

    Args:
        classifier: fitted network, in evaluation mode, without a gate.
        faces: faces that the network was fitted on; 2,000 of them are drawn.
        others: faces that the network was not fitted on, by which the gate is measured.
        augment: augmentation of the faces, after which they still count as faces.
        seed: seed of the draws.

    Shape: uint8 (N, …), (M, …), with N and M at least 1.
    """
    from sklearn.linear_model import LogisticRegression  # imported here: this takes half a second

    own = faces[np.random.default_rng(seed).permutation(len(faces))[:_FACES]]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        whole = augment.model_copy(update={"crop_px": None})  # as in non-faces and in readings
        augmented = _features(classifier, own, Augmentation(whole, classifier.task.crop))
    made = draw_non_faces(own, 2 * len(own), seed=seed)
    features = np.concatenate([_features(classifier, own), augmented, _features(classifier, made)])
    mean, std = features.mean(0), features.std(0)
    std = np.maximum(std, _LEAST_STD * np.median(std) + 1e-6)
    fitted = LogisticRegression(max_iter=1000).fit(
        (features - mean) / std, np.arange(len(features)) < 2 * len(own)
    )
    weight = (fitted.coef_[0] / std).astype(np.float64)
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
