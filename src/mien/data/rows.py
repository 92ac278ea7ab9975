"""What a layout's reader hands to `load`: faces whose splits may not be settled yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.data.split import SPLITS
from mien.images.crop import SIZE_PX


@dataclass
class Rows:
    """The faces of one source, in its own order.

    Shape: as in `mien.data.FaceDataset`; ``splits`` has an empty string where the files are silent.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    splits: npt.NDArray[np.str_]
    ids: npt.NDArray[np.str_]
    votes: npt.NDArray[np.int8] | None = None
    skipped: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: npt.NDArray[Any], *, skipped: Iterable[str] = ()) -> Rows:
        """Return the rows at ``rows``, positions or a mask, with what was skipped added."""
        return Rows(
            self.images[rows],
            self.labels[rows],
            self.splits[rows],
            self.ids[rows],
            None if self.votes is None else self.votes[rows],
            [*self.skipped, *skipped],
        )

    def in_split_order(self) -> Rows:
        """Return train before val before test, otherwise in the source's order.

        The layouts store the same images in different orders; this is the one they all come to,
        and the one that makes a split a view instead of a copy.
        """
        rank = np.array([SPLITS.index(s) if s else 0 for s in np.unique(self.splits)])
        ranks = rank[np.unique(self.splits, return_inverse=True)[1]]
        if np.all(np.diff(ranks) >= 0):
            return self
        return self.take(np.argsort(ranks, kind="stable"))


def join_images(chunks: Iterable[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Join image arrays, freeing each as it is copied, so that memory never holds them twice.

    Shape: arrays that reshape to (n, 48, 48) -> (sum of n, 48, 48).
    """
    waiting: deque[npt.NDArray[np.uint8]] = deque(
        chunk.reshape(-1, SIZE_PX, SIZE_PX) for chunk in chunks
    )
    joined = np.empty((sum(map(len, waiting)), SIZE_PX, SIZE_PX), np.uint8)
    start = 0
    while waiting:
        chunk = waiting.popleft()
        joined[start : start + len(chunk)] = chunk
        start += len(chunk)
    return joined


def text_array(values: Iterable[str]) -> npt.NDArray[Any]:
    """Return strings as a NumPy string array, also when there are none."""
    return np.array(list(values), dtype=np.str_)
