"""Batches of a whole split that stays on the device; their order depends on the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mien.data import FaceDataset
from mien.data.fer2013 import FERPLUS_VOTES
from mien.io.mapped import release_pages
from mien.types import Images

_RELEASE_BYTES: Final = 64 << 20
_BLOCK: Final = 1024  # images at a time


class Batch(NamedTuple):
    """Images with their targets.

    Args:
        images: face crops, uint8 (batch, side, side), or (batch, side, side, 3) in colour; the side
            is size_px, or crop_px for augmented images.
        labels: labels, int64 (batch,).
        votes: FER+ votes, float32 (batch, 10), with zeros for an image without votes.
        taught: softened probabilities of the teachers, (batch, classes), for images that are
            augmented already (`mien.training.taught_batches`); else None.
    """

    images: Tensor
    labels: Tensor
    votes: Tensor
    taught: Tensor | None = None


class Batches:
    """Batches of a data set, shuffled if there is a seed.

    The order of epoch n is drawn from (seed, n) alone, so a resumed training gets the same batches
    as an uninterrupted one. Indexing the images costs less than any worker process. On a CPU they
    stay where they are, in memory or mapped from a file; to a GPU they are copied once.

    Args:
        dataset: data set to draw the batches from.
        batch_size: number of images in each batch; a shuffled epoch leaves out its last, smaller
            batch.
        device: device on which the images stay.
        shuffle_seed: seed of the order; None keeps the order of the data set, and every image.
        part: number of this process, and number of processes: each batch is divided among them.
    """

    def __init__(
        self,
        dataset: FaceDataset,
        batch_size: int,
        device: torch.device,
        shuffle_seed: int | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        self.part = part
        self.device = device
        self._images = dataset.images
        self._on_device = _copy_to(device, dataset.images) if device.type != "cpu" else None
        # copies: the data set's arrays are read-only, which torch does not support
        self.labels = torch.from_numpy(np.array(dataset.labels)).to(device)
        votes = dataset.votes
        if votes is None:
            votes = np.zeros((len(dataset), len(FERPLUS_VOTES)), np.int8)
        self.votes = torch.from_numpy(votes.astype(np.float32)).to(device)
        self.batch_size = min(batch_size, len(dataset) // part[1] * part[1])
        self.shuffle_seed = shuffle_seed
        self.epoch = 0
        self._taken = 0  # bytes of images since their pages were released

    def __len__(self) -> int:
        whole, rest = divmod(len(self.labels), self.batch_size)
        return whole + (1 if rest and self.shuffle_seed is None else 0)

    def __iter__(self) -> Iterator[Batch]:
        for rows in self.rows():
            yield Batch(self.images(rows), self.labels[rows], self.votes[rows])

    def images(self, rows: Tensor) -> Tensor:
        """Return the images at some positions, on the device. Shape: int64 (batch,)."""
        if self._on_device is not None:
            return self._on_device[rows]
        taken = torch.from_numpy(self._images[rows.numpy()])
        self._taken += taken.nbytes
        if self._taken > _RELEASE_BYTES:
            release_pages(self._images)
            self._taken = 0
        return taken

    def rows(self) -> Iterator[Tensor]:
        """Yield the positions of this process's images of each batch. Shape: int64 (batch,)."""
        order = torch.arange(len(self.labels))
        if self.shuffle_seed is not None:
            generator = np.random.default_rng((self.shuffle_seed, self.epoch))
            order = torch.from_numpy(generator.permutation(len(self.labels)))
        order = order.to(self.device)
        for index in range(len(self)):
            batch = order[index * self.batch_size : (index + 1) * self.batch_size]
            yield batch[self.part[0] :: self.part[1]]


def _copy_to(device: torch.device, images: Images) -> Tensor:
    """Return the images on a device, copied block by block."""
    copied = torch.empty(images.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(images), _BLOCK):
        copied[start : start + _BLOCK] = torch.from_numpy(np.array(images[start : start + _BLOCK]))
        release_pages(images)
    return copied
