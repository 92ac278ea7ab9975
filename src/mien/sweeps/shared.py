"""The trials of a sweep that other processes and machines work on too (`mien.sweeps.study`)."""

from __future__ import annotations

from collections.abc import Container, Mapping

from mien.sweeps.folder import SweepFolder, Trial
from mien.sweeps.source import TrialSource
from mien.sweeps.study import Study


class SharedTrials(TrialSource):
    """The trials that this process takes from a study; its directory shows the results of all.

    Args:
        folder: directory of the sweep, of this process alone.
        study: study that all processes work on.
    """

    def __init__(self, folder: SweepFolder, study: Study) -> None:
        super().__init__(folder)
        self._study = study
        self.mend = "to go on, start the same sweep again with another --out"
        study.copy_to(folder)

    def next(self, running: Container[int]) -> Trial | None:
        """Return a trial that no other process has; None if there is none now."""
        trial = self._study.take()
        if trial is not None:
            self.folder.save(trial)
            self._study.copy_to(self.folder)
        return trial

    def watch(self, histories: Mapping[int, list[dict[str, float]]]) -> list[int]:
        """Tell the others what runs here, and return the trials that fall behind."""
        return self._study.watch(histories)

    def ended(self, trial: Trial) -> None:
        """Tell the others the result of a trial."""
        self._study.tell(trial)

    def waits(self) -> bool:
        """Whether others still train: the trials of one that is killed are to be trained again."""
        return self._study.others_running()

    def left(self) -> None:
        """Give back the trials that have not ended, and copy the results of all."""
        self._study.give_back()
        self._study.copy_to(self.folder)
