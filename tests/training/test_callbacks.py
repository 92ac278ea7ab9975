from __future__ import annotations

import numpy as np
import pytest
import torch

from mien.data.synthetic import synthetic_faces
from mien.recipes.sections import TrainSection
from mien.training.callbacks import averaged_weights, history_csv, rate_at
from mien.training.module import balanced_weights


def test_cosine_warms_up_and_falls_to_nothing():
    train = TrainSection(schedule="cosine", lr=0.1, warmup=0.1)
    rates = [rate_at(step / 1000, train) for step in range(1001)]
    assert rates[0] == 0
    assert rates[50] == pytest.approx(0.05)
    assert max(rates) == rates[100] == pytest.approx(0.1)
    assert rates[550] == pytest.approx(0.05)
    assert rates[1000] == pytest.approx(0)


def test_one_cycle_matches_torchs():
    train = TrainSection(schedule="one-cycle", lr=0.1)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=1001)
    for step in range(1000):
        expected = theirs.get_last_lr()[0]
        assert rate_at(step / 1000, train) == pytest.approx(expected, abs=3e-4)  # a step off
        optimizer.step()
        theirs.step()


def test_an_average_follows_fast_at_first_and_slowly_later():
    average = averaged_weights(0.99)._kwargs["multi_avg_fn"]
    mean, value = torch.zeros(1), torch.ones(1)
    average([mean], [value], torch.tensor(0))
    assert mean.item() == pytest.approx(0.9)  # decay (1 + 0) / (10 + 0)
    mean.zero_()
    average([mean], [value], torch.tensor(100_000))
    assert mean.item() == pytest.approx(0.01)


def test_an_average_copies_what_is_no_float():
    average = averaged_weights(0.99)._kwargs["multi_avg_fn"]
    count = torch.tensor([3])
    average([count], [torch.tensor([7])], torch.tensor(5))
    assert count.item() == 7


def test_balanced_weights_are_scikit_learns():
    from sklearn.utils.class_weight import compute_class_weight

    faces = synthetic_faces(300)
    expected = compute_class_weight("balanced", classes=np.arange(7), y=faces.labels)
    torch.testing.assert_close(balanced_weights(faces).double(), torch.tensor(expected))


def test_history_text_has_a_row_an_epoch():
    row = {"epoch": 1, "train_loss": 1.5, "train_accuracy": 0.25, "val_loss": 1.25,
           "val_accuracy": 0.5, "lr": 0.1, "seconds": 2.0, "images_per_second": 100.0}  # fmt: skip
    assert history_csv([row]).splitlines()[1] == "1,1.5,0.25,1.25,0.5,0.1,2,100"
