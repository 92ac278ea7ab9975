"""The contract of audit checks: their base class, what they check, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final

from mien.bundle.bundle import Bundle
from mien.curation.findings import Finding
from mien.curation.pairs import NearPairs, near_pairs
from mien.data import FaceDataset
from mien.data.duplicates.groups import Duplicates
from mien.data.statistics import gray_levels
from mien.images.crop import is_blank
from mien.labels import FER2013
from mien.registry import Registry
from mien.types import Floats, Mask


@dataclass(frozen=True, eq=False)
class Subject:
    """The subject of an audit: a data set, its duplicates, and what else the checks need.

    Args:
        dataset: data set, loaded with ``skip_bad``.
        duplicates: all duplicates within it.
        bundle: Bundle to read the faces with, to find doubtful labels; None if there is none.
        trained_on: mask of the images that the Bundle was trained on; None if unknown. Shape: (N,).
    """

    dataset: FaceDataset
    duplicates: Duplicates
    bundle: Bundle | None = None
    trained_on: Mask | None = None

    @cached_property
    def near_pairs(self) -> NearPairs:
        """Pairs of near duplicates, the most similar first."""
        return near_pairs(self.dataset, self.duplicates)

    @cached_property
    def gray_levels(self) -> tuple[Floats, Floats]:
        """Mean and std of each image's gray levels. Shape: (N,), (N,)."""
        return gray_levels(self.dataset.images)

    @cached_property
    def blank(self) -> Mask:
        """Mask of the blank images. Shape: (N,)."""
        return is_blank(self.dataset.images)

    @property
    def has_splits(self) -> bool:
        """Whether there are at least two splits to compare."""
        return len(self.dataset.split_counts()) > 1

    @property
    def has_votes(self) -> bool:
        """Whether FER+ votes can judge the labels: there are any, and labels are FER-2013's."""
        return self.dataset.has_votes and self.is_fer2013

    @property
    def is_fer2013(self) -> bool:
        """Whether the classes are FER-2013's, so that facts about that data set may apply."""
        return self.dataset.label_set == FER2013


class NotChecked(Exception):  # noqa: N818 - not an error: the audit reports it
    """Raised with the reason why a check is impossible for a data set."""


class Check(ABC):
    """One check of an audit: a class in a module of its own.

        @CHECKS.register("my_check")  # the name of the module
        class MyCheck(Check):
            order = 150
            passed = "no images like mine"

    Attributes:
        order: rank among the checks, lowest first.
        passed: line of the audit if nothing was found; empty for no line.
        needs_splits: whether the check compares splits.
        needs_votes: whether the check needs FER+ votes for the labels.
        needs_fer2013: whether the check knows facts about FER-2013 alone.
        needs_photographs: whether the check says nothing about drawn faces.
    """

    order: ClassVar[int]
    passed: ClassVar[str] = ""
    needs_splits: ClassVar[bool] = False
    needs_votes: ClassVar[bool] = False
    needs_fer2013: ClassVar[bool] = False
    needs_photographs: ClassVar[bool] = False

    def applies(self, subject: Subject) -> bool:
        """Return whether the data set has what the check needs."""
        splits = subject.has_splits or not self.needs_splits
        labels = subject.is_fer2013 or not self.needs_fer2013
        photographs = not (subject.dataset.drawn and self.needs_photographs)
        return splits and labels and photographs and (subject.has_votes or not self.needs_votes)

    @abstractmethod
    def find(self, subject: Subject) -> list[Finding]:
        """Return the findings; none if the data set is fine.

        Raises:
            NotChecked: if the data set does not allow the check; the audit then states the reason.
        """


CHECKS: Final[Registry[type[Check]]] = Registry(
    "check", group="mien.checks", package="mien.curation.checks", base=Check
)
