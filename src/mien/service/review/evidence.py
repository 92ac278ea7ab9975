"""What a reviewer is shown about a face: findings, votes, a model's reading, duplicates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.bundle.bundle import Bundle
from mien.curation.label_reader import LabelReading, doubt, read_with_bundle
from mien.curation.manifest import positions_by_id
from mien.data import FaceDataset
from mien.data.duplicates.groups import Duplicates
from mien.data.fer2013 import FERPLUS_VOTES
from mien.errors import DataError
from mien.io.limits import CONTENT_MB, read_file
from mien.types import Integers, Mask

# Checks of labels, which a reviewer can settle best; the faces of other findings come after them.
_OF_LABELS: Final = (
    "conflicting-labels",
    "label-noise",
    "doubtful-labels",
    "voted-no-face",
    "conflicting-near-duplicates",
)


@dataclass(frozen=True)
class Found:
    """One finding of an audit that names images.

    Args:
        check: name of the check.
        title: finding in one line.
        notes: what the audit says of each image, by its position, the clearest case first.
    """

    check: str
    title: str
    notes: dict[int, str]


def read_findings(path: Path, dataset: FaceDataset) -> list[Found]:
    """Return the findings of an audit that name images, those about labels first.

    Args:
        path: path of ``audit.json``, or of its folder.
        dataset: data set that was audited.

    Raises:
        DataError: if there is no audit, or it is one of other data.
    """
    if path.is_dir():
        path = path / "audit.json"
    content = read_file(path, max_bytes=CONTENT_MB.value << 20)
    try:
        # Not by the model of an audit: names of files need not be UTF-8, which it refuses.
        audit = json.loads(content)
        listed = [
            (str(one["check"]), str(one["title"]), _cases(one["items"]))
            for one in audit["findings"]
        ]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(
            f"{path}: is not the audit.json that mien data audit writes; make it anew"
        ) from None
    positions = positions_by_id(dataset)
    found = []
    for check, title, cases in listed:
        notes: dict[int, str] = {}
        for name, label, note in cases:
            row = positions.get(name, -1)
            if row < 0 or dataset.names[dataset.labels[row]] != label:
                raise DataError(
                    f"{path}: names {name[:60]!r} of class {label[:20]}, which {dataset.name} does "
                    "not have; is it the audit of another data set, or of other --labels?"
                )
            notes.setdefault(row, note)
        if notes:
            found.append(Found(check, title, notes))
    last = len(_OF_LABELS)
    places = {name: place for place, name in enumerate(_OF_LABELS)}
    return sorted(found, key=lambda one: places.get(one.check, last))


def _cases(items: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return id, label and note of all images of a finding."""
    return [
        (str(image["id"]), str(image["label"]), str(item.get("note", "")))
        for item in items
        for image in item["images"]
    ]


@dataclass(frozen=True, eq=False)
class Reading:
    """What a model reads in some of the faces.

    Args:
        reader: the model, in words.
        of: place of each row in `probabilities`, for the rows that the model was not trained on.
        probabilities: probability of each class. Shape: (rows, classes).
        doubts: how confidently the model contradicts each label. Shape: (rows,).
    """

    reader: str
    of: dict[int, int]
    probabilities: Any
    doubts: Any


def read_faces(
    dataset: FaceDataset, rows: Integers, bundle: Bundle, trained_on: Mask | None
) -> Reading | None:
    """Read some of the faces with a Bundle that was not trained on them.

    Args:
        dataset: data set.
        rows: positions of the faces.
        bundle: Bundle.
        trained_on: mask of the images that it was trained on; None if unknown. Shape: (N,).

    Returns:
        The reading; None if the Bundle was trained on all of them.

    Raises:
        DataError: if the Bundle reads other classes or other crops than the data set has.
    """
    if trained_on is None and bundle.metadata.data.fingerprint == dataset.fingerprint:
        trained_on = np.asarray(dataset.splits == "train")
    known = None if trained_on is None else trained_on[rows]
    found: LabelReading | None = read_with_bundle(dataset.take(rows), bundle, known)
    if found is None:
        return None
    (places,) = np.nonzero(found.read)
    probabilities = found.probabilities[places]
    return Reading(
        found.reader,
        {int(row): place for place, row in enumerate(rows[places])},
        probabilities,
        doubt(dataset.labels[rows[places]], probabilities),
    )


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that is known about the faces of a review.

    Args:
        dataset: data set.
        rows: positions of the faces to review, in order.
        duplicates: all duplicates within the data set.
        found: findings of its audit.
        reading: what a model reads in the faces; None without a model.
    """

    dataset: FaceDataset
    rows: Integers
    duplicates: Duplicates
    found: Sequence[Found] = ()
    reading: Reading | None = None
    _order: Integers = field(init=False)
    _groups: Integers = field(init=False)

    def __post_init__(self) -> None:
        order = np.argsort(self.duplicates.groups, kind="stable")
        object.__setattr__(self, "_order", order)
        object.__setattr__(self, "_groups", self.duplicates.groups[order])

    def findings(self, row: int) -> list[tuple[Found, str]]:
        """Return the findings that name a face, with what each says of it."""
        return [(one, one.notes[row]) for one in self.found if row in one.notes]

    def votes(self, row: int) -> list[tuple[str, int]]:
        """Return the FER+ votes of a face, the most frequent first."""
        if self.dataset.votes is None:
            return []
        counts = self.dataset.votes[row].tolist()
        votes = [(name, count) for name, count in zip(FERPLUS_VOTES, counts, strict=True) if count]
        return sorted(votes, key=lambda vote: -vote[1])

    def copies(self, row: int) -> list[tuple[int, bool]]:
        """Return the duplicates of a face and whether each is identical, identical ones first."""
        group = self.duplicates.groups[row]
        start, end = (int(np.searchsorted(self._groups, group, side)) for side in ("left", "right"))
        exact = self.duplicates.exact
        others = [
            (one, bool(exact[one] == exact[row]))
            for one in self._order[start:end].tolist()
            if one != row
        ]
        return sorted(others, key=lambda other: not other[1])

    def ordered(self, rows: list[int], order: str) -> list[int]:
        """Return faces in the order that a reviewer asked for (`ORDERS`).

        Those that no model has read come last.
        """
        reading = self.reading
        if order == "found" or reading is None:
            return rows
        surest = reading.probabilities.max(1)

        def rank(row: int) -> tuple[bool, float]:
            place = reading.of.get(row)
            if place is None:
                return True, 0.0
            return False, -reading.doubts[place] if order == "doubted" else surest[place]

        return sorted(rows, key=rank)


ORDERS: Final = ("found", "doubted", "unsure")


def choose_rows(
    dataset: FaceDataset,
    found: Sequence[Found] | None,
    *,
    split: str | None = None,
    label: int | None = None,
) -> Integers:
    """Return the positions of the faces to review, those of the first finding first.

    Args:
        dataset: data set.
        found: findings whose images are reviewed; None for all images.
        split: split that they must be in.
        label: label that they must have.

    Raises:
        DataError: if there are none.
    """
    if found is None:
        rows = np.arange(len(dataset))
    else:
        rows = np.array(list(dict.fromkeys(row for one in found for row in one.notes)), np.int64)
    kept = np.ones(len(rows), bool)
    if split is not None:
        kept &= dataset.splits[rows] == split
    if label is not None:
        kept &= dataset.labels[rows] == label
    if not kept.any():
        what = "faces" if found is None else "faces that the audit names"
        raise DataError(f"{dataset.name}: there are no {what} of this split and class to review")
    return np.asarray(rows[kept])
