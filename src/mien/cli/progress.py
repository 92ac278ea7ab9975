"""The progress of a training on the terminal: a bar for the steps, a line per epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from mien.cli.bars import new_progress
from mien.cli.console import err, say_line
from mien.io.text import one_line
from mien.runs.run import Run
from mien.training.listener import (
    EPOCH_HEADER,
    STOPPING,
    TrainingListener,
    describe_epoch,
    describe_start,
)

_SECONDS_BETWEEN_MEANS = 0.5  # because reading the running loss waits for the device


class ProgressBar(TrainingListener):
    """Draws a bar on standard error; if that is not a terminal, it prints only the lines."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._batches = self._epochs = self._batch_size = 0
        self._first_step = 0
        self._began = self._last_means = 0.0

    def working(self, what: str) -> None:
        """Print the name of the step that begins; on a terminal, with the time that it takes."""
        self.ended()
        if not err.is_terminal:
            say_line(what, style="dim")
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=err, transient=True)
        self._progress.add_task(one_line(what), total=None)
        self._progress.start()

    def noticed(self, note: str) -> None:
        """Print a note about the data or the recipe."""
        say_line(f"Note: {note}")

    def started(self, run: Run, total_epochs: int, batches: int, batch_size: int) -> None:
        """Print what is trained on which data and how, and start the bar."""
        self.ended()
        for line in describe_start(run):
            say_line(line)
        err.print(EPOCH_HEADER, style="dim")
        self._batches, self._epochs, self._batch_size = batches, total_epochs, batch_size
        self._progress = new_progress()
        self._task = self._progress.add_task("starting", total=total_epochs * batches, figures="")
        if err.is_terminal:
            self._progress.start()

    def stepped(
        self, epoch: int, batch: int, running_means: Callable[[], dict[str, float]]
    ) -> None:
        """Move the bar; every half second, update its figures."""
        assert self._progress is not None
        done = (epoch - 1) * self._batches + batch
        now = time.monotonic()
        if not self._began:
            self._began, self._first_step = now, done
        changes: dict[str, Any] = {}
        if err.is_terminal and now - self._last_means > _SECONDS_BETWEEN_MEANS:
            self._last_means = now
            means = running_means()
            speed = (done - self._first_step) * self._batch_size / max(now - self._began, 1e-9)
            changes = {
                "figures": f"loss {means['loss']:.3f}  acc {means['accuracy']:.3f}  "
                f"{speed:,.0f} images/s"
            }
        self._progress.update(
            self._task, completed=done, description=f"epoch {epoch}/{self._epochs}", **changes
        )

    def epoch_ended(self, row: dict[str, float]) -> None:
        """Print the line of the epoch."""
        err.print(describe_epoch(row, self._epochs))

    def stopping(self) -> None:
        """Print that the results are being written."""
        err.print(STOPPING)

    def ended(self) -> None:
        """Remove the bar, and what is told about a step."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
