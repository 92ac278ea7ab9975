"""Rows: the images of one data set as its format reads them, before splits are assigned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from mien.data.split import split_ranks
from mien.images.crop import CropSpec
from mien.io.files import cache_dir
from mien.io.mapped import RowsFile, take_rows
from mien.types import Array, Images, Integers, Labels, Mask, Strings, Votes


@dataclass
class Rows:
    """The images of one data set, in the order of its files.

    Shape: as in `mien.data.FaceDataset`; ``splits`` holds an empty text for an image whose split
    the files do not state.

    Args:
        skipped: one line for each image that was left out because it could not be used.
        unknown: number of images left out by the word for their class, which is none of the labels.
        notes: lines that the user should read about how the images were read.
        drawn: whether the files state that mien drew the faces.
    """

    images: Images
    labels: Labels
    splits: Strings
    ids: Strings
    rows: Integers
    votes: Votes | None = None
    skipped: list[str] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    drawn: bool = False

    def __len__(self) -> int:
        return len(self.images)

    def take(self, where: Integers | Mask, *, skipped: Iterable[str] = ()) -> Rows:
        """Return some of the images; many are kept in a file that is mapped.

        Args:
            where: positions of the images, or a mask.
            skipped: lines to add to those about skipped images.
        """
        return replace(
            self,
            images=take_images(self.images, where),
            labels=self.labels[where],
            splits=self.splits[where],
            ids=self.ids[where],
            rows=self.rows[where],
            votes=None if self.votes is None else self.votes[where],
            skipped=[*self.skipped, *skipped],
        )

    def in_split_order(self) -> Rows:
        """Return train before val before test, each in the order of the files.

        Layouts store the same images in different orders; all of them are brought into this one,
        in which a split is a view instead of a copy.
        """
        ranks = split_ranks(self.splits)
        if np.all(np.diff(ranks) >= 0):
            return self
        return self.take(np.argsort(ranks, kind="stable"))


def take_images(images: Images, where: Integers | Mask) -> Images:
    """Return some images; many are kept in a file that is mapped (`mien.io.mapped.take_rows`)."""
    return take_rows(images, where, cache_dir() / "scratch")


def collect_images(crop: CropSpec) -> RowsFile:
    """Return an empty store, to which a reader adds its crops block by block."""
    return RowsFile(crop.shape, cache_dir() / "scratch")


def text_array(values: Iterable[str]) -> Array:
    """Return strings as a NumPy string array, even if there are none."""
    return np.array(list(values), dtype=np.str_)
