"""Batches of a whole split that stays on the device; their order depends on the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mien.data import FaceDataset
from mien.data.fer2013 import FERPLUS_VOTES


class Batch(NamedTuple):
    """Images with their targets.

    Args:
        images: gray levels, uint8 (batch, 48, 48); for augmented images (batch, crop_px, crop_px).
        labels: labels, int64 (batch,).
        votes: FER+ votes, float32 (batch, 10), with zeros for an image without votes.
        taught: softened probabilities of the teachers, (batch, 7), for images that are augmented
            already (`mien.training.taught_batches`); else None.
    """

    images: Tensor
    labels: Tensor
    votes: Tensor
    taught: Tensor | None = None


class Batches:
    """Batches of a data set, shuffled if there is a seed.

    The order of epoch n is drawn from (seed, n) alone, so a resumed training gets the same batches
    as an uninterrupted one. FER-2013 is 66 MB: indexing it on the device costs less than any worker
    process.

    Args:
        dataset: data set whose images are moved to the device once.
        batch_size: number of images in each batch; a shuffled epoch leaves out its last, smaller
            batch.
        device: device on which the images stay.
        shuffle_seed: seed of the order; None keeps the order of the data set, and every image.
    """

    def __init__(
        self,
        dataset: FaceDataset,
        batch_size: int,
        device: torch.device,
        shuffle_seed: int | None = None,
    ) -> None:
        # copies: the data set's arrays are read-only, which torch does not support
        self.images = torch.from_numpy(np.array(dataset.images)).to(device)
        self.labels = torch.from_numpy(np.array(dataset.labels)).to(device)
        votes = dataset.votes
        if votes is None:
            votes = np.zeros((len(dataset), len(FERPLUS_VOTES)), np.int8)
        self.votes = torch.from_numpy(votes.astype(np.float32)).to(device)
        self.batch_size = min(batch_size, len(dataset))
        self.shuffle_seed = shuffle_seed
        self.epoch = 0

    def __len__(self) -> int:
        whole, rest = divmod(len(self.images), self.batch_size)
        return whole + (1 if rest and self.shuffle_seed is None else 0)

    def __iter__(self) -> Iterator[Batch]:
        for rows in self.rows():
            yield Batch(self.images[rows], self.labels[rows], self.votes[rows])

    def rows(self) -> Iterator[Tensor]:
        """Yield the positions of the images of each batch of the epoch. Shape: int64 (batch,)."""
        order = torch.arange(len(self.images))
        if self.shuffle_seed is not None:
            generator = np.random.default_rng((self.shuffle_seed, self.epoch))
            order = torch.from_numpy(generator.permutation(len(self.images)))
        order = order.to(self.images.device)
        for index in range(len(self)):
            yield order[index * self.batch_size : (index + 1) * self.batch_size]
