"""A sweep directory: its record, its trials and their results, from which it can be resumed.

sweep.json        the tried settings, and the data
trials/000.json   a trial's settings, and its result once it has one
trials/000/       its run
trials/000.log    the output of its process
trials/000.lock   locked while its process runs
sweep.csv, sweep.md, sweep.html
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal, Self

from mien.bundle.scores import Record
from mien.data.split import SPLITS
from mien.errors import RunError
from mien.io.files import atomic_folder, locked_file, refuse_unwritable
from mien.io.records import read_record, write_record
from mien.runs.run import refuse_links
from mien.sweeps.spec import Settings, Sweep
from mien.training.device import Device

_RECORD = "sweep.json"
_MEND = "copy it back from a backup, or sweep into a new directory"


class SweepRecord(Record):
    """The content of ``sweep.json``."""

    mien_sweep: Literal[1] = 1
    """Version of this format."""
    sweep: Sweep
    """Recipe and tried settings."""
    started_in: str = ""
    """Folder that paths in the settings are relative to; empty in older sweeps, for the folder in
    which mien runs."""
    paths: tuple[str, ...]
    """Absolute paths of the data set's files or folders."""
    fingerprint: str
    """Fingerprint of the data set, its splits included."""
    skip_bad: bool
    """Whether unusable images are left out, instead of refused."""
    device: Device = "auto"
    """Device of the trials, as for `mien.training.train.train`."""
    splits: tuple[str, ...] = SPLITS
    """Names of the splits that a finished trial is measured on, if the data set has them."""
    study: str = ""
    """Name of the study that the trials are taken from; empty for a sweep of its own."""


class SplitScore(Record):
    """The scores of a trial on one split."""

    loss: float
    """Mean cross-entropy, in nats."""
    accuracy: float
    """Accuracy, 0 to 1."""


class Trial(Record):
    """The settings of a trial, and its result.

    An `open` trial has not ended: it waits, runs or was interrupted. A `stopped` trial was stopped
    by the sweep's time budget or by the user after at least one epoch; it has scores on val, and a
    resumed sweep continues it. A `pruned` trial was stopped early because it fell behind others;
    it has scores on val, too.
    """

    number: int
    """Number of the trial, from 0."""
    name: str = ""
    """Name of the variant; empty for the trials of a grid or a search."""
    settings: Settings
    """Values of the settings that the trial tries."""
    status: Literal["open", "stopped", "pruned", "finished", "failed"] = "open"
    """Status of the trial."""
    error: str = ""
    """Reason why the trial failed; empty unless it has failed."""
    scores: dict[str, SplitScore] = {}
    """Scores on each split."""
    parameters: int | None = None
    """Number of weights."""
    macs: int | None = None
    """Multiply-accumulate operations for one face."""
    epochs: int | None = None
    """Number of finished epochs."""
    seconds: float | None = None
    """Duration of the training, in seconds."""

    @property
    def ended(self) -> bool:
        """Whether nothing is left to train."""
        return self.status in ("finished", "pruned", "failed")

    @property
    def measured(self) -> bool:
        """Whether the trial has scores on val, by which trials are compared."""
        return self.status in ("finished", "stopped", "pruned")

    @property
    def label(self) -> str:
        """Display name: ``trial 3``, or ``trial 3 (wide)`` for a variant."""
        return f"trial {self.number} ({self.name})" if self.name else f"trial {self.number}"

    def restarted(self) -> Trial:
        """Return the trial as open, without results."""
        return Trial(number=self.number, name=self.name, settings=self.settings)

    def failed(self, error: str) -> Trial:
        """Return the trial as failed, for a reason in one line."""
        return self.restarted().model_copy(update={"status": "failed", "error": error})


class SweepFolder:
    """A sweep directory, opened.

    Args:
        path: path of the directory.

    Raises:
        RunError: if the directory is missing, is not a sweep or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / _RECORD).is_file():
            raise RunError(f"{path}: not a sweep directory, it contains no {_RECORD}")
        refuse_links(path, ["trials", *(f"trials/{one.name}" for one in path.glob("trials/*"))])
        self.record = read_record(SweepRecord, path / _RECORD, mend=_MEND)

    @classmethod
    def create(cls, path: Path, record: SweepRecord) -> Self:
        """Make a new sweep directory, whole or not at all.

        Args:
            path: path of the directory.
            record: the tried settings, and the data.

        Raises:
            RunError: if the path exists already.
        """
        cls.refuse_existing(path)
        with atomic_folder(path) as temporary:
            write_record(temporary / _RECORD, record)
            points = zip(record.sweep.names(), record.sweep.points(), strict=True)
            (temporary / "trials").mkdir()
            for number, (name, settings) in enumerate(points):
                trial = Trial(number=number, name=name, settings=settings)
                write_record(temporary / "trials" / f"{number:03}.json", trial)
        return cls(path)

    @staticmethod
    def refuse_existing(path: Path) -> None:
        """Raise a MienError if the path of a new sweep exists already, or cannot be written."""
        refuse_unwritable(path.parent)
        if path.exists():
            raise RunError(
                f"{path}: exists already; choose another --out, "
                f"or continue a stopped sweep: mien sweep --resume {path}"
            )

    def run_path(self, number: int) -> Path:
        """Return the run directory of a trial."""
        return self.path / "trials" / f"{number:03}"

    def log_path(self, number: int) -> Path:
        """Return the file that holds the output of a trial's process."""
        return self.path / "trials" / f"{number:03}.log"

    def lock_path(self, number: int) -> Path:
        """Return the file that a trial's process locks."""
        return self.path / "trials" / f"{number:03}.lock"

    def trials(self) -> list[Trial]:
        """Return all trials so far, by number.

        Raises:
            RunError: if a trial is missing or damaged.
        """
        paths = [path for path in (self.path / "trials").glob("*.json") if path.stem.isdigit()]
        missing = set(range(len(paths))) - {int(path.stem) for path in paths}
        if missing or len(paths) < len(self.record.sweep.points()):
            first = min(missing, default=len(paths))
            raise RunError(f"{self._trial_path(first)}: missing; {_MEND}")
        return [self.trial(number) for number in range(len(paths))]

    def trial(self, number: int) -> Trial:
        """Return one trial."""
        return read_record(Trial, self._trial_path(number), mend=_MEND)

    def save(self, trial: Trial) -> None:
        """Write a trial's record."""
        write_record(self._trial_path(trial.number), trial)

    def move_data(self, paths: tuple[str, ...]) -> None:
        """Record the new path of the data set."""
        if paths != self.record.paths:
            self.record = self.record.model_copy(update={"paths": paths})
            write_record(self.path / _RECORD, self.record)

    def restart_failed(self) -> None:
        """Reset the failed trials, and remove their runs."""
        for trial in self.trials():
            if trial.status == "failed":
                shutil.rmtree(self.run_path(trial.number), ignore_errors=True)
                self.save(trial.restarted())

    def refuse_running(self) -> None:
        """Raise a RunError if a trial still runs, because the sweep's own process was killed.

        Raises:
            RunError: if a trial still runs.
        """
        for trial in self.trials():
            lock = self.lock_path(trial.number)
            if trial.ended or not lock.is_file():
                continue
            try:
                with locked_file(lock):
                    pass
            except BlockingIOError:
                raise RunError(
                    f"{self.path}: {trial.label} still runs in a process of its own; wait until "
                    "it has ended, or stop that process"
                ) from None

    def _trial_path(self, number: int) -> Path:
        return self.path / "trials" / f"{number:03}.json"
