"""The part of the processes of a training that come after the first one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from mien.errors import CANNOT_DO, STOPPED, RunError
from mien.models.custom import BuildNetwork, register_callable
from mien.runs.data import load_run_data
from mien.runs.run import Run
from mien.training.distill import load_teachers
from mien.training.listener import TrainingListener
from mien.training.loop import fit
from mien.training.preflight import prepare
from mien.training.processes import LostProcessError, find_place, joined, told_by_first


def join(
    *,
    network: BuildNetwork | None = None,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
) -> Run:
    """Train the run of the first process with it, and return that run.

    The functions of `mien.training.train` call this in every process but the first.

    Args:
        network: function that builds the network, if the run is trained with one.
        callbacks: further Lightning callbacks, called after mien's own.
        loggers: Lightning loggers, which write in the first process alone.

    Raises:
        RunError: if this machine does not have the run's directory or data.
        SystemExit: if another process has ended or was stopped, which the first one reports.
    """
    place, quiet = find_place(), TrainingListener()
    if network is not None:
        register_callable(network)
    with joined(place):
        path = Path(told_by_first())
        try:
            run = Run(path)
        except RunError as error:
            raise RunError(
                f"{error}; all machines of a training need the same run directory, on a file "
                "system that they share"
            ) from None
        recipe = run.recipe
        dataset, _ = load_run_data(run)
        prepared = prepare(recipe, dataset, load_teachers(recipe), quiet)
        try:
            interrupted = fit(run, prepared, quiet, callbacks, loggers, place=place)
        except LostProcessError:
            sys.exit(CANNOT_DO)
    if interrupted:
        sys.exit(STOPPED)
    return run
