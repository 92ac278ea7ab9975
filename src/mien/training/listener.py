"""Progress listeners of a training, and callbacks that stop it on request."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from mien.io.interrupt import StopRequest, asked_to_stop
from mien.io.text import one_line
from mien.runs.run import Run
from mien.training.module import Trainable
from mien.training.processes import any_says


class TrainingListener:
    """Progress listener for a training, which does nothing; subclasses override some methods.

    `EpochLines` prints lines; the command line's listener also draws a progress bar.
    """

    def working(self, what: str) -> None:
        """Announce a step that may take minutes, before training or after it."""

    def noticed(self, note: str) -> None:
        """Pass on a line that the user should read, about the data or the recipe."""

    def started(self, run: Run, total_epochs: int, batches: int, batch_size: int) -> None:
        """Announce that training starts, or resumes.

        Args:
            run: run that is trained.
            total_epochs: number of epochs of the whole training.
            batches: number of batches in each epoch.
            batch_size: number of images in each batch.
        """

    def stepped(
        self, epoch: int, batch: int, running_means: Callable[[], dict[str, float]]
    ) -> None:
        """Announce that a training step was taken.

        Args:
            epoch: number of the epoch, from 1.
            batch: number of the batch in the epoch, from 1.
            running_means: function that returns the mean loss and accuracy of the epoch so far; it
                waits for the device, so call it rarely.
        """

    def epoch_ended(self, row: dict[str, float]) -> None:
        """Announce that an epoch ended, with its row of the history."""

    def stopping(self) -> None:
        """Announce that training stops on request, and that its results are now written."""

    def ended(self) -> None:
        """Announce that training is over, for whatever reason."""


class EpochLines(TrainingListener):
    """Prints a line for each epoch on standard error, and a line for each step that takes long."""

    def working(self, what: str) -> None:
        """Print the name of the step that begins."""
        _say(what)

    def noticed(self, note: str) -> None:
        """Print a note about the data or the recipe."""
        _say(f"Note: {note}")

    def started(self, run: Run, total_epochs: int, batches: int, batch_size: int) -> None:
        """Print what is trained on which data, and how."""
        self._epochs = total_epochs
        for line in (*describe_start(run), EPOCH_HEADER):
            _say(line)

    def epoch_ended(self, row: dict[str, float]) -> None:
        """Print the line of the epoch."""
        _say(describe_epoch(row, self._epochs))

    def stopping(self) -> None:
        """Print that the results are being written."""
        _say(STOPPING)


EPOCH_HEADER: Final = (
    f"{'epoch':>7} {'loss':>7} {'acc':>7} {'val loss':>9} {'val acc':>8} {'images/s':>9}"
)
STOPPING: Final = "Stopping: writing the results so far; Ctrl-C again stops at once"


def describe_start(run: Run) -> list[str]:
    """Return lines about what a run is trained on, and how."""
    record = run.record
    lines = [
        f"Training {run.recipe.name} ({record.parameters:,} parameters) on "
        f"{record.data.split_counts['train']:,} images of {record.data.name}: "
        f"{record.device}, {record.precision}, {record.threads} threads"
    ]
    if record.data.skipped:
        lines.append(f"Left out {record.data.skipped:,} unusable images: {run.skipped_path}")
    return lines


def describe_epoch(row: dict[str, float], epochs: int) -> str:
    """Return the line of an epoch, below `EPOCH_HEADER`.

    Args:
        row: row of the epoch in the history.
        epochs: number of epochs of the whole training.
    """
    return (
        f"{int(row['epoch']):>3}/{epochs:<3} {row['train_loss']:7.4f} "
        f"{row['train_accuracy']:7.4f} {row['val_loss']:9.4f} {row['val_accuracy']:8.4f} "
        f"{row['images_per_second']:9,.0f}"
    )


def _say(line: str) -> None:
    print(one_line(line), file=sys.stderr, flush=True)


class NotifyListener(Callback):
    """Lightning callback that announces every step to a listener."""

    def __init__(self, listener: TrainingListener) -> None:
        self.listener = listener

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Announce a step."""
        assert isinstance(pl_module, Trainable)
        self.listener.stepped(trainer.current_epoch + 1, batch_idx + 1, pl_module.running_means)


class Started(Callback):
    """Records whether an epoch has started, before which a checkpoint is restored."""

    started = False

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record it."""
        self.started = True


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """Raised between two steps once a stop was requested."""


class StopWhenAsked(Callback):
    """Stops between two steps on Ctrl-C or SIGTERM, so that no step is cut off.

    The second signal is the usual KeyboardInterrupt. Several processes stop at the same step,
    whichever of them gets the signal.

    Args:
        between_epochs: stop between two epochs instead. On a GPU these are short, and a checkpoint
            is not written after each of them, but always before training stops.
    """

    def __init__(self, *, between_epochs: bool = False) -> None:
        self.stopping = False
        self.between_epochs = between_epochs
        self._request = StopRequest()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to both signals inside this block."""
        with asked_to_stop() as self._request:
            yield

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take SIGTERM back from Lightning, whose handler would exit without saving weights."""
        self._request.listen()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop before an epoch."""
        if self.stopping if self.between_epochs else any_says(self._request()):
            raise Stopped

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Decide whether this epoch was the last one, before its checkpoint is written."""
        self.stopping = any_says(self._request())

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Stop after a step."""
        if not self.between_epochs and any_says(self._request()):
            raise Stopped
