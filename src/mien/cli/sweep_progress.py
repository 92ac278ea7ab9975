"""The progress of a sweep on the terminal: a bar per running trial, a line per ended one."""

from __future__ import annotations

from rich.progress import Progress, TaskID

from mien.cli.bars import new_progress
from mien.cli.console import err, say_line
from mien.io.text import one_line
from mien.reports.pages import show_value
from mien.sweeps.folder import SweepFolder, Trial
from mien.sweeps.runner import SweepListener


class SweepProgress(SweepListener):
    """Draws a bar for each running trial, and prints a line when it has ended."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._tasks: dict[int, TaskID] = {}
        self._folder: SweepFolder | None = None
        self._total = self._ended = 0

    def started(self, folder: SweepFolder, total: int) -> None:
        """Print the number of trials, and how many of them have ended already."""
        self._folder, self._total = folder, total
        self._ended = sum(trial.ended for trial in folder.trials())
        trials = f"{total} {'trial' if total == 1 else 'trials'}"
        already = f", {self._ended} already done" if self._ended else ""
        say_line(f"Sweeping {folder.record.sweep.name}: {trials}{already}")
        self._progress = new_progress()
        if err.is_terminal:
            self._progress.start()

    def running(self, histories: dict[int, list[dict[str, float]]]) -> None:
        """Move the bar of each trial to its last epoch."""
        assert self._progress is not None
        assert self._folder is not None
        for number, history in histories.items():
            if number not in self._tasks:
                trial = self._folder.trial(number)
                epochs = self._folder.record.sweep.recipe_for(trial.settings).train.epochs
                self._tasks[number] = self._progress.add_task(
                    one_line(trial.label), total=epochs, figures=""
                )
            figures = f"val acc {history[-1]['val_accuracy']:.3f}" if history else ""
            self._progress.update(self._tasks[number], completed=len(history), figures=figures)

    def trial_ended(self, trial: Trial) -> None:
        """Print the trial's line, and remove its bar."""
        assert self._progress is not None
        if trial.number in self._tasks:
            self._progress.remove_task(self._tasks.pop(trial.number))
        self._ended += trial.ended
        settings = ", ".join(f"{key}={show_value(value)}" for key, value in trial.settings.items())
        if trial.status == "failed":
            say_line(
                f"{self._ended}/{self._total} {trial.label} failed ({settings}): {trial.error}"
            )
            return
        val = trial.scores["val"]
        stopped = " stopped" if trial.status == "stopped" else ""
        say_line(
            f"{self._ended}/{self._total} {trial.label}{stopped}: val accuracy {val.accuracy:.4f}, "
            f"loss {val.loss:.4f}, {trial.epochs} epochs in {trial.seconds:.0f} s ({settings})"
        )

    def out_of_time(self, message: str) -> None:
        """Print the message above the bars."""
        say_line(message)

    def ended(self) -> None:
        """Remove the bars."""
        if self._progress is not None:
            self._progress.stop()
