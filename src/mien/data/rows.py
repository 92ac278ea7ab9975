"""Rows: the images of one data set as its format reads them, before splits are assigned."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from mien.data.split import split_ranks
from mien.images.crop import SIZE_PX
from mien.types import Array, Images, Integers, Labels, Mask, Strings, Votes


@dataclass
class Rows:
    """The images of one data set, in the order of its files.

    Shape: as in `mien.data.FaceDataset`; ``splits`` holds an empty text for an image whose split
    the files do not state.
    """

    images: Images
    labels: Labels
    splits: Strings
    ids: Strings
    rows: Integers
    votes: Votes | None = None
    skipped: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, where: Integers | Mask, *, skipped: Iterable[str] = ()) -> Rows:
        """Return some of the images.

        Args:
            where: positions of the images, or a mask.
            skipped: lines to add to those about skipped images.
        """
        return Rows(
            self.images[where],
            self.labels[where],
            self.splits[where],
            self.ids[where],
            self.rows[where],
            None if self.votes is None else self.votes[where],
            [*self.skipped, *skipped],
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


def join_images(chunks: Iterable[Images]) -> Images:
    """Join image arrays, and free each after it is copied, so that memory never holds all twice.

    Shape: arrays that reshape to (n, 48, 48) -> (sum of n, 48, 48).
    """
    waiting: deque[Images] = deque(chunk.reshape(-1, SIZE_PX, SIZE_PX) for chunk in chunks)
    joined = np.empty((sum(map(len, waiting)), SIZE_PX, SIZE_PX), np.uint8)
    start = 0
    while waiting:
        chunk = waiting.popleft()
        joined[start : start + len(chunk)] = chunk
        start += len(chunk)
    return joined


def text_array(values: Iterable[str]) -> Array:
    """Return strings as a NumPy string array, even if there are none."""
    return np.array(list(values), dtype=np.str_)
