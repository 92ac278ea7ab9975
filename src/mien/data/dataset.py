"""FaceDataset: the images of a data set in memory, with their labels and splits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from mien.data.split import AS_STATED, SPLITS, count_splits
from mien.errors import DataError
from mien.images.crop import SIZE_PX
from mien.labels import EMOTIONS, NUM_CLASSES
from mien.types import Array, Images, Integers, Labels, Mask, Strings, Votes


@dataclass(frozen=True, eq=False)
class FaceDataset:
    """Gray face crops with their labels and splits. Immutable: the arrays refuse writes.

    Shape: images uint8 (N, 48, 48); labels and rows int64 (N,); splits and ids str (N,);
    votes int8 (N, 10).

    Args:
        images: gray levels, 0 for black to 255 for white.
        labels: positions in `mien.labels.EMOTIONS`.
        splits: name of each image's split: ``train``, ``val`` or ``test``.
        ids: readable name of each image, such as ``row 17``; in a folder, the path of its file
            relative to the folder.
        rows: row number of each image in its file, from 1; skipped rows keep their number. In
            several files the numbers continue from one file to the next; in a folder they are
            positions among its image files. By default 1 to N.
        votes: FER+ votes in the order of `mien.data.fer2013.FERPLUS_VOTES`, zeros for an image
            without votes; None if no image has any.
        name: display name of the data set.
        layout: name of the layout that it was loaded from, such as ``csv``; ``synthetic`` for drawn
            faces.
        split_rule: description of how the splits were made.
        skipped: one line for each image that was left out because it could not be used.
    """

    images: Images
    labels: Labels
    splits: Strings
    ids: Strings
    rows: Integers = field(default_factory=lambda: np.empty(0, np.int64))
    votes: Votes | None = None
    name: str = "faces"
    layout: str = "synthetic"
    split_rule: str = AS_STATED
    skipped: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        count = len(self.images)
        if len(self.rows) == 0:
            object.__setattr__(self, "rows", np.arange(1, count + 1))
        _expect("images", self.images, np.uint8, (count, SIZE_PX, SIZE_PX))
        _expect("labels", self.labels, np.int64, (count,))
        if self.splits.shape != (count,) or self.ids.shape != (count,):
            raise DataError(f"splits and ids: expected {count:,} of each, one for each image")
        _expect("rows", self.rows, np.int64, (count,))
        if self.votes is not None:
            _expect("votes", self.votes, np.int8, (count, 10))
        if count and not 0 <= self.labels.min() <= self.labels.max() < NUM_CLASSES:
            raise DataError(f"labels: expected 0 to {NUM_CLASSES - 1}")
        if unknown := set(np.unique(self.splits).tolist()) - set(SPLITS):
            raise DataError(f"splits: {sorted(unknown)}, expected {', '.join(SPLITS)}")
        for array in (self.images, self.labels, self.splits, self.ids, self.rows, self.votes):
            if array is not None:
                array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.images)

    @property
    def train(self) -> FaceDataset:
        """The images to train on."""
        return self.split("train")

    @property
    def val(self) -> FaceDataset:
        """The images to select checkpoints and settings by."""
        return self.split("val")

    @property
    def test(self) -> FaceDataset:
        """The images to report a final score on."""
        return self.split("test")

    def split(self, name: str) -> FaceDataset:
        """Return the images of one split.

        Raises:
            DataError: if there is no such split, or it has no images.
        """
        if name not in SPLITS:
            raise DataError(f"no split is called {name!r}, expected one of {', '.join(SPLITS)}")
        (positions,) = np.nonzero(self.splits == name)
        if len(positions) == 0:
            has = ", ".join(f"{split} {count:,}" for split, count in self.split_counts().items())
            raise DataError(
                f"{self.name}: split {name!r} has no images (there are: {has or 'none at all'})"
            )
        return self.take(positions)

    def take(self, positions: Integers) -> FaceDataset:
        """Return the images at some positions, in that order; views if these are consecutive."""
        consecutive = len(positions) > 0 and bool(np.all(np.diff(positions) == 1))
        where: Any = slice(int(positions[0]), int(positions[-1]) + 1) if consecutive else positions
        return replace(
            self,
            images=self.images[where],
            labels=self.labels[where],
            splits=self.splits[where],
            ids=self.ids[where],
            rows=self.rows[where],
            votes=None if self.votes is None else self.votes[where],
        )

    def split_counts(self) -> dict[str, int]:
        """Return the number of images in each split that has any, in the order of SPLITS."""
        return count_splits(self.splits)

    def class_counts(self) -> dict[str, int]:
        """Return the number of images of each emotion, zeros included."""
        counts = np.bincount(self.labels, minlength=NUM_CLASSES)
        return {emotion: int(count) for emotion, count in zip(EMOTIONS, counts, strict=True)}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of images, labels and splits, 16 hex digits; the same in every layout."""
        digest = hashlib.sha256(str(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        digest.update(",".join(self.splits.tolist()).encode())
        return digest.hexdigest()[:16]


def class_masks(labels: Labels) -> dict[str, Mask]:
    """Return a mask of the images of each emotion, in the order of EMOTIONS."""
    return {emotion: labels == label for label, emotion in enumerate(EMOTIONS)}


def _expect(name: str, array: Array, dtype: type, shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise DataError(f"{name}: {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shape}")
