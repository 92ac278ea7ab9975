"""Calibration: a map from logits to probabilities, and a threshold for uncertain answers.

If a recipe says so, the answer also averages the probabilities learned from labels and those
learned from FER+ votes, and the class prior of the training images is removed from it. Everything
is fitted on images that the network was not trained on, and its effect is estimated by
cross-fitting: fitted on all folds but one, measured on that one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.bundle.metadata import Calibration
from mien.errors import MienError
from mien.evaluation import metrics
from mien.evaluation.metrics import Floats, import_scipy
from mien.types import Labels, Mask

TARGET_ACCURACY: Final = 0.85  # of the answered images
_FOLDS: Final = 5
_TEMPERATURES: Final = (0.05, 20.0)  # a temperature outside has another cause than overconfidence
# Strength of the regularization towards temperature scaling; docs/experiments.md has the trials.
_PENALTY: Final = 30.0
_LEAST_PROBABILITY: Final = 1e-12  # as in mien.models.answer


@dataclass(frozen=True)
class AnswerSettings:
    """A recipe's settings for the composition of the answer.

    Args:
        votes_share: share of the votes' layer in the probabilities, 0 to 1.
        prior_share: share of the log prior that is subtracted from the answer, 0 to 1.
        log_prior: logarithm of the class shares of the training images; needed only if
            `prior_share` is not 0. Shape: (classes,).
    """

    votes_share: float = 0.0
    prior_share: float = 0.0
    log_prior: Floats | None = None

    def offset(self, classes: int) -> Floats:
        """Return the class offsets to add to the log probabilities. Shape: (classes,)."""
        if self.log_prior is None or not self.prior_share:
            return np.zeros(classes)
        # Without its mean, so that logits keep their size; a softmax ignores constants.
        return np.asarray(self.prior_share * (self.log_prior.mean() - self.log_prior))


@dataclass(frozen=True)
class _Map:
    """Parameters of a fitted calibration."""

    matrix: Floats
    bias: Floats
    votes_share: float
    offset: Floats
    temperature: float

    def __call__(self, logits: Floats, votes_logits: Floats | None) -> Floats:
        mapped: Floats = logits @ self.matrix + self.bias
        if votes_logits is not None and self.votes_share:
            share = self.votes_share
            mixed = (1 - share) * softmax(mapped) + share * softmax(votes_logits)
            mapped = (np.log(np.maximum(mixed, _LEAST_PROBABILITY)) + self.offset) / (
                self.temperature
            )
        return mapped


def refuse_too_few(images: int) -> None:
    """Raise a MienError if a calibration split is too small.

    Args:
        images: number of images in the calibration split.

    Raises:
        MienError: if there are too few.
    """
    if images < 2 * _FOLDS:
        raise MienError(
            f"the calibration split has {images} images, expected at least {2 * _FOLDS}; raise "
            "train.calibration_share, or set it to 0 to leave calibration out"
        )


def calibrate(
    logits: Floats,
    labels: Labels,
    *,
    votes_logits: Floats | None = None,
    settings: AnswerSettings | None = None,
    mapped: bool = False,
    gate: Floats | None = None,
    target: float = TARGET_ACCURACY,
    seed: int = 0,
) -> Calibration:
    """Return the calibration of logits, fitted on images that the network was not trained on.

    Args:
        logits: logits of the label layer. Shape: (N, classes), N at least 10.
        labels: labels of the images. Shape: (N,).
        votes_logits: logits of the votes' layer for the classes; None if no votes are mixed in.
            Shape: (N, classes).
        settings: answer settings of the recipe; by default no votes are mixed in, and the prior
            stays.
        mapped: True if the label logits are calibrated already, as in a file of weights. Then only
            the temperature and the threshold are fitted and cross-fitted, because the map knows
            these images.
        gate: opening of the face gate for each image, 0 to 1, which multiplies the mapped logits.
            The map is fitted without it, so that it changes no answer; the threshold and the
            estimates are with it. Shape: (N,).
        target: accuracy that the answered images are to reach.
        seed: seed of the folds.

    Raises:
        MienError: if there are too few images, or scipy is not installed.
    """
    refuse_too_few(len(labels))
    settings = settings or AnswerSettings()
    opened = np.ones((len(labels), 1)) if gate is None else gate[:, None]
    folds = np.random.default_rng(seed).permutation(len(labels)) % _FOLDS

    def votes_of(chosen: Mask) -> Floats | None:
        return None if votes_logits is None else votes_logits[chosen]

    fit = partial(_fit, settings=settings, mapped=mapped)
    crossed = np.empty(logits.shape)
    answered = np.empty(len(labels), bool)
    for fold in range(_FOLDS):
        others, own = folds != fold, folds == fold
        found = fit(logits[others], labels[others], votes_of(others))
        every = softmax(opened * found(logits, votes_logits))
        crossed[own] = every[own]
        least = choose_threshold(every[others], labels[others], target)
        answered[own] = crossed[own].max(1) >= least
    found = fit(logits, labels, votes_logits)
    final = softmax(opened * found(logits, votes_logits))
    right = crossed.argmax(1) == labels
    return Calibration(
        images=len(labels),
        matrix=tuple(map(tuple, found.matrix.tolist())),
        bias=tuple(found.bias.tolist()),
        mapped=mapped,
        votes_share=found.votes_share,
        prior_share=settings.prior_share,
        offset=tuple(found.offset.tolist()) if found.votes_share else (),
        temperature=found.temperature,
        uncertain_below=choose_threshold(final, labels, target),
        target_accuracy=target,
        error_before=metrics.calibration_error(labels, softmax(logits)),
        error_after=metrics.calibration_error(labels, crossed),
        accuracy=float(right.mean()),
        answered_accuracy=float(right[answered].mean()) if answered.any() else None,
        coverage=float(answered.mean()),
    )


def _fit(
    logits: Floats,
    labels: Labels,
    votes_logits: Floats | None,
    *,
    settings: AnswerSettings,
    mapped: bool,
) -> _Map:
    """Fit the map of the label logits, mix the votes in, remove the prior, fit a temperature."""
    classes = logits.shape[1]
    matrix, bias = (np.eye(classes), np.zeros(classes)) if mapped else fit_map(logits, labels)
    offset, share = settings.offset(classes), settings.votes_share
    if votes_logits is not None and share:
        mixed = _Map(matrix, bias, share, offset, temperature=1.0)
        temperature = fit_temperature(mixed(logits, votes_logits), labels)
        return replace(mixed, temperature=temperature)
    if settings.prior_share:
        # Without votes everything is linear, so matrix and bias can contain all of it.
        temperature = fit_temperature(logits @ matrix + bias + offset, labels)
        matrix, bias = matrix / temperature, (bias + offset) / temperature
    return _Map(matrix, bias, 0.0, np.zeros(classes), temperature=1.0)


def fit_map(logits: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """Return the matrix and the bias of matrix scaling, regularized towards temperature scaling.

    Few images do not determine a parameter for each pair of classes; the fewer there are, the
    closer the result is to temperature scaling, which has one parameter. Unlike a temperature, a
    matrix can correct a class that is read too often, so it may change which class is the most
    probable.

    Shape: (N, classes), (N,) -> (classes, classes), (classes,).
    Source: Guo et al., On Calibration of Modern Neural Networks, 2017; the penalty after Kull et
    al., Beyond temperature scaling, 2019; deviation: it also penalizes the diagonal.
    """
    minimize = import_scipy("optimize", purpose="calibrating").minimize
    classes = logits.shape[1]
    # A softmax ignores a constant added to all logits of an image, so the penalty has to as well.
    centring = np.eye(classes) - 1 / classes
    start = centring / fit_temperature(logits, labels)
    tempered = logits.astype(np.float64) @ start
    targets = np.eye(classes)[labels]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        change, bias = parameters[:-classes].reshape(classes, classes), parameters[-classes:]
        probabilities = softmax(tempered + tempered @ change + bias)
        penalty = _PENALTY / len(labels)
        value = metrics.log_loss(labels, probabilities) + penalty * (parameters**2).sum()
        residual = (probabilities - targets) / len(labels)
        gradient = np.append((tempered.T @ residual).ravel(), residual.sum(0))
        return value, gradient + 2 * penalty * parameters

    found = minimize(loss, np.zeros(classes * (classes + 1)), jac=True, method="L-BFGS-B").x
    change, bias = found[:-classes].reshape(classes, classes), found[-classes:]
    return start @ (np.eye(classes) + change), bias


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """Return the temperature that minimizes the cross-entropy of the logits with the labels.

    Shape: (N, classes), (N,).
    Source: Guo et al., On Calibration of Modern Neural Networks, 2017.
    """
    minimize_scalar = import_scipy("optimize", purpose="calibrating").minimize_scalar
    # The loss is convex in 1 / temperature, so there is one minimum.
    found = minimize_scalar(
        lambda inverse: metrics.log_loss(labels, softmax(logits * inverse)),
        bounds=(1 / _TEMPERATURES[1], 1 / _TEMPERATURES[0]),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(1 / found.x)


def choose_threshold(probabilities: Floats, labels: Labels, target: float) -> float:
    """Return the lowest threshold on the highest probability that reaches a target accuracy.

    It is 1 if no threshold reaches the target: then only certain answers are given.

    Args:
        probabilities: probabilities of the images.
        labels: labels of the images.
        target: accuracy that the images at or above the threshold are to reach.

    Shape: (N, classes), (N,).
    """
    thresholds, _, risk = risk_coverage(probabilities, labels)
    (reaching,) = np.nonzero(1 - risk >= target)
    return float(thresholds[reaching[-1]]) if len(reaching) else 1.0


def risk_coverage(probabilities: Floats, labels: Labels) -> tuple[Floats, Floats, Floats]:
    """Return the risk–coverage curve: thresholds in descending order, coverage and error rate.

    Shape: (N, classes), (N,) -> (T,), (T,), (T,).
    Source: Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, 2017.
    """
    confidence = probabilities.max(1)
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    ends = np.append(np.nonzero(np.diff(ranked))[0], len(ranked) - 1)  # ties share a threshold
    wrong = np.cumsum(probabilities.argmax(1)[order] != labels[order])[ends]
    return ranked[ends], (ends + 1) / len(labels), wrong / (ends + 1)


def softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """Return the softmax of logits, in double precision. Shape: (N, classes) -> the same."""
    powers = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
