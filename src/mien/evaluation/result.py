"""The result of an evaluation, saved as JSON: scores with their intervals and their protocol."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import ConfigDict, computed_field

from mien.bundle.scores import Record, Score, ScoreSummary
from mien.errors import RunError
from mien.evaluation import describe, metrics
from mien.evaluation.curves import Areas, measure_areas
from mien.evaluation.groups import Grouping, measure_groups
from mien.evaluation.scorecard import Scorecard
from mien.io.records import read_record, write_record
from mien.types import Labels, Mask, Strings


class Confused(Record):
    """The number of faces with one label that were read as another class."""

    label: str
    """Name of the label."""
    read: str
    """Name of the class that was read instead."""
    images: int
    """Number of these images."""
    share: float
    """Number of these images as a share of all images with the label."""


class Evaluation(ScoreSummary):
    """The scores of a model on one split, with the protocol and the answer to every image.

    From `labels` and `probabilities` every other figure can be computed without the images.
    `without_overlap` excludes the images that have a duplicate in the train split of the data set,
    exact or near, and those that the run trained on or was chosen by. If the whole split chose the
    weights, these images stay in, and the protocol says so.
    """

    model_config = ConfigDict(extra="ignore")

    labels: tuple[int, ...]
    """Label of each image."""
    probabilities: tuple[tuple[float, ...], ...]
    """Probabilities of each image. Shape: (N, classes)."""
    scorecard: Scorecard | None = None
    """Four figures beyond the label; None if they were not requested or cannot be measured."""
    groups: tuple[Grouping, ...] = ()
    """Figures by group of people; empty if none were given."""
    no_scorecard: str = ""
    """Reason why the four figures cannot be measured."""

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def log_loss(self) -> float:
        """Mean cross-entropy, in nats."""
        return metrics.log_loss(*self._arrays())

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def calibration_error(self) -> float:
        """Expected calibration error (`metrics.calibration_error`)."""
        return metrics.calibration_error(*self._arrays())

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def areas(self) -> Areas:
        """Areas under the ROC and precision–recall curves."""
        return measure_areas(*self._arrays(), self.names)

    def with_groups(self, groups: Mapping[str, Strings]) -> Self:
        """Return the evaluation with the figures of each group of people.

        Args:
            groups: for each column, the group of each evaluated image, empty for none
                (`mien.data.groups.read_groups`). Shape: str (N,).
        """
        found = measure_groups(*self._arrays(), groups, names=self.names, seed=self.protocol.seed)
        return self.model_copy(update={"groups": found})

    def headline(self) -> dict[str, Score]:
        """Return the scores over all classes, by their display names."""
        return {
            "accuracy": self.accuracy,
            "macro F1": self.macro_f1,
            "weighted F1": self.weighted_f1,
            "ROC-AUC": self.roc_auc,
        }

    def most_confused(self, count: int) -> list[Confused]:
        """Return the most frequent confusions of a label with another class, most frequent first.

        Args:
            count: maximum number of confusions to return.
        """
        cells = np.array(self.confusion)
        np.fill_diagonal(cells, 0)
        order = np.argsort(-cells, axis=None, kind="stable")[:count]
        pairs = [(int(cell) // len(cells), int(cell) % len(cells)) for cell in order]
        return [
            Confused(
                label=self.per_class[label].emotion,
                read=self.per_class[read].emotion,
                images=int(cells[label, read]),
                share=float(cells[label, read] / self.per_class[label].images),
            )
            for label, read in pairs
            if cells[label, read]
        ]

    def right(self) -> Mask:
        """Return whether each image was read as labelled. Shape: (N,)."""
        labels, probabilities = self._arrays()
        return np.asarray(probabilities.argmax(1) == labels)

    def describe_protocol(self) -> str:
        """Return how the scores were measured, as one readable line."""
        return describe.describe_protocol(self.protocol)

    def describe_overlap(self) -> str:
        """Return how many images have a duplicate in the train split, in words."""
        return describe.describe_overlap(self.protocol)

    def describe_without_overlap(self) -> str:
        """Return the scores on the other images as one line; empty if there are no duplicates."""
        return describe.describe_without_overlap(self)

    def summary(self) -> ScoreSummary:
        """Return the evaluation without the answers to single images, as a Bundle holds it."""
        plain = self.model_dump(mode="json", exclude={"labels", "probabilities"})
        return ScoreSummary.model_validate(plain)

    def save(self, path: Path) -> None:
        """Write the evaluation as JSON, whole or not at all.

        Raises:
            MienError: if the file cannot be written.
        """
        write_record(path, self, indent=None)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read an evaluation that `save` wrote.

        Raises:
            RunError: if the file is missing or damaged.
        """
        mend = "measure again: mien evaluate"
        read = read_record(cls, path, mend=mend)
        if reason := read._misfit():
            raise RunError(f"{path}: damaged ({reason}); {mend}")
        return read

    def _misfit(self) -> str:
        """Return why parts of an edited evaluation do not fit together; empty if they do."""
        images, classes = len(self.labels), len(self.per_class)
        if not images or classes < 2 or {len(row) for row in self.probabilities} != {classes}:
            return "expected a row of probabilities for each image, with one for each class"
        if len(self.probabilities) != images or {
            len(self.confusion),
            *map(len, self.confusion),
        } != {classes}:
            return (
                f"expected {images:,} rows of probabilities, and a confusion of {classes} classes"
            )
        labels, probabilities = self._arrays()
        if labels.min() < 0 or labels.max() >= classes:
            return f"expected labels of 0 to {classes - 1}"
        sums = probabilities.sum(1)
        if not np.isfinite(sums).all() or probabilities.min() < 0 or np.abs(sums - 1).max() > 0.01:
            return "expected probabilities from 0 to 1 that sum to 1"
        return ""

    def _arrays(self) -> tuple[Labels, metrics.Floats]:
        return np.array(self.labels), np.array(self.probabilities)
