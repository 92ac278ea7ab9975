from __future__ import annotations

from types import SimpleNamespace

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from tests.conftest import TINY

from mien.data.synthetic.faces import synthetic_faces
from mien.recipes.sections import TrainSection
from mien.training.callbacks import AveragedWeights, Checkpoint, rate_at
from mien.training.history import history_csv
from mien.training.module import balanced_weights
from mien.training.train import train


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


class Counter(pl.LightningModule):
    """A weight and a buffer of whole numbers, as a network and its batch normalization have."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.register_buffer("batches", torch.tensor(0))


def average_after(updates, decay=0.99):
    """Return the average of a weight that was 0 until now, and is 1 after so many updates."""
    module, average = Counter(), AveragedWeights(decay, torch.device("cpu"))
    average.setup(SimpleNamespace(), module, "fit")
    with torch.no_grad():
        module.weight.fill_(1)
    module.batches += 7
    average.on_train_batch_end(SimpleNamespace(global_step=updates + 1), module, None, None, 0)
    return average._average_model


def test_an_average_begins_as_a_copy_follows_fast_at_first_and_slowly_later():
    assert average_after(0).module.weight.item() == 1
    assert average_after(1).module.weight.item() == pytest.approx(
        9 / 11
    )  # decay (1 + 1) / (10 + 1)
    assert average_after(100_000).module.weight.item() == pytest.approx(0.01)


def test_an_average_copies_what_is_no_float_and_counts_its_updates():
    averaged = average_after(5)
    assert averaged.module.batches.item() == 7
    assert averaged.n_averaged.item() == 1


def checkpoints(tmp_path, **options):
    """Return how many of ten quick epochs are written."""
    written = []

    class Counting(Checkpoint):
        def _save_last_checkpoint(self, trainer, monitor_candidates):
            written.append(trainer.current_epoch)

        def _should_skip_saving_checkpoint(self, trainer):
            written.append(trainer.current_epoch)
            return True

    callback = Counting(dirpath=tmp_path, filename="last", **options)
    for epoch in range(10):
        trainer = SimpleNamespace(current_epoch=epoch, max_epochs=10, should_stop=False)
        callback.on_train_epoch_end(trainer, None)
    return written


def test_checkpoints_are_written_after_each_epoch_or_when_it_is_time_and_at_the_end(tmp_path):
    every = checkpoints(tmp_path, least_seconds=0, asked_to_stop=lambda: False)
    assert every == list(range(10))
    rarely = checkpoints(tmp_path, least_seconds=3600, asked_to_stop=lambda: False)
    assert rarely == [0, 9]
    stopping = checkpoints(tmp_path, least_seconds=3600, asked_to_stop=lambda: True)
    assert stopping == list(range(10))


def test_balanced_weights_are_scikit_learns():
    from sklearn.utils.class_weight import compute_class_weight

    faces = synthetic_faces(300)
    expected = compute_class_weight("balanced", classes=np.arange(7), y=faces.labels)
    torch.testing.assert_close(balanced_weights(faces).double(), torch.tensor(expected))


def test_history_text_has_a_row_an_epoch():
    row = {"epoch": 1, "train_loss": 1.5, "train_accuracy": 0.25, "val_loss": 1.25,
           "val_accuracy": 0.5, "lr": 0.1, "seconds": 2.0, "images_per_second": 100.0}  # fmt: skip
    assert history_csv([row]).splitlines()[1] == "1,1.5,0.25,1.25,0.5,0.1,2,100"


def test_a_network_without_batch_normalization_is_averaged(layouts, tmp_path):
    settings = ["model.batch_norm=false", "model.dense_batch_norm=false", "train.ema_decay=0.9"]
    run = train("quick", layouts["csv"], tmp_path / "run", overrides=[*TINY, *settings])
    assert len(run.history()) == 2
