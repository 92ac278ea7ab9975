from __future__ import annotations

import torch

from mien.training.batches import Batches

CPU = torch.device("cpu")


def test_a_shuffled_epoch_gives_every_image_at_most_once(faces):
    batches = Batches(faces, 32, CPU, shuffle_seed=0)
    seen = torch.cat([batch.images for batch in batches]).flatten(1)
    assert len(batches) == len(faces) // 32
    assert len(seen) == len(batches) * 32
    assert len(seen.unique(dim=0)) == len(seen)


def test_epochs_differ_and_repeat_from_seed_and_number_alone(faces):
    batches = Batches(faces, 32, CPU, shuffle_seed=0)
    first = next(iter(batches)).images
    batches.epoch = 1
    second = next(iter(batches)).images
    batches.epoch = 0
    assert torch.equal(next(iter(batches)).images, first)
    assert not torch.equal(first, second)


def test_without_a_seed_every_image_comes_in_order(faces):
    batches = Batches(faces, 32, CPU)
    labels = torch.cat([batch.labels for batch in batches])
    assert labels.tolist() == faces.labels.tolist()
    assert len(batches) == sum(1 for _ in batches)


def test_a_batch_is_never_larger_than_the_data(faces):
    assert len(Batches(faces, 1000, CPU, shuffle_seed=0)) == 1
