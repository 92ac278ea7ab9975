"""A Bundle and a data set's split to an Evaluation."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError, computed_field

from mien.data import FaceDataset, load_dataset
from mien.data.load import Paths, as_paths
from mien.emotions import EMOTIONS
from mien.errors import RunError
from mien.evaluation import metrics
from mien.files import write_text
from mien.recipes.sections import DataSection
from mien.runtime.bundle import Bundle, find_bundle

_SEED = 0


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Protocol(_Record):
    """How a score came about; no score is worth anything without it.

    Args:
        model: the Bundle's name.
        data: the data set's name.
        fingerprint: of the whole data set, its splits included.
        split: that was measured.
        images: how many.
        split_fingerprint: of the measured images and their labels alone, in their order.
        split_rule: how the splits came about.
        views: of each image; ``single`` is the image as it is.
        checkpoint: how the weights were chosen.
        same_data: whether this is, as a whole, the data set that the model was trained on.
        trained_on_split: whether these very images were learnt, so that the score says little.
        chosen_on_split: whether these very images chose them, which flatters the score.
        skipped: how many images of the data set could not be used and were left out.
        identical_in_train: how many of the images are in the data set's train split, pixel for
            pixel; None where it has no train split.
        resamples: of the bootstrap behind the intervals.
        seed: of that bootstrap.
    """

    model: str
    data: str
    fingerprint: str
    split: str
    images: int
    split_fingerprint: str = ""
    split_rule: str
    views: str = "single"
    checkpoint: str = ""
    same_data: bool = False
    trained_on_split: bool = False
    chosen_on_split: bool = False
    skipped: int = 0
    identical_in_train: int | None = None
    resamples: int = metrics.RESAMPLES
    seed: int = _SEED

    def sentence(self) -> str:
        """Return the protocol as one line for people."""
        parts = [f"{self.split} split of {self.data}, {self.images:,} images, {self.views} view"]
        if self.split_rule != "as the files say":
            parts.append(f"splits: {self.split_rule}")
        if self.checkpoint:
            parts.append(f"weights: {self.checkpoint}")
        if self.trained_on_split:
            parts.append("trained on these very images: no measure of how it reads others")
        if self.chosen_on_split:
            parts.append("chosen by this very split, which flatters the score a little")
        if self.identical_in_train:
            share = self.identical_in_train / self.images
            parts.append(
                f"{self.identical_in_train:,} images ({share:.1%}) stand in train, pixel for pixel"
            )
        if not self.same_data:
            parts.append(
                "not, as a whole, the data it was trained on: how many of these images it has "
                "learnt is not known"
            )
        if self.skipped:
            parts.append(f"{self.skipped:,} of the data set's images could not be used")
        return "; ".join(parts)


class Score(_Record):
    """A score and its 95% bootstrap interval; None where it cannot be had."""

    value: float | None
    low: float | None
    high: float | None


class ClassScore(_Record):
    """One class's scores; None where the split has no image of it."""

    emotion: str
    images: int
    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None


