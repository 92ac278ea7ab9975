"""What to do about the faults of a data set: which images to drop, merge, relabel and move.

Decisions are made on a data set and its duplicates, and applied to it; nothing here reads or
writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from mien.curation.manifest import Decision, rows_by_id
from mien.data.dataset import FaceDataset
from mien.data.duplicates.groups import Duplicates, Mask
from mien.data.split import SPLITS
from mien.data.votes import find_majorities, labels_of
from mien.errors import DataError
from mien.images.crop import is_blank
from mien.labels import EMOTIONS, NUM_CLASSES

LeakRule = Literal["drop", "move", "keep"]
Rows = npt.NDArray[np.int64]

# The splits that an image of a split may have no duplicate in. The later one is the more precious:
# it keeps its images, so that scores on it stay comparable.
_LATER: Final = {"train": ("test", "val"), "val": ("test",)}


def decide(
    dataset: FaceDataset, duplicates: Duplicates, *, leaks: LeakRule = "drop"
) -> list[Decision]:
    """Return what to do to a data set so that its scores can be believed.

    In this order: images that show nothing are dropped. Identical images with different labels take
    the one that their FER+ votes, together, clearly name, else the one that most of them have; at a
    tie all are dropped. Of identical images in one split the first is kept. Then leaks: images with
    a duplicate, identical or near, in another split. Near duplicates within a split are left alone.

    Args:
        dataset: the data set.
        duplicates: `mien.data.duplicates.groups.find_duplicates` of its images.
        leaks: ``drop`` the images of train that have a duplicate in val or test, and those of val
            that have one in test; ``move`` all duplicates of such an image into train, where
            nothing is lost for learning; or ``keep`` them.

    Returns:
        Decisions in the order of the images; an image that is not dropped may have two, a new label
        and a new split.

    Raises:
        DataError: if two images have the same id.
    """
    rows_by_id(dataset)
    draft = _Draft(dataset, duplicates)
    draft.drop_blank()
    draft.settle_labels()
    draft.merge()
    if leaks == "drop":
        draft.drop_leaks()
    elif leaks == "move":
        draft.move_leaks()
        draft.merge()  # copies from several splits are now in one
    return draft.decisions()


def apply_decisions(dataset: FaceDataset, decisions: Iterable[Decision]) -> FaceDataset:
    """Return the data set as the decisions leave it, in the order of its splits.

    Args:
        dataset: that the decisions are about.
        decisions: as `decide` or `mien.curation.manifest.read_manifest` gave them.

    Raises:
        DataError: if no image is left, or two have the same id.
    """
    rows = rows_by_id(dataset)
    labels, splits = np.array(dataset.labels), np.array(dataset.splits)
    kept = np.ones(len(dataset), bool)
    for decision in decisions:
        row = rows[decision.id]
        if decision.action == "relabel":
            labels[row] = EMOTIONS.index(decision.new_label)
        elif decision.action == "move":
            splits[row] = decision.new_split
        else:
            kept[row] = False
    if not kept.any():
        raise DataError(f"{dataset.name}: all images would be dropped; nothing would be left")
    ranks = np.array([SPLITS.index(split) for split in splits.tolist()])
    order = np.argsort(ranks, kind="stable")
    return replace(dataset, labels=labels, splits=splits).take(order[kept[order]])


class _Change(NamedTuple):
    action: str
    because: str
    duplicate: int  # row, -1 where there is none


class _Draft:
    """A data set while decisions are made: what is kept so far, and with which label and split."""

    def __init__(self, dataset: FaceDataset, duplicates: Duplicates) -> None:
        self.dataset = dataset
        self.duplicates = duplicates
        self.kept = np.ones(len(dataset), bool)
        self.labels = np.array(dataset.labels)
        self.splits = np.array(dataset.splits)
        self._removed: dict[int, _Change] = {}
        self._relabelled: dict[int, _Change] = {}
        self._moved: dict[int, _Change] = {}

    def drop_blank(self) -> None:
        """Drop the images that show nothing."""
        for row in np.flatnonzero(is_blank(self.dataset.images)):
            self._remove(row, _Change("drop", "shows nothing", -1))

    def settle_labels(self) -> None:
        """Give identical images one label, or drop them all."""
        for rows in _groups(self.duplicates.identical, self.kept):
            labels = self.dataset.labels[rows]
            if (labels == labels[0]).all():
                continue
            label, how = self._settle(rows)
            for row, own in zip(rows.tolist(), labels.tolist(), strict=True):
                if label is None:
                    other = int(rows[labels != own][0])
                    self._remove(row, _Change("drop", how, other))
                elif own != label:
                    self.labels[row] = label
                    duplicate = int(rows[labels == label][0])
                    self._relabelled[row] = _Change("relabel", how, duplicate)

    def merge(self) -> None:
        """Keep the first of identical images in a split."""
        pictures = self.duplicates.identical * len(SPLITS) + _numbers(self.splits)
        for rows in _groups(pictures, self.kept):
            first, *others = rows.tolist()
            for row in others:
                same = self.dataset.labels[row] == self.dataset.labels[first]
                how = "identical, same label" if same else "identical, other label"
                self._remove(row, _Change("merge", how, first))

    def drop_leaks(self) -> None:
        """Drop images that have a duplicate in a later split."""
        splits = np.where(self.kept, self.splits, "")  # before any is dropped
        for split, later in _LATER.items():
            for other in later:
                there = splits == other
                nearest, near = self.duplicates.nearest(there), self.duplicates.among(there).near
                for row in np.flatnonzero(self.kept & (splits == split) & (nearest >= 0)):
                    how = "near duplicate of" if near[row] else "identical to"
                    change = _Change("drop", f"{how} one of {other}", int(nearest[row]))
                    self._remove(row, change)

    def move_leaks(self) -> None:
        """Move all that is linked by duplicates to an image of another split into train."""
        splits = self.splits.copy()
        elsewhere = {
            split: self.duplicates.nearest(self.kept & (splits != split)) for split in SPLITS
        }
        for rows in _groups(self.duplicates.groups, self.kept):
            if (splits[rows] == splits[rows[0]]).all():
                continue
            for row in rows[splits[rows] != "train"].tolist():
                split = str(splits[row])
                duplicate = int(elsewhere[split][row])
                if duplicate < 0:  # linked through duplicates in its own split
                    duplicate = int(rows[splits[rows] != split][0])
                self.splits[row] = "train"
                self._moved[row] = _Change(
                    "move", f"has a duplicate in {splits[duplicate]}", duplicate
                )

    def decisions(self) -> list[Decision]:
        """Return what was decided. What is dropped in the end needs no new label or split."""
        touched = sorted({*self._removed, *self._relabelled, *self._moved})
        return [
            self._decision(row, change)
            for row in touched
            for change in (
                [self._removed.get(row)]
                if row in self._removed
                else [self._relabelled.get(row), self._moved.get(row)]
            )
            if change is not None
        ]

    def _decision(self, row: int, change: _Change) -> Decision:
        dataset = self.dataset
        return Decision(
            id=str(dataset.ids[row]),
            action=change.action,
            split=str(dataset.splits[row]),
            label=EMOTIONS[dataset.labels[row]],
            new_split=str(self.splits[row]) if change.action == "move" else "",
            new_label=EMOTIONS[self.labels[row]] if change.action == "relabel" else "",
            because=change.because,
            duplicate="" if change.duplicate < 0 else str(dataset.ids[change.duplicate]),
        )

    def _settle(self, rows: Rows) -> tuple[int | None, str]:
        """Return the label of identical images and how it was found; None if they are at odds."""
        labels = self.dataset.labels[rows]
        if self.dataset.votes is not None:
            votes = self.dataset.votes[rows].sum(0, keepdims=True, dtype=np.int64)
            label = int(labels_of(find_majorities(votes))[0])
            if label in labels:
                return label, "identical, FER+ votes decide"
        counts = np.bincount(labels, minlength=NUM_CLASSES)
        if np.count_nonzero(counts == counts.max()) == 1:
            return int(counts.argmax()), "identical, most labels decide"
        return None, "identical, labels at odds"

    def _remove(self, row: int | np.intp, change: _Change) -> None:
        self.kept[row] = False
        self._removed[int(row)] = change


def _numbers(splits: npt.NDArray[np.str_]) -> Rows:
    return np.array([SPLITS.index(split) for split in splits.tolist()], np.int64)


def _groups(numbers: Rows, among: Mask) -> list[Rows]:
    """Return the rows of each number that several have, of those in ``among``, in their order."""
    rows = np.flatnonzero(among)
    order = rows[np.argsort(numbers[rows], kind="stable")]
    ends = np.flatnonzero(np.diff(numbers[order])) + 1
    return [group for group in np.split(order, ends) if len(group) > 1]
