"""Confidence that can be trusted: a map of the logits, and when not to answer at all.

Both are set on images that the network was not fitted on. What they are worth is estimated by
cross-fitting: set on all folds but one, measured on that one.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.errors import MienError
from mien.evaluation import metrics
from mien.evaluation.protocol import Record

TARGET_ACCURACY: Final = 0.85  # of what is answered
_FOLDS: Final = 5
_BETWEEN: Final = (0.05, 20.0)  # a temperature outside of this has another reason than confidence
# How strongly a map is held to its temperature: docs/experiments.md has the trials.
_PULL: Final = 30.0

Floats = metrics.Floats
Labels = metrics.Labels


class Calibration(Record):
    """A map of the logits and a threshold, and what they were worth on images not used to set them.

    Args:
        images: that they were set on, none of which the network was fitted on.
        matrix: with which logits are multiplied before the softmax, ``logits @ matrix + bias``,
            (7, 7).
        bias: that is added then, (7,).
        uncertain_below: the highest probability under which a reading is called uncertain.
        target_accuracy: that the answered images were to reach.
        error_before: expected calibration error (15 bins) of the logits as they are.
        error_after: the same by the map that the other folds set, and by the face gate, if any.
        accuracy: of all the images, by the map that the other folds set.
        answered_accuracy: of those at or above the threshold that the other folds set.
        coverage: their share.
    """

    images: int
    matrix: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]
    uncertain_below: float
    target_accuracy: float
    error_before: float
    error_after: float
    accuracy: float
    answered_accuracy: float | None
    coverage: float


def refuse_too_few(images: int) -> None:
    """Raise a MienError where there are too few images to calibrate by."""
    if images < 2 * _FOLDS:
        raise MienError(
            f"{images} images to calibrate by, expected {2 * _FOLDS} at least; raise "
            "train.calibration_share, or set it to 0 for no calibration"
        )


def calibrate(
    logits: Floats,
    labels: Labels,
    *,
    gate: Floats | None = None,
    target: float = TARGET_ACCURACY,
    seed: int = 0,
) -> Calibration:
    """Set a map of the logits and a threshold on images that the network was not fitted on.

    Args:
        logits: of the images.
        labels: of the images.
        gate: how far a face gate is open to each, which the mapped logits are multiplied by. The
            map is set without it, so that it changes no answer; the threshold and what the map
            was worth are with it.
        target: the accuracy that answered images are to reach.
        seed: of the folds.

    Shape: (N, 7), (N,), (N,); N at least 10.

    Raises:
        MienError: if there are too few images.
    """
    refuse_too_few(len(labels))
    opened = np.ones((len(labels), 1)) if gate is None else gate[:, None]
    folds = np.random.default_rng(seed).permutation(len(labels)) % _FOLDS
    mapped = np.empty(logits.shape)
    answered = np.empty(len(labels), bool)
    for fold in range(_FOLDS):
        others, own = folds != fold, folds == fold
        matrix, bias = fit_map(logits[others], labels[others])
        every = softmax(opened * (logits @ matrix + bias))
        mapped[own] = every[own]
        least = choose_threshold(every[others], labels[others], target)
        answered[own] = mapped[own].max(1) >= least
    matrix, bias = fit_map(logits, labels)
    final = softmax(opened * (logits @ matrix + bias))
    right = mapped.argmax(1) == labels
    return Calibration(
        images=len(labels),
        matrix=tuple(map(tuple, matrix.tolist())),
        bias=tuple(bias.tolist()),
        uncertain_below=choose_threshold(final, labels, target),
        target_accuracy=target,
        error_before=metrics.calibration_error(labels, softmax(logits)),
        error_after=metrics.calibration_error(labels, mapped),
        accuracy=float(right.mean()),
        answered_accuracy=float(right[answered].mean()) if answered.any() else None,
        coverage=float(answered.mean()),
    )


def fit_map(logits: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """Return the matrix and the bias that make probabilities of logits: matrix scaling.

    Few images do not settle 56 numbers, so these are pulled towards temperature scaling, which has
    one: with ever fewer images that is what comes out. Unlike it they mend what no temperature can,
    such as one emotion given too often, and so may change which emotion is the most probable.

    Shape: (N, 7), (N,) -> (7, 7), (7,).
    Source: Guo et al., On Calibration of Modern Neural Networks, 2017; the pull after Kull et al.,
    Beyond temperature scaling, 2019, who pull the off-diagonal and the bias.
    """
    minimize = _scipy_optimize().minimize
    classes = logits.shape[1]
    # A constant added to every logit of an image means nothing, so it may not count here, either.
    centring = np.eye(classes) - 1 / classes
    start = centring / fit_temperature(logits, labels)
    tempered = logits.astype(np.float64) @ start
    wanted = np.eye(classes)[labels]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        change, bias = parameters[:-classes].reshape(classes, classes), parameters[-classes:]
        probabilities = softmax(tempered + tempered @ change + bias)
        pull = _PULL / len(labels)
        value = metrics.log_loss(labels, probabilities) + pull * (parameters**2).sum()
        slope = (probabilities - wanted) / len(labels)
        return value, np.append((tempered.T @ slope).ravel(), slope.sum(0)) + 2 * pull * parameters

    found = minimize(loss, np.zeros(classes * (classes + 1)), jac=True, method="L-BFGS-B").x
    change, bias = found[:-classes].reshape(classes, classes), found[-classes:]
    return start @ (np.eye(classes) + change), bias


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """Return the temperature at which the logits' cross-entropy with the labels is least.

    Shape: (N, 7), (N,).
    Source: Guo et al., On Calibration of Modern Neural Networks, 2017.
    """
    minimize_scalar = _scipy_optimize().minimize_scalar
    # It is convex in 1 / temperature, so there is one minimum to find.
    found = minimize_scalar(
        lambda inverse: metrics.log_loss(labels, softmax(logits * inverse)),
        bounds=(1 / _BETWEEN[1], 1 / _BETWEEN[0]),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(1 / found.x)


def choose_threshold(probabilities: Floats, labels: Labels, target: float) -> float:
    """Return the least highest-probability at or above which accuracy reaches a target.

    1 where no threshold reaches it: then nothing but certainty is answered.

    Shape: (N, 7), (N,).
    """
    thresholds, _, risk = risk_coverage(probabilities, labels)
    (reaching,) = np.nonzero(1 - risk >= target)
    return float(thresholds[reaching[-1]]) if len(reaching) else 1.0


def risk_coverage(probabilities: Floats, labels: Labels) -> tuple[Floats, Floats, Floats]:
    """Return every threshold from the highest down, the share answered, and its share of errors.

    Shape: (N, 7), (N,) -> (T,), (T,), (T,).
    Source: Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, 2017.
    """
    confidence = probabilities.max(1)
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    ends = np.append(np.nonzero(np.diff(ranked))[0], len(ranked) - 1)  # equals go together
    wrong = np.cumsum(probabilities.argmax(1)[order] != labels[order])[ends]
    return ranked[ends], (ends + 1) / len(labels), wrong / (ends + 1)


def softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """Return probabilities. Shape: (N, 7) -> (N, 7)."""
    powers = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def _scipy_optimize() -> Any:
    try:
        import scipy.optimize
    except ImportError as error:
        raise MienError("calibrating needs scipy: pip install 'mien[train]'") from error
    return scipy.optimize
