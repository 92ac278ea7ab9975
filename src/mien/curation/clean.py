"""Clean a data set: decide which images to drop, merge, relabel and move, and apply decisions.

Nothing here reads or writes files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Literal, NamedTuple

import numpy as np

from mien.curation.manifest import Decision, positions_by_id
from mien.data.dataset import FaceDataset
from mien.data.duplicates.groups import Duplicates, repeated
from mien.data.fer2013 import FERPLUS_VOTES
from mien.data.split import SPLITS, split_ranks
from mien.data.votes import NO_MAJORITY, find_majorities
from mien.errors import DataError
from mien.images.crop import is_blank
from mien.types import Integers

LeakRule = Literal["drop", "move", "keep"]

# For each split, the splits in which its images may have no duplicate. Those splits keep their
# images, so that scores on them stay comparable.
_LATER: Final = {"train": ("test", "val"), "val": ("test",)}


def decide(
    dataset: FaceDataset, duplicates: Duplicates, *, leaks: LeakRule = "drop"
) -> list[Decision]:
    """Return decisions that make the scores on a data set trustworthy.

    First, blank images are dropped. Second, identical images with different labels get the label
    with a clear majority of their FER+ votes together, else the label of most of them; if labels
    tie, all are dropped. Third, only the first of identical images in a split is kept. Last come
    leaks: images with an exact or near duplicate in another split. Near duplicates within a split
    are left alone.

    Args:
        dataset: data set to clean.
        duplicates: all duplicates within it (`mien.data.duplicates.groups.find_duplicates`).
        leaks: ``drop`` images of train with a duplicate in val or test, and images of val with one
            in test; ``move`` such images and all their duplicates into train, which keeps all of
            them for training; or ``keep`` them.

    Returns:
        Decisions in the order of the images. An image that is not dropped may have two: a new label
        and a new split.

    Raises:
        DataError: if two images have the same id.
    """
    positions_by_id(dataset)
    draft = _Draft(dataset, duplicates)
    draft.drop_blank()
    draft.settle_labels()
    draft.merge()
    if leaks == "drop":
        draft.drop_leaks()
    elif leaks == "move":
        draft.move_leaks()
        draft.merge()  # copies from several splits are now in the same one
    return draft.decisions()


def apply_decisions(dataset: FaceDataset, decisions: Iterable[Decision]) -> FaceDataset:
    """Return a cleaned data set, in the order of its splits.

    Args:
        dataset: data set that the decisions are about.
        decisions: decisions from `decide` or `mien.curation.manifest.read_manifest`.

    Raises:
        DataError: if no image is left, or two images have the same id.
    """
    positions = positions_by_id(dataset)
    labels, splits = np.array(dataset.labels), np.array(dataset.splits)
    kept = np.ones(len(dataset), bool)
    for decision in decisions:
        row = positions[decision.id]
        if decision.action == "relabel":
            labels[row] = dataset.names.index(decision.new_label)
        elif decision.action == "move":
            splits[row] = decision.new_split
        else:
            kept[row] = False
    if not kept.any():
        raise DataError(f"{dataset.name}: all images would be dropped; keep at least one")
    order = np.argsort(split_ranks(splits), kind="stable")
    return replace(dataset, labels=labels, splits=splits).take(order[kept[order]])


class _Change(NamedTuple):
    action: str
    because: str
    duplicate: int  # position; -1 if there is none


class _Draft:
    """A data set while decisions are made: the images kept so far, their labels and splits."""

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
        """Drop blank images."""
        for row in np.flatnonzero(is_blank(self.dataset.images)):
            self._remove(row, _Change("drop", "blank", -1))

    def settle_labels(self) -> None:
        """Give identical images the same label, or drop them all."""
        for rows in repeated(self.duplicates.exact, self.kept):
            labels = self.dataset.labels[rows]
            if (labels == labels[0]).all():
                continue
            label, reason = self._settle(rows)
            for row, own in zip(rows.tolist(), labels.tolist(), strict=True):
                if label is None:
                    other = int(rows[labels != own][0])
                    self._remove(row, _Change("drop", reason, other))
                elif own != label:
                    self.labels[row] = label
                    duplicate = int(rows[labels == label][0])
                    self._relabelled[row] = _Change("relabel", reason, duplicate)

    def merge(self) -> None:
        """Keep only the first of identical images in a split."""
        pictures = self.duplicates.exact * len(SPLITS) + split_ranks(self.splits)
        for rows in repeated(pictures, self.kept):
            first, *others = rows.tolist()
            for row in others:
                same = self.dataset.labels[row] == self.dataset.labels[first]
                reason = "identical, same label" if same else "identical, other label"
                self._remove(row, _Change("merge", reason, first))

    def drop_leaks(self) -> None:
        """Drop images that have a duplicate in a later split."""
        splits = np.where(self.kept, self.splits, "")  # before any leak is dropped
        for split, later in _LATER.items():
            for other in later:
                there = splits == other
                nearest, near = self.duplicates.nearest(there), self.duplicates.among(there).near
                for row in np.flatnonzero(self.kept & (splits == split) & (nearest >= 0)):
                    reason = "near duplicate of" if near[row] else "identical to"
                    change = _Change("drop", f"{reason} one of {other}", int(nearest[row]))
                    self._remove(row, change)

    def move_leaks(self) -> None:
        """Move images linked by duplicates to an image of another split into train."""
        splits = self.splits.copy()
        elsewhere = {
            split: self.duplicates.nearest(self.kept & (splits != split)) for split in SPLITS
        }
        for rows in repeated(self.duplicates.groups, self.kept):
            if (splits[rows] == splits[rows[0]]).all():
                continue
            for row in rows[splits[rows] != "train"].tolist():
                split = str(splits[row])
                duplicate = int(elsewhere[split][row])
                if duplicate < 0:  # linked only through duplicates in its own split
                    duplicate = int(rows[splits[rows] != split][0])
                self.splits[row] = "train"
                self._moved[row] = _Change(
                    "move", f"has a duplicate in {splits[duplicate]}", duplicate
                )

    def decisions(self) -> list[Decision]:
        """Return all decisions; images that are dropped in the end get no new label or split."""
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
            label=dataset.names[dataset.labels[row]],
            new_split=str(self.splits[row]) if change.action == "move" else "",
            new_label=dataset.names[self.labels[row]] if change.action == "relabel" else "",
            because=change.because,
            duplicate="" if change.duplicate < 0 else str(dataset.ids[change.duplicate]),
        )

    def _settle(self, rows: Integers) -> tuple[int | None, str]:
        """Return the label of identical images and its reason; None if labels tie."""
        labels = self.dataset.labels[rows]
        if self.dataset.votes is not None:
            votes = self.dataset.votes[rows].sum(0, keepdims=True, dtype=np.int64)
            (majority,) = find_majorities(votes)
            voted = None if majority == NO_MAJORITY else FERPLUS_VOTES[majority]
            label = self.dataset.label_set.find(voted) if voted else None
            if label in labels:
                return label, "identical, FER+ votes decide"
        counts = np.bincount(labels)
        if np.count_nonzero(counts == counts.max()) == 1:
            return int(counts.argmax()), "identical, most labels decide"
        return None, "identical, labels tie"

    def _remove(self, row: int | np.intp, change: _Change) -> None:
        self.kept[row] = False
        self._removed[int(row)] = change
