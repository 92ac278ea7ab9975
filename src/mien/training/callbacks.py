"""Lightning callbacks: seeds, learning rates, averaged weights and checkpoints.

Each callback keeps its state in the checkpoint, so that a resumed training continues as if it had
never stopped.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, WeightAveraging
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from mien.io.files import write_bytes
from mien.recipes.sections import TrainSection
from mien.training.batches import Batches
from mien.training.processes import first_says


class SeedEachEpoch(Callback):
    """Draws the order, augmentation and dropout of an epoch from (seed, epoch) alone.

    Args:
        batches: batches of the training.
        seed: seed of the recipe.
        rank: number of this process; each draws its own augmentation and dropout.
    """

    def __init__(self, batches: Batches, seed: int, rank: int = 0) -> None:
        self.batches = batches
        self.seed = seed
        self.rank = rank

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seed the generators for this epoch."""
        self.batches.epoch = trainer.current_epoch
        torch.manual_seed(self.seed * 100_003 + trainer.current_epoch + self.rank * 1_000_000_007)


class Freeze(Callback):
    """Trains the head alone in the first epochs, then the whole network at another rate.

    A frozen backbone also keeps the statistics of its batch normalization, as in Keras, and the
    second phase starts with a new optimizer state, as after Keras's second ``compile``.
    """

    def __init__(self, backbone: nn.Module, train: TrainSection) -> None:
        self.backbone = backbone
        self.train = train

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Freeze or unfreeze the backbone."""
        frozen = trainer.current_epoch < self.train.frozen_epochs
        self.backbone.requires_grad_(not frozen)
        self.backbone.train(not frozen)
        if trainer.current_epoch == self.train.frozen_epochs:
            optimizer = trainer.optimizers[0]
            optimizer.state.clear()
            for group in optimizer.param_groups:
                group["lr"] = self.train.unfrozen_lr


class LearningRate(Callback):
    """Sets the learning rate: at each step for cosine and one-cycle, after each epoch for plateau.

    Cosine and one-cycle are functions of the step, so they need no state. (Lightning steps its own
    schedulers after the checkpoint of an epoch is written, so a resumed run would miss one step.)
    """

    def __init__(self, train: TrainSection, steps: int) -> None:
        self.train = train
        self.steps = steps
        self.plateau: ReduceLROnPlateau | None = None
        self._loaded: dict[str, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Create the plateau scheduler, and restore its state if training resumes."""
        if self.train.schedule == "plateau":
            self.plateau = ReduceLROnPlateau(
                trainer.optimizers[0],
                factor=self.train.plateau_factor,
                patience=self.train.plateau_patience,
            )
            if self._loaded:
                self.plateau.load_state_dict(self._loaded)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set the learning rate of this step."""
        if self.train.schedule in ("cosine", "one-cycle"):
            rate = rate_at(trainer.global_step / self.steps, self.train)
            for group in trainer.optimizers[0].param_groups:
                group["lr"] = rate

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Update the plateau scheduler with the validation loss of the epoch."""
        if self.plateau is not None and trainer.current_epoch >= self.train.frozen_epochs:
            self.plateau.step(float(trainer.callback_metrics["val_loss"]))

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the plateau scheduler, plain values only."""
        if self.plateau is None:
            return {}
        state = self.plateau.state_dict()
        return {k: v for k, v in state.items() if isinstance(v, int | float | str | list)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the state of the plateau scheduler until training starts."""
        self._loaded = state_dict


def rate_at(progress: float, train: TrainSection) -> float:
    """Return the learning rate at a fraction of the training, from 0 to 1.

    ``cosine``: linear warm-up, then half a cosine down to 0.
    ``one-cycle``: half a cosine up from 1/25 of the rate over 30% of the steps (or the warm-up),
    then half a cosine down to 0.

    Source: Loshchilov and Hutter, SGDR, 2017; Smith and Topin, Super-Convergence, 2018.
    """
    warmup, floor = train.warmup, 0.0
    if train.schedule == "one-cycle":
        warmup, floor = train.warmup or 0.3, 1 / 25
    if progress < warmup:
        rise = progress / warmup
        if train.schedule == "one-cycle":
            rise = floor + (1 - floor) * (1 - math.cos(math.pi * rise)) / 2
        return train.lr * rise
    fall = (progress - warmup) / (1 - warmup) if warmup < 1 else 1.0
    return train.lr * (1 + math.cos(math.pi * min(fall, 1.0))) / 2


