"""Evaluation: scores with their intervals and their protocol, to JSON and back."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError, computed_field

from mien.errors import RunError
from mien.evaluation import metrics
from mien.evaluation.curves import Areas, measure_areas
from mien.evaluation.protocol import Protocol, Record
from mien.evaluation.score import Score, show_score
from mien.evaluation.scorecard import Scorecard
from mien.io.files import write_text
from mien.labels import EMOTIONS


class ClassScore(Record):
    """One class's scores; None where the split has no image of it."""

    emotion: str
    images: int
    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None


class Confused(Record):
    """How often faces with one label were read as another emotion, and as a share of the label."""

    label: str
    read: str
    images: int
    share: float


class WithoutOverlap(Record):
    """The scores on those images alone that stand nowhere else."""

    images: int
    accuracy: Score
    macro_f1: Score


class Evaluation(Record):
    """All that was measured, and what it was measured from.

    ``labels`` and ``probabilities`` keep every further figure within reach without the images.
    ``without_overlap`` leaves out the images that have a duplicate in the data set's train split,
    identical or near, and those that the run trained on or chose by; but for choosing by the split
    as a whole, which the protocol says. None where there are none of these, or no others.
    ``scorecard`` holds the four figures beyond the label; None where they were not asked for, and
    where they cannot be measured, for the reason that ``no_scorecard`` states.
    """

    protocol: Protocol
    accuracy: Score
    macro_f1: Score
    weighted_f1: Score
    roc_auc: Score
    per_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    without_overlap: WithoutOverlap | None = None
    scorecard: Scorecard | None = None
    no_scorecard: str = ""
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

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def areas(self) -> Areas:
        """The areas under the ROC and precision–recall curves."""
        return measure_areas(*self._arrays())

    def most_confused(self, count: int) -> list[Confused]:
        """Return the pairs of label and reading that go wrong most often, the commonest first."""
        cells = np.array(self.confusion)
        np.fill_diagonal(cells, 0)
        order = np.argsort(-cells, axis=None, kind="stable")[:count]
        pairs = [(int(cell) // len(cells), int(cell) % len(cells)) for cell in order]
        return [
            Confused(
                label=EMOTIONS[label],
                read=EMOTIONS[read],
                images=int(cells[label, read]),
                share=float(cells[label, read] / self.per_class[label].images),
            )
            for label, read in pairs
            if cells[label, read]
        ]

    def right(self) -> npt.NDArray[np.bool_]:
        """Return whether each image was read as labelled. Shape: (N,)."""
        labels, probabilities = self._arrays()
        return np.asarray(probabilities.argmax(1) == labels)

    def overlap_sentence(self) -> str:
        """Return the score without the overlap as one line for people; empty where it has none.

        It follows on from the protocol's sentence, which ends in what the overlap is.
        """
        rest = self.without_overlap
        if rest is None:
            return ""
        accuracy, macro_f1 = (
            f"{show_score(score.value)} ({show_score(score.low)} to {show_score(score.high)})"
            for score in (rest.accuracy, rest.macro_f1)
        )
        left_out = self.protocol.images - rest.images
        these = f"these {left_out:,}" if left_out > 1 else "this one"
        left = "images" if rest.images > 1 else "image"
        return (
            f"Without {these}: accuracy {accuracy}, macro F1 {macro_f1} on {rest.images:,} {left}"
        )

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
