"""Faces section: random faces, confident mistakes, uncertain right answers, doubtful labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.curation.label_reader import doubt
from mien.data import FaceDataset
from mien.data.votes import find_majorities, labels_of
from mien.evaluation.metrics import Floats
from mien.labels import FER2013
from mien.reports.advice import is_hardly_better_than_guessing
from mien.reports.faces import Sample, confused_examples, surest_mistakes, take_samples
from mien.reports.sections.base import SECTIONS, EvaluationSection
from mien.types import Mask

_DRAWN: Final = 24
_SHOWN: Final = 12  # least certain faces, and doubtful labels
_SEED: Final = 0


@dataclass(frozen=True)
class Doubts:
    """Labels that may be wrong.

    Args:
        images: number of doubted labels.
        among_mistakes: number of these that are shown among the mistakes.
        samples: the faces with the most doubtful labels among the others.
        mistakes_voted: number of the network's mistakes on which most FER+ voters named one of
            FER-2013's labels; None without votes, or if the labels are other ones.
        voters_agree: number of these on which they named the label that the network read.
    """

    images: int
    among_mistakes: int
    samples: list[Sample]
    mistakes_voted: int | None
    voters_agree: int | None


@SECTIONS.register("faces")
class FacesSection(EvaluationSection):
    """Report section with faces of the evaluated split."""

    title = "Example faces"
    order = 40
    needs = ("evaluation", "dataset")
    without = "Faces are shown only if there are an evaluation and the data set."

    @cached_property
    def drawn(self) -> list[Sample]:
        """Faces drawn at random, among which mistakes are as frequent as in the split."""
        rows = np.random.default_rng(_SEED).permutation(self.evaluation.protocol.images)[:_DRAWN]
        return self._take(rows)

    @cached_property
    def mistakes(self) -> list[Sample]:
        """Faces that were not read as labelled, the most confident first."""
        return self._take(surest_mistakes(self.evaluation))

    @cached_property
    def least_certain(self) -> list[Sample]:
        """Faces that were read as labelled, the least confident first."""
        order = np.argsort(self._confidence, kind="stable")
        return self._take(order[self._right[order]][:_SHOWN])

    @cached_property
    def doubts(self) -> Doubts:
        """Labels that the network doubts, by confident learning; and FER+ votes on mistakes."""
        doubts = doubt(self.labels, self.probabilities)
        order = np.argsort(-doubts, kind="stable")
        rows = order[doubts[order] > 0]
        shown = [examples for _, examples in confused_examples(self.evaluation)]
        above = np.isin(rows, np.concatenate([surest_mistakes(self.evaluation), *shown]))
        votes = self._dataset.split(self.evaluation.protocol.split).votes
        mistakes_voted = voters_agree = None
        if votes is not None and votes.any() and self._dataset.label_set == FER2013:
            majorities = labels_of(find_majorities(votes))
            voted = ~self._right & (majorities >= 0)
            mistakes_voted = int(voted.sum())
            voters_agree = int((voted & (majorities == self.probabilities.argmax(1))).sum())
        others = self._take(rows[~above][:_SHOWN])
        return Doubts(len(rows), int(above.sum()), others, mistakes_voted, voters_agree)

    def numbers(self) -> dict[str, Any]:
        """Return the ids of the faces that are shown, by kind; empty if none are shown."""
        shown = self._shown() if self.complete else {}
        return {"faces": {kind: [one.id for one in samples] for kind, samples in shown.items()}}

    @property
    def judges_labels(self) -> bool:
        """Whether the network has learned enough to doubt a label."""
        return not is_hardly_better_than_guessing(self.content)

    def count_faces(self) -> int:
        """Return the number of faces of the data set that the section shows."""
        return sum(map(len, self._shown().values()))

    def _shown(self) -> dict[str, list[Sample]]:
        """Return the faces that are shown, by kind."""
        shown = {"random": self.drawn}
        if self.judges_labels:
            shown |= {
                "confident_mistakes": self.mistakes,
                "least_certain": self.least_certain,
                "doubtful_labels": self.doubts.samples,
            }
        return shown

    @property
    def _dataset(self) -> FaceDataset:
        assert self.content.dataset is not None
        return self.content.dataset

    @cached_property
    def _right(self) -> Mask:
        return self.evaluation.right()

    @cached_property
    def _confidence(self) -> Floats:
        return np.asarray(self.probabilities.max(1))

    def _take(self, rows: npt.NDArray[np.intp]) -> list[Sample]:
        return take_samples(self._dataset, self.evaluation, rows.tolist())
