"""Run a sweep: its trials, each in a process of its own, as many at once as one asks for.

Read from the top: `start_sweep` and `resume_sweep` are what users call; `_run` keeps the processes
going; `_next_trial` says what is tried next.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from mien.data.load import Paths, as_paths
from mien.data.split import SPLITS
from mien.errors import Interrupted, RunError
from mien.io.files import locked_folder
from mien.runs.data import load_split_data
from mien.runs.record import describe_paths
from mien.runs.run import Run
from mien.sweeps.folder import SweepFolder, SweepRecord, Trial
from mien.sweeps.spec import Sweep
from mien.sweeps.trial import STOPPED, stopped_trial
from mien.training.device import Device, resolve_device

_POLL_S = 0.5


class SweepWatcher:
    """Progress listener for a sweep; the command line's draws a line a trial."""

    def started(self, folder: SweepFolder, total: int) -> None:
        """The sweep begins, or goes on."""

    def running(self, progress: dict[int, list[dict[str, float]]]) -> None:
        """Every half second: the histories of the trials under way, by their numbers."""

    def trial_ended(self, trial: Trial) -> None:
        """A trial has finished or failed, or the time budget has stopped it with scores on val."""

    def out_of_time(self, said: str) -> None:
        """The time budget has ended the sweep: one line of what is unfinished, and how to go on."""

    def ended(self) -> None:
        """The sweep is over, for whatever reason."""


def start_sweep(
    sweep: Sweep,
    data: Paths,
    out: str | Path,
    *,
    jobs: int = 1,
    device: Device = "auto",
    minutes: float | None = None,
    splits: tuple[str, ...] = SPLITS,
    skip_bad: bool = False,
    watcher: SweepWatcher | None = None,
) -> SweepFolder:
    """Run a sweep and return its directory, every trial's result in it.

    Args:
        sweep: what is tried.
        data: the path of a data set, or several of Parquet files.
        out: the directory to make.
        jobs: number of trials that train at once; they share the processor's cores. On CUDA they
            share the one device too: it takes turns between their steps, which fills it where one
            small network cannot, and holds each one's images and context in its memory.
        device: where the trials train: ``cpu``, ``cuda``, or ``auto`` for CUDA where there is one.
        minutes: time budget of the whole sweep, counted from this call; None for no limit. It is
            when stopping begins: each running trial ends its step and then writes and measures what
            it has, so leave time for that. `resume_sweep` goes on with what is unfinished.
        splits: names of the splits that a finished trial is measured on; val must be one of them.
            Leave test out where nothing is to be reported, since each measurement is a look.
        skip_bad: leave out images that cannot be used.
        watcher: is told how it goes.

    Raises:
        MienError: for whatever the user can mend before a trial begins. What goes wrong in a trial
            is its result, and the others go on.
        Interrupted: on Ctrl-C or SIGTERM; `resume_sweep` goes on.
    """
    budget = _Budget(minutes)
    _check_splits(splits)
    resolve_device(device)  # a device that is missing is told now, and not by every trial
    paths = as_paths(data)
    record = SweepRecord(
        sweep=sweep,
        started_in=str(Path.cwd()),
        paths=describe_paths(paths),
        fingerprint=_fingerprint(sweep, paths, skip_bad=skip_bad),
        skip_bad=skip_bad,
        device=device,
        splits=splits,
    )
    folder = SweepFolder.create(Path(out), record)
    return _run(folder, jobs, budget, watcher or SweepWatcher())


def resume_sweep(
    path: str | Path,
    data: Paths | None = None,
    *,
    jobs: int = 1,
    minutes: float | None = None,
    retry_failed: bool = False,
    watcher: SweepWatcher | None = None,
) -> SweepFolder:
    """Go on with a sweep that was stopped at any moment; what has ended is not run again.

    The trials train on the device that the sweep was started with.

    Args:
        path: the sweep's directory.
        data: where the data set is now, if it has been moved.
        jobs: number of trials that train at once.
        minutes: time budget from this call on, as for `start_sweep`; None for no limit.
        retry_failed: begin anew the trials that failed.
        watcher: is told how it goes.

    Raises:
        RunError: if it is damaged, or the data is not what it began on.
        Interrupted: on Ctrl-C or SIGTERM.
    """
    budget = _Budget(minutes)
    folder = SweepFolder(Path(path))
    record = folder.record
    given = as_paths(data or record.paths)
    found = _fingerprint(record.sweep, given, skip_bad=record.skip_bad)
    if found != record.fingerprint:
        raise RunError(
            f"{given[0]}: not what {path} began on ({found}, expected {record.fingerprint}); its "
            "trials could not be compared. Name the right data set by --data"
        )
    folder.move_data(describe_paths(given))
    return _run(folder, jobs, budget, watcher or SweepWatcher(), retry_failed=retry_failed)


class _Budget:
    """The time that a sweep may take before its trials are asked to stop; None for no limit."""

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
            f"splits {', '.join(splits) or 'none'}: expected val, by which trials are chosen, and "
            f"others of {', '.join(SPLITS)}"
        )


def _fingerprint(sweep: Sweep, paths: tuple[Path, ...], *, skip_bad: bool) -> str:
    recipe = sweep.recipe_for({})
    dataset = load_split_data(recipe.data, paths, skip_bad=skip_bad)
    for split in ("train", "val"):
        dataset.split(split)  # says clearly when it is empty
    return dataset.fingerprint


