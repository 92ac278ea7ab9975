"""Where the trials of a sweep come from: its own directory, or a study that others work on too."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from mien.sweeps.folder import SweepFolder, Trial


@dataclass(frozen=True)
class Shared:
    """A study through which several processes and machines work on one sweep.

    Args:
        storage: ``journal:PATH`` for a file that all of them reach, or the address of a database,
            such as ``postgresql://user@host/name``.
        study: name of the study in the storage; empty for that of the sweep.
        prune: whether trials that fall behind are stopped early (successive halving).
        lost_s: time without a sign of life after which a trial is given to another process, in
            seconds.
    """

    storage: str
    study: str = ""
    prune: bool = False
    lost_s: float = 60.0


class TrialSource:
    """The trials of a sweep that this process trains alone.

    Args:
        folder: directory of the sweep.

    Attributes:
        mend: advice on how a sweep that was stopped goes on.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder
        self.mend = f"resume: mien sweep --resume {folder.path}"

    def next(self, running: Container[int]) -> Trial | None:
        """Return a trial to start: an open or stopped one, else the next draw of a search.

        Args:
            running: numbers of the trials that are running.
        """
        trials = self.folder.trials()
        for trial in trials:
            if trial.number not in running and not trial.ended:
                return trial
        if len(trials) >= self.folder.record.sweep.total:
            return None
        from mien.sweeps.search import suggest  # only a search needs Optuna

        settings = suggest(self.folder.record.sweep, trials)
        if settings is None:
            return None
        trial = Trial(number=len(trials), settings=settings)
        self.folder.save(trial)
        return trial

    def watch(self, histories: Mapping[int, list[dict[str, float]]]) -> list[int]:
        """Return the running trials that are to be stopped early.

        Args:
            histories: history of each running trial, by its number.
        """
        return []

    def ended(self, trial: Trial) -> None:
        """Record the result of a trial, which its directory has already."""

    def waits(self) -> bool:
        """Whether there may be trials to start later, though there is none now."""
        return False

    def left(self) -> None:
        """Record that this process trains no more."""
