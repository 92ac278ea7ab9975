"""Summary section: the scores with their protocol, missing parts, and what to try next."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from mien.bundle.bundle import Bundle, shipped_bundles
from mien.bundle.scores import ClassScore, Score
from mien.data import fer2013
from mien.evaluation import Evaluation
from mien.evaluation.describe import show_score
from mien.evaluation.metrics import share_interval
from mien.evaluation.result import Confused
from mien.labels import FER2013
from mien.reports.advice import (
    Advice,
    advise,
    is_hardly_better_than_guessing,
    majority_share,
)
from mien.reports.figures.comparison import draw_intervals
from mien.reports.sections.base import SECTIONS, Section
from mien.runs.test_log import count_measurements


class Reference(NamedTuple):
    """An accuracy to compare with.

    Args:
        model: name of the model.
        accuracy: accuracy of the model, 0 to 1.
        same_images: whether it was measured on the evaluated images.
        availability: openly available parts of the model.
    """

    model: str
    accuracy: float
    same_images: bool
    availability: str


@SECTIONS.register("summary")
class SummarySection(Section):
    """Report section with the scores, and everything that a reader must know before using them."""

    title = "Summary"
    order = 10

    @cached_property
    def ranked(self) -> list[ClassScore]:
        """Scores of the classes in the split, by F1 from low to high."""
        evaluation = self.content.evaluation
        scored = [row for row in evaluation.per_class if row.f1 is not None] if evaluation else []
        return sorted(scored, key=lambda row: row.f1 or 0.0)

    def figures(self) -> dict[str, Figure]:
        """Return the recall of each class with its interval, the best first."""
        evaluation = self.content.evaluation
        known = (
            [one for one in evaluation.per_class if one.recall is not None] if evaluation else []
        )
        if not known:
            return {}
        known.sort(key=lambda one: -(one.recall or 0))
        recalls = np.array([one.recall for one in known])
        low, high = share_interval(recalls, np.array([one.images for one in known]))
        scores = {
            one.emotion: Score(value=float(value), low=float(least), high=float(most))
            for one, value, least, most in zip(known, recalls, low, high, strict=True)
        }
        return {"recalls": draw_intervals(scores, "recall")}

    @property
    def most_confused(self) -> Confused | None:
        """The most frequent mistake; None if there is none."""
        evaluation = self.content.evaluation
        pairs = evaluation.most_confused(1) if evaluation else []
        return pairs[0] if pairs else None

    @property
    def majority_share(self) -> float:
        """Accuracy of always guessing the most common label."""
        return majority_share(self.content)

    @property
    def verdict(self) -> str:
        """The result in a sentence or two."""
        evaluation = self.content.evaluation
        assert evaluation is not None
        accuracy, guess = evaluation.accuracy.value or 0.0, self.majority_share
        if accuracy <= guess:
            return (
                f"Not better than guessing ({show_score(accuracy)} against {show_score(guess)} for "
                f"always guessing the most common label): {self.content.name} has learned nothing "
                "yet."
            )
        if is_hardly_better_than_guessing(self.content):
            return (
                f"Hardly better than guessing ({show_score(accuracy)} against "
                f"{show_score(guess)}): {self.content.name} has learned little yet."
            )
        verdict = f"{self.content.name} reads {round(100 * accuracy)} of 100 faces as labelled"
        if len(self.ranked) < 2:
            return f"{verdict}."
        best, worst = self.ranked[-1].emotion, self.ranked[0].emotion
        return f"{verdict}; it is best on {best}, and {worst} is its weakness."

    @property
    def absent(self) -> list[str]:
        """Classes without an image in the split, which the averages over classes leave out."""
        evaluation = self.content.evaluation
        return [row.emotion for row in evaluation.per_class if not row.images] if evaluation else []

    @property
    def test_measurements(self) -> int:
        """Number of logged measurements of the run on a test split."""
        return count_measurements(self.content.run.path) if self.content.run else 0

    @property
    def human_accuracy(self) -> str:
        """Accuracy of people on FER-2013 with its std; empty for other data."""
        if self._usage is None:
            return ""
        return f"{fer2013.HUMAN_ACCURACY:.2f} ± {fer2013.HUMAN_ACCURACY_STD:.2f}"

    @cached_property
    def references(self) -> list[Reference]:
        """Accuracies of other models on FER-2013's held-out images; none for other data."""
        if self._usage is None or self._usage == fer2013.USAGES["train"]:
            return []
        assert self.content.evaluation is not None
        same = self._usage == fer2013.USAGES["test"]
        others = (
            Reference(one.model, one.accuracy, same, one.note) for one in fer2013.PUBLISHED_SCORES
        )
        return [*_shipped_references(self.content.evaluation), *others]

    @property
    def advice(self) -> list[Advice]:
        """Advice on what to try next."""
        return advise(self.content)

    def numbers(self) -> dict[str, Any]:
        """Return the subject of the report, its scores, and its missing parts."""
        content = self.content
        return {
            "model": content.name,
            "data": content.data,
            "split": content.split,
            "evaluation": content.evaluation.summary().model_dump(mode="json")
            if content.evaluation
            else None,
            "missing": list(content.missing),
        }

    @cached_property
    def _usage(self) -> str | None:
        evaluation = self.content.evaluation
        if evaluation is None or evaluation.names != FER2013.names or self.content.drawn:
            return None
        return fer2013.find_usage([row.images for row in evaluation.per_class])


def _shipped_references(evaluation: Evaluation) -> list[Reference]:
    """Return the accuracies of shipped Bundles on the evaluated images."""
    protocol = evaluation.protocol
    return [
        Reference(f"mien's {name}", score.accuracy.value, True, "comes with mien")
        for name, path in shipped_bundles().items()
        for score in Bundle(path).metadata.scores
        if name != protocol.model
        and score.protocol.fingerprint == protocol.fingerprint
        and score.protocol.split == protocol.split
        and score.accuracy.value is not None
    ]