def _run(
    folder: SweepFolder,
    jobs: int,
    budget: _Budget,
    watcher: SweepWatcher,
    *,
    retry_failed: bool = False,
) -> SweepFolder:
    total = len(folder.record.sweep.points()) or folder.record.sweep.trials
    running: dict[int, subprocess.Popen[bytes]] = {}
    try:
        with locked_folder(folder.path) as lock, _sigterm_as_ctrl_c():
            if retry_failed:
                folder.reopen_failed()
            watcher.started(folder, total)
            try:
                while not budget.spent and _fill(folder, running, total, jobs, lock):
                    time.sleep(_POLL_S)
                    watcher.running({number: _history(folder, number) for number in running})
                    for number in _ended(running):
                        watcher.trial_ended(_result(folder, number, running.pop(number)))
                if budget.spent:
                    _stop_at_budget(folder, running, watcher)
                    if said := _unfinished(folder, total):
                        watcher.out_of_time(
                            f"the time budget ({budget.minutes:.3g} min) ended the sweep: {said}"
                        )
            finally:
                try:
                    _stop(folder, running)
                finally:
                    watcher.ended()
    except KeyboardInterrupt:
        ended = sum(trial.ended for trial in folder.trials())
        raise Interrupted(
            f"stopped after {ended} of {total} trials; go on: mien sweep --resume {folder.path}"
        ) from None
    except BlockingIOError:
        raise RunError(
            f"{folder.path}: is being swept by another process, or one of its trials still runs"
        ) from None
    return folder


def _fill(
    folder: SweepFolder,
    running: dict[int, subprocess.Popen[bytes]],
    total: int,
    jobs: int,
    lock: int | None,
) -> bool:
    """Start trials until ``jobs`` of them run; return whether any does."""
    while len(running) < jobs:
        trial = _next_trial(folder, total, set(running))
        if trial is None:
            break
        running[trial.number] = _start(folder, trial, jobs, lock)
    return bool(running)


def _next_trial(folder: SweepFolder, total: int, running: set[int]) -> Trial | None:
    """Return a trial to start: one that waits or was stopped, else the search's next draw."""
    trials = folder.trials()
    for trial in trials:
        if trial.number not in running and not trial.ended:
            return trial
    if len(trials) >= total:
        return None
    from mien.sweeps.search import suggest  # a grid needs no Optuna

    settings = suggest(folder.record.sweep, trials)
    if settings is None:
        return None
    trial = Trial(number=len(trials), settings=settings)
    folder.save(trial)
    return trial


def _ended(running: dict[int, subprocess.Popen[bytes]]) -> list[int]:
    return [number for number, process in running.items() if process.poll() is not None]


def _start(
    folder: SweepFolder, trial: Trial, jobs: int, lock: int | None
) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    if jobs > 1:
        environment["OMP_NUM_THREADS"] = str(max(1, _cores() // jobs))
    with folder.log_path(trial.number).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "mien.sweeps.trial", str(folder.path), str(trial.number)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # The lock stays as long as a trial runs, also when this process is killed.
            pass_fds=() if lock is None else (lock,),
            # A terminal's Ctrl-C reaches this process alone, which then asks each trial once.
            start_new_session=True,
        )


def _cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _result(folder: SweepFolder, number: int, process: subprocess.Popen[bytes]) -> Trial:
    """Return an ended trial; one that left no result has failed, and its log says how.

    Raises:
        KeyboardInterrupt: if somebody asked the trial to stop; that is meant for the sweep.
    """
    trial = folder.trial(number)
    if not trial.ended:
        if process.returncode in (STOPPED, -signal.SIGTERM):
            raise KeyboardInterrupt
        lines = folder.log_path(number).read_text("utf-8", errors="replace").splitlines()
        last = lines[-1][:200] if lines else "it printed nothing"
        how = f"killed by signal {-code}" if (code := process.returncode) < 0 else f"exit {code}"
        trial = trial.anew().model_copy(update={"status": "failed", "error": f"{how}: {last}"})
        folder.save(trial)
    return trial


def _history(folder: SweepFolder, number: int) -> list[dict[str, float]]:
    """Return a trial's history so far; what is wrong with it is the trial's own to find."""
    try:
        return Run(folder.run_path(number)).history()
    except RunError:
        return []


def _stop_at_budget(
    folder: SweepFolder, running: dict[int, subprocess.Popen[bytes]], watcher: SweepWatcher
) -> None:
    """Ask every trial to stop, and note what each has written of itself once it has ended."""
    for process in running.values():
        process.terminate()
    while running:
        for number in _ended(running):
            process = running.pop(number)
            if process.returncode in (STOPPED, -signal.SIGTERM):
                trial = stopped_trial(folder, folder.trial(number))
                folder.save(trial)
            else:
                trial = _result(folder, number, process)
            if trial.status != "open":
                watcher.trial_ended(trial)
        time.sleep(_POLL_S if running else 0)


def _unfinished(folder: SweepFolder, total: int) -> str:
    """Return which trials are unfinished and how to go on with them; empty where all have ended."""
    trials = folder.trials()
    waiting = [trial.label for trial in trials if not trial.ended]
    if len(trials) < total:  # of a search
        waiting.append(f"{total - len(trials)} not drawn yet")
    if not waiting:
        return ""
    count = sum(not trial.ended for trial in trials) + total - len(trials)
    return (
        f"{count} of {total} trials unfinished ({', '.join(waiting)}); "
        f"go on: mien sweep --resume {folder.path}"
    )


def _stop(folder: SweepFolder, running: dict[int, subprocess.Popen[bytes]]) -> None:
    """Ask every trial to stop after its step, wait, and note what each has written of itself.

    A second Ctrl-C ends them at once.
    """
    for process in running.values():
        process.terminate()
    try:
        for number, process in running.items():
            process.wait()
            if process.returncode in (STOPPED, -signal.SIGTERM):
                folder.save(stopped_trial(folder, folder.trial(number)))
    finally:
        for process in running.values():
            process.kill()


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # signals come to that one only
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
