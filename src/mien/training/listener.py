"""How a training is watched and stopped from outside."""

from __future__ import annotations

import signal
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from mien.runs.run import Run
from mien.training.module import Trainable


class Watcher:
    """Is told how a training goes; the command line's draws a progress bar."""

    def working(self, what: str) -> None:
        """Something that may take minutes begins, before training or after it."""

    def started(self, run: Run, total_epochs: int, batches: int, batch_size: int) -> None:
        """Training begins, or goes on."""

    def stepped(
        self, epoch: int, batch: int, running_means: Callable[[], dict[str, float]]
    ) -> None:
        """A step was taken; the means over the epoch so far cost a wait, so they are a function."""

    def epoch_ended(self, row: dict[str, float]) -> None:
        """An epoch is through: one row of the history."""

    def stopping(self) -> None:
        """Somebody asked to stop: the last step is through, and what there is will be written."""

    def ended(self) -> None:
        """Training is over, for whatever reason."""


class TellWatcher(Callback):
    """Passes every step on to the watcher."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Tell of a step."""
        assert isinstance(pl_module, Trainable)
        self.watcher.stepped(trainer.current_epoch + 1, batch_idx + 1, pl_module.running_means)


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """Raised between two steps once somebody has asked to stop."""


class StopWhenAsked(Callback):
    """Stops between two steps on Ctrl-C or SIGTERM, so that nothing is cut off half-way.

    A second one is the usual KeyboardInterrupt.

    Args:
        between_epochs: stop between two epochs instead. On a GPU these are short, and a checkpoint
            is not written after each, but always before it stops.
    """

    def __init__(self, *, between_epochs: bool = False) -> None:
        self.asked = False
        self.stopping = False
        self.between_epochs = between_epochs
        self._listening = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals over for a while, where this is the thread that receives them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)  # a cluster asks by SIGTERM
        before = [signal.signal(number, self._ask) for number in signals]
        self._listening = True
        try:
            yield
        finally:
            self._listening = False
            for number, handler in zip(signals, before, strict=True):
                signal.signal(number, handler)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take SIGTERM back from Lightning, whose own handler would leave without any weights."""
        if self._listening:
            signal.signal(signal.SIGTERM, self._ask)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop before an epoch."""
        if self.stopping if self.between_epochs else self.asked:
            raise Stopped

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Decide whether this epoch was the last, before its checkpoint is written."""
        self.stopping = self.asked

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Stop after a step."""
        if self.asked and not self.between_epochs:
            raise Stopped

    def _ask(self, _: int, __: types.FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