class Evaluation(_Record):
    """All that was measured, and what it was measured from.

    ``labels`` and ``probabilities`` keep every further figure within reach without the images.
    """

    protocol: Protocol
    accuracy: Score
    macro_f1: Score
    weighted_f1: Score
    roc_auc: Score
    per_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    labels: tuple[int, ...]
    probabilities: tuple[tuple[float, ...], ...]

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def log_loss(self) -> float:
        """The mean cross-entropy in nats."""
        return metrics.log_loss(*self._arrays())

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def calibration_error(self) -> float:
        """How far confidence is from accuracy, on average (`metrics.calibration_error`)."""
        return metrics.calibration_error(*self._arrays())

    def right(self) -> npt.NDArray[np.bool_]:
        """Return whether each image was read as labelled. Shape: (N,)."""
        labels, probabilities = self._arrays()
        return np.asarray(probabilities.argmax(1) == labels)

    def _arrays(self) -> tuple[metrics.Labels, metrics.Floats]:
        return np.array(self.labels), np.array(self.probabilities)

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        write_text(path, self.model_dump_json() + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it back.

        Raises:
            RunError: if the file is missing or damaged.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise RunError(f"{path}: cannot be read ({error.strerror})") from error
        except ValidationError:
            raise RunError(
                f"{path}: damaged, not an evaluation; run `mien evaluate` again"
            ) from None

    def summary(self) -> dict[str, Any]:
        """Return everything but the figures of single images, as plain data."""
        return self.model_dump(mode="json", exclude={"labels", "probabilities"})


def evaluate(
    model: str | Path,
    data: Paths,
    split: str = "val",
    *,
    skip_bad: bool = False,
) -> Evaluation:
    """Measure a run or a Bundle on one split of a data set.

    A Bundle whose recipe split the data afresh has the data split that way again, so that train
    and val are what they were.

    Args:
        model: a run directory, a ``.onnx`` file or a shipped Bundle's name.
        data: the path of a data set, or several of Parquet files.
        split: that is measured.
        skip_bad: leave out images that cannot be used.

    Raises:
        BundleError: if there is no such Bundle.
        DataError: if the data cannot be read or the split has no images.
    """
    bundle = Bundle(find_bundle(model))
    afresh = DataSection.model_validate(bundle.metadata.recipe.get("data", {}))
    dataset = load_dataset(*as_paths(data), **afresh.model_dump(), skip_bad=skip_bad)
    return evaluate_bundle(bundle, dataset, split)


def evaluate_bundle(bundle: Bundle, dataset: FaceDataset, split: str) -> Evaluation:
    """Measure a Bundle on one split of a loaded data set.

    Args:
        bundle: what reads the faces.
        dataset: all of it, so that copies of the split's images in train can be counted.
        split: that is measured.

    Raises:
        DataError: if the split has no images.
    """
    faces = dataset.split(split)
    _, probabilities = bundle.predict(faces.images)
    trained_on = bundle.metadata.data
    known = trained_on.get("fingerprint") == dataset.fingerprint
    protocol = Protocol(
        model=bundle.metadata.name,
        data=dataset.name,
        fingerprint=dataset.fingerprint,
        split=split,
        images=len(faces),
        split_fingerprint=faces.fingerprint,
        split_rule=dataset.split_rule,
        checkpoint=bundle.metadata.checkpoint,
        same_data=known,
        trained_on_split=known and split == "train",
        chosen_on_split=known and split == trained_on.get("chosen_by"),
        skipped=len(dataset.skipped),
        identical_in_train=_identical_in_train(dataset, faces) if split != "train" else None,
    )
    return evaluate_probabilities(faces.labels, probabilities, protocol)


def evaluate_probabilities(
    labels: metrics.Labels, probabilities: metrics.Floats, protocol: Protocol
) -> Evaluation:
    """Compute every score from labels and probabilities.

    Shape: labels int64 (N,), probabilities (N, 7), N at least 1.
    """
    confusion = metrics.confusion_matrix(labels, probabilities.argmax(1))
    scores = metrics.class_scores(confusion)
    areas = metrics.class_auc(labels, probabilities)

    def score(of: Callable[[metrics.Counts], metrics.Floats]) -> Score:
        low, high = metrics.bootstrap_interval(confusion, of, seed=protocol.seed)
        return Score(value=float(of(confusion)), low=low, high=high)

    low, high = metrics.macro_auc_interval(labels, probabilities, seed=protocol.seed)
    return Evaluation(
        protocol=protocol,
        accuracy=score(metrics.accuracy),
        macro_f1=score(metrics.macro_f1),
        weighted_f1=score(metrics.weighted_f1),
        roc_auc=Score(
            value=_finite(metrics.macro_auc(labels, probabilities)),
            low=_finite(low),
            high=_finite(high),
        ),
        per_class=tuple(
            ClassScore(
                emotion=emotion,
                images=int(scores.support[label]),
                precision=_finite(scores.precision[label]),
                recall=_finite(scores.recall[label]),
                f1=_finite(scores.f1[label]),
                roc_auc=_finite(areas[label]),
            )
            for label, emotion in enumerate(EMOTIONS)
        ),
        confusion=tuple(map(tuple, confusion.tolist())),
        labels=tuple(labels.tolist()),
        probabilities=tuple(map(tuple, probabilities.astype(np.float64).tolist())),
    )


def _identical_in_train(dataset: FaceDataset, faces: FaceDataset) -> int | None:
    if "train" not in dataset.split_counts():
        return None
    known = {hashlib.sha256(image.tobytes()).digest() for image in dataset.train.images}
    return sum(hashlib.sha256(image.tobytes()).digest() in known for image in faces.images)


def show_score(value: float | None) -> str:
    """Return a score as people are shown it, a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
