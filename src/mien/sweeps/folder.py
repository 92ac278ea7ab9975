"""A sweep's directory: all that is known of it, so that it can go on from there alone.

sweep.json        what is tried, on which data
trials/000.json   a trial's settings, and its result once there is one
trials/000/       its run
trials/000.log    what it printed
sweep.csv, sweep.md, sweep.html
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mien.data.split import SPLITS
from mien.errors import RunError
from mien.io.files import atomic_folder, write_text
from mien.sweeps.spec import Settings, Sweep
from mien.training.device import Device

_Form = TypeVar("_Form", bound=BaseModel)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class SweepRecord(_Record):
    """What ``sweep.json`` holds.

    Args:
        sweep: what is tried.
        started_in: the folder that its settings' paths are relative to; empty in older sweeps, for
            the one where mien runs.
        paths: of the data set.
        fingerprint: of the data set.
        skip_bad: whether images that cannot be used are left out.
        device: where the trials train, as for `mien.training.train.train`.
        splits: names of the splits that a finished trial is measured on, where the data has them.
    """

    mien_sweep: Literal[1] = 1
    sweep: Sweep
    started_in: str = ""
    paths: tuple[str, ...]
    fingerprint: str
    skip_bad: bool
    device: Device = "auto"
    splits: tuple[str, ...] = SPLITS


class SplitScore(_Record):
    """A trial's loss (cross-entropy in nats) and accuracy on one split."""

    loss: float
    accuracy: float


class Trial(_Record):
    """A trial's settings, and what came of it.

    ``open`` trials have not ended: they wait, run, or were interrupted. ``stopped`` ones were
    stopped, by the sweep's time budget or by a user, after at least one epoch: they have scores on
    val, and a resumed sweep goes on with them.

    Args:
        name: name of the variant; empty for the trials of a grid or a search.
    """

    number: int
    name: str = ""
    settings: Settings
    status: Literal["open", "stopped", "finished", "failed"] = "open"
    error: str = ""
    scores: dict[str, SplitScore] = {}
    parameters: int | None = None
    macs: int | None = None
    epochs: int | None = None
    seconds: float | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing is left to train."""
        return self.status in ("finished", "failed")

    @property
    def measured(self) -> bool:
        """Whether there are scores on val to compare it by."""
        return self.status in ("finished", "stopped")

    @property
    def label(self) -> str:
        """What people read it by: ``trial 3``, or ``trial 3 (wide)`` for a variant."""
        return f"trial {self.number} ({self.name})" if self.name else f"trial {self.number}"

    def anew(self) -> Trial:
        """Return the trial as it was before it began."""
        return Trial(number=self.number, name=self.name, settings=self.settings)


class SweepFolder:
    """A sweep's directory, opened.

    Raises:
        RunError: if it is missing, not a sweep's, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        record = path / "sweep.json"
        if not record.is_file():
            raise RunError(f"{path}: not a sweep's directory, it has no sweep.json")
        self.record = _load(record, SweepRecord)

    @classmethod
    def create(cls, path: Path, record: SweepRecord) -> Self:
        """Make a sweep's directory, all of it or nothing.

        Raises:
            RunError: if the path exists already.
        """
        if path.exists():
            raise RunError(
                f"{path}: exists already; choose another --out, "
                f"or continue a sweep that was stopped: mien sweep --resume {path}"
            )
        with atomic_folder(path) as temporary:
            (temporary / "trials").mkdir()
            (temporary / "sweep.json").write_text(_dump(record), "utf-8")
            points = zip(record.sweep.names(), record.sweep.points(), strict=True)
            for number, (name, settings) in enumerate(points):
                trial = Trial(number=number, name=name, settings=settings)
                (temporary / "trials" / f"{number:03}.json").write_text(_dump(trial), "utf-8")
        return cls(path)

    def run_path(self, number: int) -> Path:
        """Where a trial's run is."""
        return self.path / "trials" / f"{number:03}"

    def log_path(self, number: int) -> Path:
        """Where what a trial prints goes."""
        return self.path / "trials" / f"{number:03}.log"

    def trials(self) -> list[Trial]:
        """Return the trials so far, in their order.

        Raises:
            RunError: if one is missing or damaged.
        """
        paths = [path for path in (self.path / "trials").glob("*.json") if path.stem.isdigit()]
        missing = set(range(len(paths))) - {int(path.stem) for path in paths}
        least = len(self.record.sweep.points())
        if missing or len(paths) < least:
            first = min(missing, default=len(paths))
            raise RunError(
                f"{self._trial_path(first)}: missing; put it back, or sweep into a new directory"
            )
        return [self.trial(number) for number in range(len(paths))]

    def trial(self, number: int) -> Trial:
        """Return one trial."""
        return _load(self._trial_path(number), Trial)

    def save(self, trial: Trial) -> None:
        """Write a trial's file anew."""
        write_text(self._trial_path(trial.number), _dump(trial))

    def move_data(self, paths: tuple[str, ...]) -> None:
        """Note where the data is now."""
        if paths != self.record.paths:
            self.record = self.record.model_copy(update={"paths": paths})
            write_text(self.path / "sweep.json", _dump(self.record))

    def reopen_failed(self) -> None:
        """Let the trials that failed begin anew; what they left is removed."""
        for trial in self.trials():
            if trial.status == "failed":
                shutil.rmtree(self.run_path(trial.number), ignore_errors=True)
                self.save(trial.anew())

    def _trial_path(self, number: int) -> Path:
        return self.path / "trials" / f"{number:03}.json"


def _load(path: Path, form: type[_Form]) -> _Form:
    try:
        return form.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        raise RunError(f"{path}: damaged ({key}: {first['msg'].lower()})") from None


def _dump(record: BaseModel) -> str:
    return json.dumps(record.model_dump(mode="json"), indent=2) + "\n"
