"""Augmented versions of a data set, which the teachers read once and the student reads in turn.

If the teachers read every image in every epoch, that costs many times as much as the student's own
steps. With ``distill.views = 30``, epoch 31 uses the images of epoch 1 again, with the same
answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from mien.data import FaceDataset
from mien.models import to_levels, to_unit
from mien.training.batches import Batch, Batches
from mien.training.distill import Teachers
from mien.training.module import channels_last

_CHUNK = 512


class TaughtBatches(Batches):
    """Batches of augmented images with the teachers' probabilities for them.

    An augmented version of the data set is made at its first epoch, and depends on its number and
    the seed alone: a resumed training makes the same one again. All versions stay on the device: 66
    MB each for FER-2013, 2 GB for 30.

    Args:
        dataset: data set to augment.
        batch_size: number of images in each batch.
        device: device on which all versions stay.
        seed: seed of the batch order and of the augmentation.
        augmentation: augmentation of a batch.
        teachers: teacher ensemble, which reads each version once.
        views: number of augmented versions.
        bf16: whether the teachers compute in bf16, as the student does.
        part: number of this process, and number of processes, each of which makes all versions.
    """

    def __init__(
        self,
        dataset: FaceDataset,
        batch_size: int,
        device: torch.device,
        seed: int,
        *,
        augmentation: Callable[[Tensor], Tensor],
        teachers: Teachers,
        views: int,
        bf16: bool,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        super().__init__(dataset, batch_size, device, seed, part)
        self.seed = seed
        self.augmentation = augmentation
        self.teachers = teachers
        self.views = views
        self.bf16 = bf16
        self._made: dict[int, tuple[Tensor, Tensor]] = {}

    def __iter__(self) -> Iterator[Batch]:
        number = self.epoch % self.views
        if number not in self._made:
            self._made[number] = self._make(number)
        images, taught = self._made[number]
        for rows in self.rows():
            yield Batch(images[rows], self.labels[rows], self.votes[rows], taught[rows].float())

    @torch.no_grad()
    def _make(self, number: int) -> tuple[Tensor, Tensor]:
        """Augment every image and let the teachers read it.

        Shape: -> uint8 (N, side, side) or (N, side, side, 3), float16 (N, classes).
        """
        device = self.device
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.seed * 100_003 + 50_000 + number)
            # In random order: an augmentation may treat the first images of a batch unlike the last
            # ones.
            order = torch.randperm(len(self.labels)).to(device)
            views, answers = [], []
            for rows in torch.split(order, _CHUNK):
                views.append(to_levels(self.augmentation(to_unit(self.images(rows)))))
                with torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
                    answers.append(self.teachers.ask(channels_last(to_unit(views[-1]))).half())
        back = order.argsort()
        return torch.cat(views)[back], torch.cat(answers)[back]
