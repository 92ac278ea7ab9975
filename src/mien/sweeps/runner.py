"""Run a sweep: each trial in its own process, several at once if requested.

Read from the top: users call `sweep` or `start_sweep`, and `resume_sweep`; `_run` keeps the
processes going, and a `mien.sweeps.source.TrialSource` decides which trial comes next.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import Any

from mien.data.load import Paths, as_paths
from mien.data.split import SPLITS
from mien.errors import Interrupted, RunError
from mien.io.files import expand_user, locked_folder
from mien.io.interrupt import StopRequest, asked_to_stop
from mien.runs.data import load_split_data
from mien.runs.record import describe_paths
from mien.sweeps.folder import SweepFolder, SweepRecord, Trial
from mien.sweeps.load import load_sweep
from mien.sweeps.processes import POLL_S, TrialProcesses
from mien.sweeps.source import Shared, TrialSource
from mien.sweeps.spec import Sweep
from mien.training.device import Device, resolve_device


class SweepListener:
    """Progress listener for a sweep, which does nothing; subclasses override some methods.

    The command line's listener prints a line per trial.
    """

    def started(self, folder: SweepFolder, total: int) -> None:
        """Announce that the sweep starts, or resumes.

        Args:
            folder: directory of the sweep.
            total: number of its trials.
        """

    def running(self, histories: dict[int, list[dict[str, float]]]) -> None:
        """Announce, every half second, the histories of the running trials by their numbers."""

    def trial_ended(self, trial: Trial) -> None:
        """Announce a trial that has finished or failed, or that the time budget has stopped."""

    def out_of_time(self, message: str) -> None:
        """Announce that the time budget ended the sweep, and how to resume it."""

    def ended(self) -> None:
        """Announce that the sweep is over, for whatever reason."""


def start_sweep(
    sweep: Sweep,
    data: Paths,
    out: str | Path,
    *,
    jobs: int = 1,
    device: Device = "auto",
    minutes: float | None = None,
    splits: tuple[str, ...] = ("train", "val"),
    skip_bad: bool = False,
    shared: Shared | None = None,
    listener: SweepListener | None = None,
) -> SweepFolder:
    """Run a sweep and return its directory, with the result of every trial.

    Args:
        sweep: recipe and settings to try.
        data: path of a data set, or several paths of Parquet files.
        out: path of the sweep directory to make.
        jobs: number of trials that train at once; they share the CPU cores. On CUDA they share the
            one device, which takes turns between their steps: this fills it if one small network
            cannot, and its memory holds the images and the context of each.
        device: device of the trials: ``cpu``, ``cuda``, or ``auto`` for CUDA if there is a device.
        minutes: time budget of the whole sweep from this call on, in minutes; None for no limit.
            When it ends, each running trial is asked to stop after its step, and then writes and
            measures its result, for which time has to be left. `resume_sweep` continues the
            unfinished trials.
        splits: names of the splits that a finished trial is measured on; val has to be among them.
            A look at a test split is logged in each trial, and no choice should rest on it.
        skip_bad: whether to leave out unusable images, instead of refusing the data set.
        shared: study through which other processes train trials of the same sweep, each in a
            directory of its own; None for a sweep of this process alone.
        listener: progress listener; None for a silent sweep.

    Raises:
        MienError: for a mistake that is found before a trial starts. A trial that fails is recorded
            as failed, and the other trials continue.
        Interrupted: on Ctrl-C or SIGTERM; `resume_sweep` continues.
    """
    budget = _Budget(minutes)
    _check_splits(splits)
    out = expand_user(out)
    SweepFolder.refuse_existing(out)  # before the data is read, which takes time
    resolve_device(device)  # a missing device is reported once, instead of by every trial
    paths = as_paths(data)
    record = SweepRecord(
        sweep=sweep,
        started_in=str(Path.cwd()),
        paths=describe_paths(paths),
        fingerprint=_fingerprint(sweep, paths, skip_bad=skip_bad),
        skip_bad=skip_bad,
        device=device,
        splits=splits,
        study="" if shared is None else shared.study or sweep.name,
    )
    if shared is None:
        source = TrialSource(SweepFolder.create(out, record))
        return _run(source, jobs, budget, listener or SweepListener())
    from mien.sweeps.shared import SharedTrials  # only these need Optuna
    from mien.sweeps.study import Study, opened

    with opened(shared.storage) as storage:
        study = Study(storage, shared, record)  # first: no directory is made if it is not reached
        source = SharedTrials(SweepFolder.create(out, record), study)
        return _run(source, jobs, budget, listener or SweepListener())


def sweep(
    name: str | Path,
    data: Paths,
    out: str | Path,
    *,
    grid: Iterable[str] = (),
    search: Iterable[str] = (),
    overrides: Iterable[str] = (),
    trials: int | None = None,
    **options: Any,
) -> SweepFolder:
    """Load a sweep, or make one from a recipe, run it, and return its directory.

    Args:
        name: name or path of a sweep or of a recipe (see `mien.sweeps.load.load_sweep`).
        data: path of a data set, or several paths of Parquet files.
        out: path of the sweep directory to make.
        grid: settings to combine, such as ``model.stages=2,3,4,5``.
        search: settings to draw, such as ``train.lr=1e-4..1e-2:log``.
        overrides: settings of all trials, such as ``train.epochs=5``.
        trials: number of trials of a search; by default that of the file, or 20.
        options: other arguments of `start_sweep`: jobs, device, minutes, splits, skip_bad, shared
            and listener.

    Raises:
        MienError: if the sweep, the recipe, a setting or the data set cannot be used.
    """
    loaded = load_sweep(name, grid=grid, search=search, overrides=overrides, trials=trials)
    return start_sweep(loaded, data, out, **options)


def resume_sweep(
    path: str | Path,
    data: Paths | None = None,
    *,
    jobs: int = 1,
    minutes: float | None = None,
    retry_failed: bool = False,
    listener: SweepListener | None = None,
) -> SweepFolder:
    """Resume a sweep that was stopped at any moment; trials that have ended are not run again.

    The trials train on the device that the sweep was started with.

    Args:
        path: path of the sweep directory.
        data: path of the data set, if it has been moved.
        jobs: number of trials that train at once.
        minutes: time budget from this call on, in minutes, as for `start_sweep`; None for no limit.
        retry_failed: whether to restart the trials that failed.
        listener: progress listener; None for a silent sweep.

    Raises:
        RunError: if the sweep is damaged or one of its trials still runs, or the data set is not
            the one that it was started with.
        Interrupted: on Ctrl-C or SIGTERM.
    """
    budget = _Budget(minutes)
    folder = SweepFolder(expand_user(path))
    record = folder.record
    if record.study:
        raise RunError(
            f"{path}: its trials are those of the study {record.study}, which others work on too; "
            "to go on, start the same sweep again with the same --storage and another --out"
        )
    paths = as_paths(data or record.paths)
    found = _fingerprint(record.sweep, paths, skip_bad=record.skip_bad)
    if found != record.fingerprint:
        raise RunError(
            f"{paths[0]}: not the data set that {path} was started with ({found}, expected "
            f"{record.fingerprint}), so its trials could not be compared; name the right one with "
            f"--data"
        )
    folder.move_data(describe_paths(paths))
    source = TrialSource(folder)
    return _run(source, jobs, budget, listener or SweepListener(), retry_failed=retry_failed)


class _Budget:
    """The time until the trials of a sweep are asked to stop; None for no limit."""

    def __init__(self, minutes: float | None) -> None:
        if minutes is not None and not minutes > 0:
            raise RunError(
                f"a time budget (--minutes) of {minutes:g}: expected more than 0; leave it out for "
                "no limit"
            )
        self.minutes = minutes
        self._ends = math.inf if minutes is None else monotonic() + 60 * minutes

    @property
    def spent(self) -> bool:
        return monotonic() >= self._ends


def _check_splits(splits: tuple[str, ...]) -> None:
    if "val" not in splits or not set(splits) <= set(SPLITS):
        raise RunError(
            f"splits {', '.join(splits) or 'none'}: expected val, by which trials are compared, "
            f"and others of {', '.join(SPLITS)}"
        )


def _fingerprint(sweep: Sweep, paths: tuple[Path, ...], *, skip_bad: bool) -> str:
    dataset = load_split_data(sweep.recipe_for({}).data, paths, skip_bad=skip_bad)
    for split in ("train", "val"):
        dataset.split(split)  # raises an error if it is empty
    return dataset.fingerprint


def _run(
    source: TrialSource,
    jobs: int,
    budget: _Budget,
    listener: SweepListener,
    *,
    retry_failed: bool = False,
) -> SweepFolder:
    """Run all trials that have not ended, under the lock of the sweep directory."""
    folder = source.folder
    total, busy = folder.record.sweep.total, "is being swept by another process"
    try:
        with locked_folder(folder.path, busy=busy), asked_to_stop() as asked:
            folder.refuse_running()
            if retry_failed:
                folder.restart_failed()
            listener.started(folder, total)
            processes = TrialProcesses(folder, jobs)
            try:
                _train_all(source, processes, budget, listener, asked)
                if budget.spent:
                    _stop_all(source, processes, budget, listener)
            finally:
                try:
                    for _ in processes.stop():
                        pass
                    source.left()
                finally:
                    processes.kill()
                    listener.ended()
    except KeyboardInterrupt:
        ended = sum(trial.ended for trial in folder.trials())
        raise Interrupted(f"stopped after {ended} of {total} trials; {source.mend}") from None
    return folder


def _train_all(
    source: TrialSource,
    processes: TrialProcesses,
    budget: _Budget,
    listener: SweepListener,
    asked: StopRequest,
) -> None:
    """Keep the requested number of trials running, until all have ended or the budget is spent.

    Raises:
        KeyboardInterrupt: on a request to stop, which may have been sent to one of the trials.
    """
    while not budget.spent:
        while not processes.full and (trial := source.next(processes)):
            processes.start(trial)
        if not processes and not source.waits():
            return
        time.sleep(POLL_S)
        if asked():
            raise KeyboardInterrupt
        histories = processes.histories()
        listener.running(histories)
        for number in source.watch(histories):
            processes.prune(number)
        for trial in processes.ended():
            if not trial.ended:
                raise KeyboardInterrupt
            source.ended(trial)
            listener.trial_ended(trial)


def _stop_all(
    source: TrialSource, processes: TrialProcesses, budget: _Budget, listener: SweepListener
) -> None:
    """Stop the running trials at the end of the time budget, and announce what is unfinished."""
    for trial in processes.stop():
        if trial.status != "open":
            listener.trial_ended(trial)
    folder = source.folder
    trials, total = folder.trials(), folder.record.sweep.total
    unfinished = [trial.label for trial in trials if not trial.ended]
    not_drawn = total - len(trials)  # of a search
    count = len(unfinished) + not_drawn
    if not_drawn:
        unfinished.append(f"{not_drawn} not drawn yet")
    if count:
        listener.out_of_time(
            f"the time budget ({budget.minutes:.3g} min) ended the sweep: {count} of {total} "
            f"trials unfinished ({', '.join(unfinished)}); "
            f"{source.mend}"
        )
