"""A sweep whose trials are shared with other processes and machines, by a study of Optuna.

Every process that works on the study has a sweep directory of its own, with the runs of its trials
and the results of all. The trials of a grid wait in the study from the beginning; those of a search
are drawn when a process takes them. A process says every few seconds that its trials still run: the
trials of one that was killed wait again soon.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from mien.errors import RunError, first_line
from mien.io.files import expand_user, refuse_unwritable
from mien.sweeps.folder import SweepFolder, SweepRecord, Trial
from mien.sweeps.search import distributions_of, quiet_optuna, settings_of
from mien.sweeps.source import Shared
from mien.sweeps.spec import Sweep

_DATABASES: Final = ("postgresql", "mysql")
_MOST_RETRIES: Final = 3
_READY_S: Final = 30.0  # until another process has made the study
_FIXED: Final = "fixed_params"  # Optuna's name for the settings of a trial that waits
_POINT: Final = "point"  # position in a grid, or among variants
_STATES: Final = {
    "finished": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


class Study:
    """The study that several processes work on.

    Args:
        storage: opened storage of the study (`opened`).
        shared: name of the study, and how its trials are watched.
        record: the sweep. The first process makes the study with it; the others have to bring the
            same one.

    Raises:
        RunError: if the study is of another sweep.
    """

    def __init__(self, storage: BaseStorage, shared: Shared, record: SweepRecord) -> None:
        self.name = shared.study or record.sweep.name
        self._sweep, self._lost_s, self._prune = record.sweep, shared.lost_s, shared.prune
        self._points = record.sweep.points()
        self._mine: dict[int, optuna.Trial] = {}
        self._reported: dict[int, int] = {}  # epochs of each of these
        self._seen: dict[int, tuple[Any, float]] = {}  # the last sign of each other trial, and when
        self._told = -float("inf")
        self._distributions: dict[str, BaseDistribution] = (
            {_POINT: IntDistribution(0, len(self._points) - 1)}
            if self._points
            else distributions_of(record.sweep)
        )
        self._study = self._open(storage, record)

    def _open(self, storage: BaseStorage, record: SweepRecord) -> optuna.Study:
        """Make the study with the trials of a grid, or load the one that another process made."""
        told = record.model_dump(mode="json", include={"sweep", "fingerprint", "splits"})
        options: dict[str, Any] = {
            "sampler": optuna.samplers.TPESampler(constant_liar=True),
            "pruner": optuna.pruners.SuccessiveHalvingPruner()
            if self._prune
            else optuna.pruners.NopPruner(),
        }
        try:
            study = optuna.create_study(
                storage=storage, study_name=self.name, direction="maximize", **options
            )
        except DuplicatedStudyError:
            study = optuna.load_study(study_name=self.name, storage=storage, **options)
            until = time.monotonic() + _READY_S
            while not (found := study.user_attrs.get("sweep")) and time.monotonic() < until:
                time.sleep(0.2)
            if not found:
                raise RunError(
                    f"study {self.name}: the process that makes it is not done, or was killed; try "
                    "again, or name another --study"
                ) from None
            if found != told:
                what = "another data set" if found["sweep"] == told["sweep"] else "another sweep"
                raise RunError(
                    f"study {self.name}: was started with {what}, whose trials could not be "
                    "compared with these; name another --study, or start the same sweep"
                ) from None
            return study
        for number in range(len(self._points)):
            study.enqueue_trial({_POINT: number})
        study.set_user_attr("sweep", told)  # the last step: the others wait for it
        return study

    def take(self) -> Trial | None:
        """Return a trial to train, which no other process gets; None if none is left."""
        self._give_back_lost()
        trials = self._study.get_trials(deepcopy=False)
        waiting = any(trial.state == TrialState.WAITING for trial in trials)
        if not waiting and (self._points or self._drawn(trials) >= self._sweep.total):
            return None
        asked = self._study.ask(self._distributions)
        frozen = self._study._storage.get_trial(asked._trial_id)
        if self._points and _FIXED not in frozen.system_attrs:
            # another process took the last one in between
            self._fail(asked._trial_id, "not needed: all settings are taken")
            return None
        self._mine[asked.number] = asked
        self._reported[asked.number] = 0
        asked.set_user_attr("process", f"{socket.gethostname()} {os.getpid()}")
        return trial_of(frozen, self._sweep)

    def watch(self, histories: Mapping[int, list[dict[str, float]]]) -> list[int]:
        """Say that this process's trials still run, and return those that fall behind.

        Args:
            histories: history of each running trial, by its number.
        """
        due = time.monotonic() - self._told >= self._lost_s / 6
        self._told = time.monotonic() if due else self._told
        behind = []
        for number, history in histories.items():
            asked = self._mine[number]
            try:
                for row in history[self._reported[number] :]:
                    asked.report(row["val_accuracy"], int(row["epoch"]))
                if due:
                    asked.set_user_attr("alive", time.time())
            except UpdateFinishedTrialError:  # given to another process meanwhile
                continue
            if len(history) > self._reported[number] and self._prune and asked.should_prune():
                behind.append(number)
            self._reported[number] = len(history)
        return behind

    def tell(self, trial: Trial) -> None:
        """Record the result of one of this process's trials."""
        asked = self._mine.pop(trial.number)
        value = trial.scores["val"].accuracy if trial.status == "finished" else None
        try:
            asked.set_user_attr("result", trial.model_dump(mode="json"))
            self._study.tell(asked, value, _STATES[trial.status], skip_if_finished=True)
        except UpdateFinishedTrialError:
            return  # given to another process meanwhile, whose result counts

    def give_back(self) -> None:
        """Let the others have the trials that this process took and has not ended."""
        for number in [*self._mine]:
            self._retry(self._mine.pop(number)._trial_id, "its process was stopped")

    def others_running(self) -> bool:
        """Whether other processes still train; if one of them is killed, its trial waits again."""
        self._give_back_lost()
        busy = (TrialState.RUNNING, TrialState.WAITING)
        return bool(self._study.get_trials(deepcopy=False, states=busy))

    def copy_to(self, folder: SweepFolder) -> None:
        """Write the results of all trials so far into a sweep directory."""
        for frozen in self._study.get_trials(deepcopy=False):
            if frozen.number not in self._mine:
                folder.save(trial_of(frozen, self._sweep))

    def _drawn(self, trials: list[FrozenTrial]) -> int:
        """Return the number of draws of a search: a trial that is tried again is no new one."""
        return sum("tried_again" not in trial.user_attrs for trial in trials)

    def _give_back_lost(self) -> None:
        """Let trials wait again whose process has given no sign of life for long.

        Their clocks may differ, so what counts is how long this process has seen no new sign.
        """
        now = time.monotonic()
        for frozen in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if frozen.number in self._mine:
                continue
            sign = (frozen.user_attrs.get("alive"), len(frozen.intermediate_values))
            last, since = self._seen.get(frozen.number, (None, now))
            if frozen.number not in self._seen or sign != last:
                self._seen[frozen.number] = (sign, now)
            elif now - since > self._lost_s:
                self._retry(frozen._trial_id, "its process was lost")

    def _retry(self, trial_id: int, why: str) -> None:
        """Let a trial wait again under a new number, unless it was lost too often."""
        frozen = self._study._storage.get_trial(trial_id)
        retries = frozen.user_attrs.get("retries", 0)
        again = retries < _MOST_RETRIES
        if not self._fail(trial_id, why if again else f"{why}, {_MOST_RETRIES + 1} times", again):
            return
        if again:
            params = frozen.params or frozen.system_attrs.get(_FIXED, {})
            self._study.enqueue_trial(params, user_attrs={"retries": retries + 1})

    def _fail(self, trial_id: int, why: str, again: bool = False) -> bool:
        """Mark a trial as failed; return False if another process has ended it meanwhile."""
        storage = self._study._storage
        try:
            storage.set_trial_user_attr(trial_id, "error", why)
            if again:
                storage.set_trial_user_attr(trial_id, "tried_again", True)
            storage.set_trial_state_values(trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return False
        return True


def sweep_of(study: optuna.Study) -> Sweep:
    """Return the sweep of a study.

    Raises:
        RunError: if mien did not make the study.
    """
    told = study.user_attrs.get("sweep")
    if not told:
        raise RunError(
            f"study {study.study_name}: has no sweep of mien; name another --study, or wait until "
            "the process that makes it is done"
        )
    return Sweep.model_validate(told["sweep"])


def trial_of(frozen: FrozenTrial, sweep: Sweep) -> Trial:
    """Return a trial of a study as one of a sweep, with its result if it has one."""
    if "result" in frozen.user_attrs:
        return Trial.model_validate(frozen.user_attrs["result"])
    drawn = frozen.params or frozen.system_attrs.get(_FIXED, {})
    if points := sweep.points():
        name, settings = sweep.names()[drawn[_POINT]], points[drawn[_POINT]]
        trial = Trial(number=frozen.number, name=name, settings=settings)
    else:
        trial = Trial(number=frozen.number, settings=settings_of(sweep, drawn))
    if frozen.state == TrialState.FAIL:
        return trial.failed(frozen.user_attrs.get("error", "its process was lost"))
    return trial


@contextmanager
def opened(storage: str) -> Iterator[BaseStorage]:
    """Open the storage of an address inside this block, and close its connections at the end.

    Raises:
        RunError: if the address is none, the file cannot be written, or the database is not
            reached, then or later.
    """
    from sqlalchemy.exc import SQLAlchemyError

    kind, _, rest = storage.partition(":")
    if kind == "journal" and rest:
        path = expand_user(rest)
        if not path.parent.is_dir():
            raise RunError(f"--storage {storage}: {path.parent} is no folder; make it first")
        refuse_unwritable(path.parent)
        with quiet_optuna():
            yield JournalStorage(JournalFileBackend(str(path)))
        return
    if kind.split("+")[0] not in _DATABASES or not rest.startswith("//"):
        raise RunError(
            f"--storage {_without_password(storage)}: expected journal:PATH of a file, or the "
            "address of a database, such as postgresql://user@host/name"
        )
    try:
        with quiet_optuna():
            database = RDBStorage(storage)
            try:
                yield database
            finally:
                database.remove_session()
                database.engine.dispose()
    except (SQLAlchemyError, OSError, ImportError) as error:
        reason = first_line(error, most=120)
        if isinstance(error, ImportError):
            reason = f"the driver of this database is not installed: {error.__cause__ or error}"
        raise RunError(
            f"--storage {_without_password(storage)}: not reached ({reason}); check the address, "
            "and that this machine may connect"
        ) from None


def _without_password(storage: str) -> str:
    """Return an address as it may be printed."""
    before, at, after = storage.rpartition("@")
    if not at or "//" not in before:
        return storage
    scheme, _, user = before.partition("//")
    return f"{scheme}//{user.partition(':')[0]}@{after}"
