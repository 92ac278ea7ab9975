"""FaceDataset: what every loader returns and every other room takes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.data.split import AS_STATED, SPLITS
from mien.errors import DataError
from mien.images.crop import SIZE_PX
from mien.labels import EMOTIONS, NUM_CLASSES

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class FaceDataset:
    """Gray face crops with their labels and splits. Immutable: the arrays refuse writes.

    Shape: images uint8 (N, 48, 48); labels int64 (N,); splits str (N,); ids str (N,);
    votes int8 (N, 10), zeros where an image has none, or None where no image has any.

    Args:
        images: gray levels, 0 black to 255 white.
        labels: positions in `mien.labels.EMOTIONS`.
        splits: ``train``, ``val`` or ``test`` for every image.
        ids: where each image came from: ``row 17`` or ``train/happy/17.png``.
        votes: FER+ votes in the order of `mien.labels.FERPLUS_VOTES`.
        name: the data set's name, for people.
        layout: ``csv``, ``folders``, ``parquet`` or ``synthetic``.
        split_rule: how the splits came about, in words.
        skipped: one line for every image left out because it could not be used.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    splits: npt.NDArray[np.str_]
    ids: npt.NDArray[np.str_]
    votes: npt.NDArray[np.int8] | None = None
    name: str = "faces"
    layout: str = "synthetic"
    split_rule: str = AS_STATED
    skipped: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        count = len(self.images)
        _expect("images", self.images, np.uint8, (count, SIZE_PX, SIZE_PX))
        _expect("labels", self.labels, np.int64, (count,))
        if self.splits.shape != (count,) or self.ids.shape != (count,):
            raise DataError(f"splits and ids: expected {count:,} of each, one an image")
        if self.votes is not None:
            _expect("votes", self.votes, np.int8, (count, 10))
        if count and not 0 <= self.labels.min() <= self.labels.max() < NUM_CLASSES:
            raise DataError(f"labels: expected 0 to {NUM_CLASSES - 1}")
        if unknown := set(np.unique(self.splits).tolist()) - set(SPLITS):
            raise DataError(f"splits: {sorted(unknown)}, expected {', '.join(SPLITS)}")
        for array in (self.images, self.labels, self.splits, self.ids, self.votes):
            if array is not None:
                array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.images)

    @property
    def train(self) -> FaceDataset:
        """The images to fit on."""
        return self.split("train")

    @property
    def val(self) -> FaceDataset:
        """The images to choose by."""
        return self.split("val")

    @property
    def test(self) -> FaceDataset:
        """The images to report on, once."""
        return self.split("test")

    def split(self, name: str) -> FaceDataset:
        """Return the images of one split.

        Raises:
            DataError: if ``name`` is no split, or has no images.
        """
        if name not in SPLITS:
            raise DataError(f"no split is called {name!r}, expected one of {', '.join(SPLITS)}")
        (rows,) = np.nonzero(self.splits == name)
        if len(rows) == 0:
            has = ", ".join(f"{split} {count:,}" for split, count in self.split_counts().items())
            raise DataError(
                f"{self.name}: split {name!r} has no images (there are: {has or 'none at all'})"
            )
        return self.take(rows)

    def take(self, rows: npt.NDArray[np.intp]) -> FaceDataset:
        """Return the images at ``rows``, in that order; no copy where the rows are consecutive."""
        consecutive = len(rows) > 0 and bool(np.all(np.diff(rows) == 1))
        where: Any = slice(int(rows[0]), int(rows[-1]) + 1) if consecutive else rows
        return replace(
            self,
            images=self.images[where],
            labels=self.labels[where],
            splits=self.splits[where],
            ids=self.ids[where],
            votes=None if self.votes is None else self.votes[where],
        )

    def split_counts(self) -> dict[str, int]:
        """Return the number of images in each split that has any, in the order of SPLITS."""
        counts = {split: int(np.count_nonzero(self.splits == split)) for split in SPLITS}
        return {split: count for split, count in counts.items() if count}

    def class_counts(self) -> dict[str, int]:
        """Return the number of images of each emotion, zeros included, in the labels' order."""
        counts = np.bincount(self.labels, minlength=NUM_CLASSES)
        return {emotion: int(count) for emotion, count in zip(EMOTIONS, counts, strict=True)}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over images, labels and splits, 16 hex digits: the same in every layout."""
        digest = hashlib.sha256(str(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        digest.update(",".join(self.splits.tolist()).encode())
        return digest.hexdigest()[:16]


def _expect(name: str, array: Array, dtype: type, shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise DataError(f"{name}: {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shape}")
