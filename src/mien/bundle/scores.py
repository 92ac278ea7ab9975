"""Scores and the protocol of their measurement, as typed records; nothing is computed here."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

NO_TTA: Final = "none"


class Record(BaseModel):
    """A record that cannot be changed once it is made."""

    model_config = ConfigDict(frozen=True)


class Score(Record):
    """A score and its 95% bootstrap interval; None if it cannot be computed."""

    value: float | None
    low: float | None
    high: float | None


class ClassScore(Record):
    """Scores of one class; None if the split has no image of it."""

    emotion: str
    images: int
    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None


class WithoutOverlap(Record):
    """Scores on the images without a duplicate among the images that the model knows."""

    images: int
    accuracy: Score
    macro_f1: Score


class Protocol(Record):
    """The protocol of a measurement, without which scores cannot be compared."""

    model: str
    """Name of the Bundle."""
    data: str
    """Name of the data set."""
    fingerprint: str
    """Fingerprint of the whole data set, its splits included."""
    split: str
    """Name of the evaluated split."""
    images: int
    """Number of evaluated images."""
    split_fingerprint: str = ""
    """Fingerprint of the evaluated images and their labels, in their order."""
    split_rule: str
    """Description of how the splits were made."""
    tta: str = NO_TTA
    """Test-time augmentation (`mien.evaluation.tta`); ``none`` reads each image once."""
    checkpoint: str = ""
    """Description of how the weights were chosen."""
    same_data: bool = False
    """Whether the model was trained on this very data set."""
    trained_on_split: bool = False
    """Whether the model was trained on the evaluated images, so that the score says little."""
    chosen_on_split: bool = False
    """Whether the weights were chosen by the evaluated images, which flatters the score."""
    skipped: int = 0
    """Number of images of the data set that could not be used and were left out."""
    identical_in_train: int | None = None
    """Number of evaluated images that have an exact duplicate in the train split of the data set;
    None if it has no train split, and for the train split itself."""
    near_in_train: int | None = None
    """Number of further evaluated images that have a near duplicate there; None as above."""
    trained_on: int | None = None
    """Number of evaluated images that the run was trained on, pixel for pixel; None if that is not
    known: for a Bundle outside its run, and for runs of older versions."""
    chosen_by: int | None = None
    """Number of evaluated images by which the run chose its weights; None as above."""
    resamples: int = 1000
    """Number of bootstrap resamples behind the intervals."""
    seed: int = 0
    """Seed of the bootstrap."""


class ScoreSummary(Record):
    """The scores of one evaluation with their protocol, without the figures of single images.

    Further fields of an evaluation (areas under curves, a scorecard) are kept unchanged.
    """

    model_config = ConfigDict(extra="allow")

    protocol: Protocol
    accuracy: Score
    macro_f1: Score
    weighted_f1: Score
    roc_auc: Score
    per_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    without_overlap: WithoutOverlap | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, in order."""
        return tuple(row.emotion for row in self.per_class)
