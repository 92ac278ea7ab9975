"""FaceDataset: the images of a data set in memory, with their labels and splits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from mien.data.rows import take_images
from mien.data.split import AS_STATED, SPLITS, count_splits
from mien.errors import DataError
from mien.images.crop import DEFAULT_CROP, CropSpec
from mien.io.mapped import release_pages
from mien.labels import FER2013, LabelSet
from mien.types import Array, Images, Integers, Labels, Mask, Strings, Votes

_BLOCK: Final = 256  # images at a time


@dataclass(frozen=True, eq=False)
class FaceDataset:
    """Face crops with their labels and splits. Immutable: the arrays refuse writes.

    Shape: images uint8 (N, size_px, size_px), or (N, size_px, size_px, 3) in red-green-blue; labels
    and rows int64 (N,); splits and ids str (N,); votes int8 (N, 10).

    Args:
        images: gray levels or colours, 0 for black to 255 for white; many are mapped from a file.
        labels: positions in ``label_set.names``.
        splits: name of each image's split: ``train``, ``val`` or ``test``.
        ids: readable name of each image, such as ``row 17``; in a folder, the path of its file
            relative to the folder.
        rows: row number of each image in its file, from 1; skipped rows keep their number. In
            several files the numbers continue from one file to the next; in a folder they are
            positions among its image files. By default 1 to N.
        votes: FER+ votes in the order of `mien.data.fer2013.FERPLUS_VOTES`, zeros for an image
            without votes; None if no image has any.
        name: display name of the data set.
        layout: name of the layout that it was loaded from, such as ``csv``; ``synthetic`` for faces
            that were just drawn.
        drawn: whether mien drew the faces (`mien.data.synthetic`), so that no figure on them says
            anything about people. Files remember it.
        split_rule: description of how the splits were made.
        skipped: one line for each image that was left out because it could not be used.
        notes: lines that the user should read about how the images were read.
        label_set: classes of the data set.
        crop: size and channels of the images.
    """

    images: Images
    labels: Labels
    splits: Strings
    ids: Strings
    rows: Integers = field(default_factory=lambda: np.empty(0, np.int64))
    votes: Votes | None = None
    name: str = "faces"
    layout: str = "synthetic"
    drawn: bool = False
    split_rule: str = AS_STATED
    skipped: tuple[str, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)
    label_set: LabelSet = FER2013
    crop: CropSpec = DEFAULT_CROP

    def __post_init__(self) -> None:
        count = len(self.images)
        if len(self.rows) == 0:
            object.__setattr__(self, "rows", np.arange(1, count + 1))
        _expect("images", self.images, np.uint8, (count, *self.crop.shape))
        _expect("labels", self.labels, np.int64, (count,))
        if self.splits.shape != (count,) or self.ids.shape != (count,):
            raise DataError(f"splits and ids: expected {count:,} of each, one for each image")
        _expect("rows", self.rows, np.int64, (count,))
        if self.votes is not None:
            _expect("votes", self.votes, np.int8, (count, 10))
        if count and not 0 <= self.labels.min() <= self.labels.max() < len(self.label_set):
            raise DataError(f"labels: expected 0 to {len(self.label_set) - 1}")
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
        """Return the images at some positions, in that order.

        Consecutive images are a view; many others are kept in a file that is mapped.
        """
        consecutive = len(positions) > 0 and bool(np.all(np.diff(positions) == 1))
        where: Any = slice(int(positions[0]), int(positions[-1]) + 1) if consecutive else positions
        return replace(
            self,
            images=self.images[where] if consecutive else take_images(self.images, positions),
            labels=self.labels[where],
            splits=self.splits[where],
            ids=self.ids[where],
            rows=self.rows[where],
            votes=None if self.votes is None else self.votes[where],
        )

    def split_counts(self) -> dict[str, int]:
        """Return the number of images in each split that has any, in the order of SPLITS."""
        return count_splits(self.splits)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, in order."""
        return self.label_set.names

    @property
    def has_votes(self) -> bool:
        """Whether any image has FER+ votes."""
        return self.votes is not None and bool(self.votes.any())

    def class_counts(self) -> dict[str, int]:
        """Return the number of images of each class, zeros included."""
        counts = np.bincount(self.labels, minlength=len(self.names))
        return {name: int(count) for name, count in zip(self.names, counts, strict=True)}

    def class_masks(self) -> dict[str, Mask]:
        """Return a mask of the images of each class, in order."""
        return {name: self.labels == label for label, name in enumerate(self.names)}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of images, labels and splits, 16 hex digits; the same in every layout."""
        digest = hashlib.sha256(str(self.images.shape).encode())
        for start in range(0, len(self), _BLOCK):
            digest.update(np.ascontiguousarray(self.images[start : start + _BLOCK]).data)
            release_pages(self.images)
        digest.update(np.ascontiguousarray(self.labels).data)
        digest.update(",".join(self.splits.tolist()).encode())
        if self.label_set != FER2013:  # fingerprints of before there were others stay as they were
            digest.update("\0".join(self.names).encode())
        return digest.hexdigest()[:16]


def _expect(name: str, array: Array, dtype: type, shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise DataError(f"{name}: {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shape}")
