"""A gate that lets a fitted network be sure of faces alone."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mien.data.non_faces import draw_non_faces
from mien.evaluation.protocol import Record
from mien.models import Classifier, to_unit
from mien.recipes.sections import AugmentSection
from mien.training.augment import build_augmentation

_FACES: Final = 2000
_BATCH: Final = 256
_TESTED: Final = 5  # one in so many takes no part in the fit
# Most of what is read are faces, and to doubt a face costs more than to read a wall.
_FACES_PER_NON_FACE: Final = 9


class FaceGate(Record):
    """A gate, and what it was worth on faces and non-faces that took no part in its fit.

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

    def summary(self) -> dict[str, float]:
        """Return all but the weights."""
        return self.model_dump(exclude={"weight", "bias"})


def fit_face_gate(
    classifier: Classifier, faces: npt.NDArray[np.uint8], augment: AugmentSection, *, seed: int
) -> FaceGate:
    """Fit a gate on a network's features of faces and of drawn non-faces: logistic regression.

    Args:
        classifier: fitted, in evaluation mode, without a gate.
        faces: that it was fitted on, two at least; 2,000 of them are drawn.
        augment: the changes after which a face is still one.
        seed: of the draws.

    Shape: faces uint8 (N, 48, 48).
    """
    from sklearn.linear_model import LogisticRegression  # half a second that others need not wait

    drawn = faces[np.random.default_rng(seed).permutation(len(faces))[:_FACES]]
    tested = max(1, len(drawn) // _TESTED)
    own, others = drawn[tested:], drawn[:tested]
    positive = np.concatenate(
        [_features(classifier, _unit(own)), _features(classifier, _augmented(own, augment, seed))]
    )
    made = draw_non_faces(own, 2 * len(own), seed=seed)
    negative = _features(classifier, _unit(made))
    features = np.concatenate([positive, negative])
    mean, deviation = features.mean(0), features.std(0) + 1e-6
    fitted = LogisticRegression(max_iter=1000).fit(
        (features - mean) / deviation, np.arange(len(features)) < len(positive)
    )
    weight = fitted.coef_[0] / deviation
    bias = fitted.intercept_[0] - mean @ weight + math.log(_FACES_PER_NON_FACE)

    def share_open(images: npt.NDArray[np.uint8]) -> float:
        return float((read_face_gate(classifier, weight, bias, images) > 0.5).mean())

    return FaceGate(
        weight=tuple(weight.tolist()),
        bias=float(bias),
        faces=len(own),
        non_faces=len(made),
        faces_open=share_open(others),
        non_faces_open=share_open(draw_non_faces(others, 2 * tested, seed=seed + 1)),
    )


def read_face_gate(
    classifier: Classifier, weight: npt.ArrayLike, bias: float, images: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """Return how far a gate is open to each image, 0 to 1. Shape: uint8 (N, 48, 48) -> (N,)."""
    activations = _features(classifier, _unit(images)) @ np.asarray(weight, np.float64) + bias
    return np.asarray(1 / (1 + np.exp(-activations)))


def _features(classifier: Classifier, unit: Tensor) -> npt.NDArray[np.float64]:
    """Return what the last layer takes in. Shape: (N, 1, height, width) -> (N, features)."""
    caught: list[Tensor] = []
    hook = classifier.last_layer.register_forward_pre_hook(lambda _, taken: caught.append(taken[0]))
    try:
        with torch.no_grad():
            for batch in torch.split(unit, _BATCH):
                classifier(batch)
    finally:
        hook.remove()
    return torch.cat(caught).double().numpy()


def _unit(images: npt.NDArray[np.uint8]) -> Tensor:
    return to_unit(torch.from_numpy(images.copy()))


def _augmented(images: npt.NDArray[np.uint8], augment: AugmentSection, seed: int) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        changed: Tensor = build_augmentation(augment)(_unit(images))
    return changed
