"""The callback that records the history of a training, and stops one whose loss is not finite."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from mien.errors import MienError
from mien.io.files import write_text
from mien.recipes.sections import TrainSection
from mien.runs.run import HISTORY_COLUMNS
from mien.training.batches import Batches

# Learning rates with which small convolutional networks usually learn.
_USUAL_RATE: Final = {"sgd": 0.05, "adam": 0.001, "adamw": 0.001}


class History(Callback):
    """Keeps one row per epoch in the checkpoint and in ``history.csv``.

    Args:
        path: path of ``history.csv``.
        on_epoch: callback that gets the row of each epoch.
        train: recipe section with the learning rate, for advice on a loss that is not finite.
    """

    def __init__(
        self, path: Path, on_epoch: Callable[[dict[str, float]], None], train: TrainSection
    ) -> None:
        self.path = path
        self.on_epoch = on_epoch
        self.train = train
        self._bad = torch.tensor(math.inf)
        self.rows: list[dict[str, float]] = []
        self._started = self._trained = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record the time at which the epoch started."""
        self._started = time.perf_counter()
        self._bad = torch.tensor(math.inf, device=pl_module.device)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record the time at which the training images of the epoch were processed."""
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize()  # or steps may still be running
        self._trained = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the epoch's row."""
        batches = trainer.train_dataloader
        images = len(batches) * batches.batch_size if isinstance(batches, Batches) else 0
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row: dict[str, float] = {
            "epoch": trainer.current_epoch + 1,
            **{str(name): metrics[name] for name in HISTORY_COLUMNS if name in metrics},
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": time.perf_counter() - self._started,
            "images_per_second": images / (self._trained - self._started),
        }
        if not math.isfinite(row["train_loss"] + row["val_loss"]):
            self._refuse_diverged(trainer, finite=False)
        self.rows.append(row)
        if trainer.is_global_zero:
            write_text(self.path, history_csv(self.rows))
        self.on_epoch(row)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Remember the first batch of the epoch whose loss is not finite; on a CPU, stop there."""
        is_finite = torch.isfinite(outputs["loss"].detach())
        self._bad = torch.minimum(self._bad, torch.where(is_finite, math.inf, batch_idx + 1.0))
        if pl_module.device.type == "cpu":  # elsewhere, reading it would wait for the device
            self._refuse_diverged(trainer)

    def _refuse_diverged(self, trainer: pl.Trainer, *, finite: bool = True) -> None:
        batch = float(self._bad)
        if finite and math.isinf(batch):
            return
        where = "validation"
        if math.isfinite(batch):
            step = trainer.current_epoch * int(trainer.num_training_batches) + int(batch)
            where = f"step {step:,}, batch {batch:.0f} of {trainer.num_training_batches:,}"
        raise MienError(
            f"training diverged in epoch {trainer.current_epoch + 1} ({where}): the loss is not "
            f"finite. {self._mend()}"
        )

    def _mend(self) -> str:
        """Return the last good checkpoint, and a useful next step."""
        run, rate, usual = self.path.parent, self.train.lr, _USUAL_RATE[self.train.optimizer]
        kept = "No epoch had ended, so nothing is kept"
        if (run / "checkpoints" / "last.ckpt").is_file():
            kept = f"The last good checkpoint, of epoch {len(self.rows)} or before, is kept: "
            kept += f"mien export {run}"
        lower = min(rate / 10, usual)
        if rate <= usual / 10:
            return (
                f"{kept}. The learning rate {rate:g} is low already, so look at the data "
                "(mien data audit), and at the settings of the loss"
            )
        return f"{kept}. Train anew with a lower learning rate: --set train.lr={lower:.2g}"

    def state_dict(self) -> dict[str, Any]:
        """Return the rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the rows; later rows of the file belong to an epoch that is run again."""
        self.rows = list(state_dict["rows"])


def history_csv(rows: list[dict[str, float]]) -> str:
    """Return history rows as CSV text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HISTORY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: f"{value:.6g}" for name, value in row.items()})
    return text.getvalue()