class AveragedWeights(WeightAveraging):
    """Validates and keeps an exponential moving average of the weights, with Lightning's callback.

    The decay warms up as (1 + n) / (10 + n), or the first epochs would be validated with random
    weights (TensorFlow's ExponentialMovingAverage does the same). Lightning's own update keeps the
    average on the CPU, so that each step waits until the weights are copied there; this one keeps
    it on the device and counts its updates itself.

    Args:
        decay: decay of the average in each step.
        device: device of the training, on which the average stays.
    """

    def __init__(self, decay: float, device: torch.device) -> None:
        super().__init__(device=device)
        self.decay = decay

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Move the average towards the weights after this step."""
        assert self._average_model is not None
        averaged, updates = self._average_model.module, trainer.global_step - 1
        decay = min(self.decay, (1 + updates) / (10 + updates)) if updates else 0.0
        pairs = list(zip(_state(averaged), _state(pl_module), strict=True))
        moving = [pair for pair in pairs if pair[0].is_floating_point()]
        counts = [pair for pair in pairs if not pair[0].is_floating_point()]
        torch._foreach_lerp_([mean for mean, _ in moving], [now for _, now in moving], 1 - decay)
        if counts:  # a network without batch normalization has none
            torch._foreach_copy_([mean for mean, _ in counts], [now for _, now in counts])
        self._average_model.n_averaged += 1
        self._latest_update_step = trainer.global_step


def _state(module: nn.Module) -> list[Tensor]:
    """Return parameters and buffers, in their order."""
    return [value.detach() for value in (*module.parameters(), *module.buffers())]


class Patience(EarlyStopping):
    """Lightning's early stopping, which stays stopped if a run is resumed after its end.

    Epochs of the frozen first phase do not count.

    Args:
        monitor: name of the monitored figure.
        frozen_epochs: number of first epochs that do not count.
        options: options of Lightning's early stopping.
    """

    def __init__(self, monitor: str, frozen_epochs: int, **options: Any) -> None:
        super().__init__(monitor, check_on_train_epoch_end=True, **options)
        self.frozen_epochs = frozen_epochs

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count epochs without improvement, and stop when patience runs out."""
        if trainer.current_epoch >= self.frozen_epochs:
            super().on_train_epoch_end(trainer, pl_module)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Train no further epoch if patience had run out before the process was killed."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class Checkpoint(ModelCheckpoint):
    """Lightning's checkpoint under one fixed name, which is found even if the run was moved.

    Args:
        least_seconds: minimum time between two checkpoints, in seconds: on a GPU an epoch may take
            half a second, and writing a checkpoint after each would take as long as training.
        asked_to_stop: function that returns whether training is about to stop; a checkpoint is
            then always written, as after the last epoch.
        options: options of Lightning's checkpoint.
    """

    def __init__(
        self, *, least_seconds: float, asked_to_stop: Callable[[], bool], **options: Any
    ) -> None:
        super().__init__(save_on_train_epoch_end=True, enable_version_counter=False, **options)
        self.least_seconds = least_seconds
        self.asked_to_stop = asked_to_stop
        self._written = -math.inf

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the checkpoint if it is due."""
        waited = time.monotonic() - self._written >= self.least_seconds
        ends = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        if first_says(waited or ends or self.asked_to_stop()):  # or clocks would part processes
            super().on_train_epoch_end(trainer, pl_module)
            self._written = time.monotonic()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score, and find the checkpoints at the directory's current path."""
        here = {"dirpath": self.dirpath}
        for key in ("best_model_path", "last_model_path"):
            if state_dict.get(key):
                here[key] = str(Path(str(self.dirpath)) / Path(state_dict[key]).name)
        super().load_state_dict({**state_dict, **here})


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes checkpoints atomically, so that they are whole or absent even after SIGKILL."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write a file next to the old checkpoint, then replace that by a rename."""
        content = io.BytesIO()  # torch's own writer has errors of its own for a full disk
        torch.save(checkpoint, content)
        write_bytes(Path(path), content.getvalue())
