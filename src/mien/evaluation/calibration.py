"""Confidence that can be trusted: a map of the logits, and when not to answer at all.

Where a recipe wants it, the answer also averages what labels and FER+ votes have taught, and the
class shares of the training images are taken out of it. All of this is set on images that the
network was not fitted on. What it is worth is estimated by cross-fitting: set on all folds but one,
measured on that one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.errors import MienError
from mien.evaluation import metrics
from mien.evaluation.protocol import Record
from mien.labels import NUM_CLASSES

TARGET_ACCURACY: Final = 0.85  # of what is answered
_FOLDS: Final = 5
_BETWEEN: Final = (0.05, 20.0)  # a temperature outside of this has another reason than confidence
# How strongly a map is held to its temperature: docs/experiments.md has the trials.
_PULL: Final = 30.0
_LEAST_PROBABILITY: Final = 1e-12  # as in mien.models.answer

Floats = metrics.Floats
Labels = metrics.Labels


class Calibration(Record):
    """How logits become probabilities, and what that was worth on images not used to set it.

    Args:
        images: number of images that it was set on; the network was fitted on none of them.
        matrix: matrix applied to the label logits, ``logits @ matrix + bias``, (7, 7).
        bias: bias added to the product, (7,).
        mapped: True if matrix and bias were fitted before, on all of these images; then only what
            follows is estimated by cross-fitting.
        votes_share: share of the votes' layer in the probabilities; 0 where it has none.
        prior_share: share of the log class shares of the training images that is taken out.
        offset: class offsets added to the log of the mixed probabilities to take it out, (7,); the
            bias holds them where no votes are mixed in.
        temperature: temperature by which the logits are divided last; 1 where the matrix holds it.
        uncertain_below: the highest probability under which a reading is called uncertain.
        target_accuracy: accuracy that the answered images were to reach.
        error_before: expected calibration error (15 bins) of the logits as they are.
        error_after: the same by what the other folds set, and by the face gate, if any.
        accuracy: accuracy on all the images, by what the other folds set.
        answered_accuracy: accuracy of those at or above the threshold that the other folds set.
        coverage: their share.
    """

    images: int
    matrix: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]
    mapped: bool = False
    votes_share: float = 0.0
    prior_share: float = 0.0
    offset: tuple[float, ...] = ()
    temperature: float = 1.0
    uncertain_below: float
    target_accuracy: float
    error_before: float
    error_after: float
    accuracy: float
    answered_accuracy: float | None
    coverage: float


@dataclass(frozen=True)
class AnswerSettings:
    """Answer settings of a recipe: the share of the votes, and the share of the prior.

    Args:
        votes_share: share of the votes' layer in the probabilities.
        prior_share: share of the log class shares to take out.
        log_prior: logarithm of the class shares of the training images, (7,); only where a share
            of it is taken out.
    """

    votes_share: float = 0.0
    prior_share: float = 0.0
    log_prior: Floats | None = None

    @property
    def offset(self) -> Floats:
        """Class offsets to add to the log probabilities. Shape: (7,)."""
        if self.log_prior is None or not self.prior_share:
            return np.zeros(NUM_CLASSES)
        # Less its mean, so that logits keep their size: a constant means nothing to a softmax.
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
    votes_logits: Floats | None = None,
    settings: AnswerSettings | None = None,
    mapped: bool = False,
    gate: Floats | None = None,
    target: float = TARGET_ACCURACY,
    seed: int = 0,
) -> Calibration:
    """Set how logits become probabilities on images that the network was not fitted on.

    Args:
        logits: logits of the labels.
        labels: label of each image.
        votes_logits: logits of the votes for the seven emotions; None where none are mixed in.
        settings: answer settings of the recipe; by default no votes are mixed in, and the prior
            stays.
        mapped: True if the label logits are mapped already, as in a file of weights. Then only the
            temperature and the threshold are fitted, and cross-fitted: the map knows these images.
        gate: opening of the face gate for each image, 0 to 1, by which the mapped logits are
            multiplied. The map is set without it, so that it changes no answer; the threshold and
            what the map was worth are with it.
        target: accuracy that answered images are to reach.
        seed: seed of the folds.

    Shape: (N, 7), (N,), (N, 7), (N,); N at least 10.

    Raises:
        MienError: if there are too few images.
    """
    refuse_too_few(len(labels))
    settings = settings or AnswerSettings()
    opened = np.ones((len(labels), 1)) if gate is None else gate[:, None]
    folds = np.random.default_rng(seed).permutation(len(labels)) % _FOLDS

    def votes_of(chosen: npt.NDArray[np.bool_]) -> Floats | None:
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
    """Fit the labels' map, mix the votes in, take the prior out, and fit a temperature last."""
    classes = logits.shape[1]
    matrix, bias = (np.eye(classes), np.zeros(classes)) if mapped else fit_map(logits, labels)
    offset, share = settings.offset, settings.votes_share
    if votes_logits is not None and share:
        mixed = _Map(matrix, bias, share, offset, temperature=1.0)
        temperature = fit_temperature(mixed(logits, votes_logits), labels)
        return replace(mixed, temperature=temperature)
    if settings.prior_share:
        # Everything is linear then, so the matrix and the bias hold it.
        temperature = fit_temperature(logits @ matrix + bias + offset, labels)
        matrix, bias = matrix / temperature, (bias + offset) / temperature
    return _Map(matrix, bias, 0.0, np.zeros(classes), temperature=1.0)


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
