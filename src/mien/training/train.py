"""Train a recipe on a data set, resume a stopped training, or train a finished run further.

Read from the top: users call `train`, `resume` and `continue_training`; all prepare (`preflight`),
fit (`loop`) and finalize (`finalize`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from mien.data.load import Paths, as_paths
from mien.errors import Interrupted, RecipeError, RunError
from mien.io.files import expand_user, refuse_unwritable, write_text
from mien.models import Task, build_model, count_macs, count_parameters
from mien.models.custom import BuildNetwork, register_callable
from mien.models.weights import describe_weights, find_weights, load_weights
from mien.recipes import Recipe, load_recipe
from mien.recipes.families import with_family
from mien.recipes.recipe import extend_recipe
from mien.runs.data import load_run_data, load_split_data
from mien.runs.membership import Membership
from mien.runs.record import RunRecord, describe_data, describe_environment, describe_paths, now
from mien.runs.run import RECORD_NAME, Run
from mien.training.device import Device, resolve_device, resolve_precision
from mien.training.distill import load_teachers
from mien.training.finalize import finalize
from mien.training.join import join
from mien.training.kept import chosen_by, load_checkpoint, task_of
from mien.training.listener import EpochLines, TrainingListener
from mien.training.loop import fit
from mien.training.preflight import Prepared, preflight, prepare, refuse_uneven
from mien.training.pretrained import adopt_architecture
from mien.training.processes import Place, find_place, joined, told_by_first


def train(
    recipe: Recipe | str | Path,
    data: Paths,
    out: str | Path,
    *,
    overrides: Sequence[str] = (),
    device: Device = "auto",
    skip_bad: bool = False,
    network: BuildNetwork | None = None,
    listener: TrainingListener | None = None,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
) -> Run:
    """Train a recipe and return the run, with its weights, Bundle and evaluation on val.

    On Linux this process keeps the memory that training freed (see `mien.training.memory`).

    Args:
        recipe: a Recipe, the name of a recipe that comes with mien, or the path of a TOML file.
        data: path of the data set, or several of Parquet files (see `mien.load_dataset`).
        out: path of the run directory to make.
        overrides: settings such as ``train.epochs=5``, for a recipe given by name or path.
        device: ``cpu``, ``cuda``, or ``auto`` for CUDA if there is a device.
        skip_bad: whether to leave out images that cannot be used, instead of raising an error.
        network: function that builds the network from the recipe's [model] section and the
            `mien.models.Task`, in place of a registered family; its module ends in an ``nn.Linear``
            that gives a logit for each class. Only this process knows it: pass it to `resume` as
            well, or make it an entry point of the group ``mien.networks``.
        listener: progress listener; None prints a line for each epoch on standard error, and a
            `TrainingListener` nothing.
        callbacks: further Lightning callbacks, called after mien's own.
        loggers: Lightning loggers; with none, a TensorBoard logger if TensorBoard is installed.

    Started by torchrun or srun, every process calls this; the first one makes the run, and a
    restarted one resumes it.

    Raises:
        MienError: for a mistake in the recipe, the data or the run directory.
        Interrupted: on Ctrl-C or SIGTERM; the run can be used as it is then.
    """
    place = find_place()
    if place.rank:
        return join(network=network, callbacks=callbacks, loggers=loggers)
    out = expand_user(out)
    if place.restarts and (out / RECORD_NAME).is_file():
        return resume(out, network=network, listener=listener, callbacks=callbacks, loggers=loggers)
    recipe = adopt_architecture(_resolve_recipe(recipe, overrides, network))
    listener = listener or EpochLines()
    Run.refuse_existing(out)  # before the data is read, which takes time
    paths = as_paths(data)
    weights = find_weights(recipe.model)
    recipe = recipe.resolve_paths(Path())
    teachers = load_teachers(recipe)
    accelerator = resolve_device(device)
    refuse_uneven(recipe, place, accelerator)
    dataset = load_split_data(recipe.data, paths, skip_bad=skip_bad)
    for note in dataset.notes:
        listener.noticed(note)
    untrained = build_model(recipe.model, Task(dataset.label_set, dataset.crop))
    if weights is not None and not load_weights(untrained, weights):  # reports a mistake now
        listener.noticed(
            f"the last layer starts anew: {recipe.model.weights} tells other classes apart"
        )
    parameters, macs = count_parameters(untrained), count_macs(untrained)
    prepared = prepare(recipe, dataset, teachers, listener)
    preflight(recipe, prepared, untrained)
    record = RunRecord(
        status="training",
        started=now(),
        data=describe_data(dataset, paths, skip_bad=skip_bad),
        device=accelerator,
        precision=resolve_precision(recipe.train.precision, accelerator),
        threads=torch.get_num_threads(),
        processes=place.size,
        environment=describe_environment(),
        parameters=parameters,
        macs=macs,
        initial_weights=describe_weights(weights),
    )
    run = Run.create(out, recipe, record)
    if dataset.skipped:
        write_text(run.skipped_path, "\n".join(dataset.skipped) + "\n")
    with run.locked(), _interruptible(run):
        return _fit_and_finalize(run, prepared, listener, callbacks, loggers, place)


def resume(
    path: str | Path,
    data: Paths | None = None,
    *,
    network: BuildNetwork | None = None,
    listener: TrainingListener | None = None,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
) -> Run:
    """Resume a run that was stopped at any moment; it ends in the same weights as without the stop.

    Args:
        path: path of the run directory.
        data: path of the data set, if it has been moved.
        network: function that builds the network, if the run was trained with one.
        listener: progress listener; None prints a line for each epoch on standard error, and a
            `TrainingListener` nothing.
        callbacks: further Lightning callbacks, called after mien's own.
        loggers: Lightning loggers; with none, a TensorBoard logger if TensorBoard is installed.

    Raises:
        RecipeError: if its network cannot be built here.
        RunError: if the run is finished or damaged, or the data is not the data that it was trained
            on.
    """
    if find_place().rank:
        return join(network=network, callbacks=callbacks, loggers=loggers)
    if network is not None:
        register_callable(network)
    run = Run(path)
    if run.record.status == "finished":
        raise RunError(
            f"{path}: has finished, so there is nothing to resume; train it further: mien train "
            f"--continue {path} --set train.epochs={2 * run.recipe.train.epochs}"
        )
    return _go_on(run, run.recipe, data, listener, callbacks, loggers)


def continue_training(
    path: str | Path,
    overrides: Sequence[str],
    data: Paths | None = None,
    *,
    network: BuildNetwork | None = None,
    listener: TrainingListener | None = None,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
) -> Run:
    """Train a finished run further, for more epochs; its results are replaced by new ones.

    Args:
        path: path of the run directory.
        overrides: settings that change, ``train.epochs`` among them, such as ``train.epochs=60``
            for a run of 40 epochs.
        data: path of the data set, if it has been moved.
        network: function that builds the network, if the run was trained with one.
        listener: progress listener; None prints a line for each epoch on standard error, and a
            `TrainingListener` nothing.
        callbacks: further Lightning callbacks, called after mien's own.
        loggers: Lightning loggers; with none, a TensorBoard logger if TensorBoard is installed.

    Raises:
        RecipeError: if a setting cannot change after training has begun, or leaves no epoch.
        RunError: if the run has not finished or lacks its last checkpoint, or the data is not the
            data that it was trained on.
    """
    if find_place().rank:
        return join(network=network, callbacks=callbacks, loggers=loggers)
    if network is not None:
        register_callable(network)
    run = Run(path)
    if run.record.status != "finished":
        raise RunError(
            f"{path}: has not finished yet; complete it first: mien train --resume {path}"
        )
    if not run.last_checkpoint.is_file():
        raise RunError(
            f"{path}: has no last checkpoint to go on from; start a new run from its weights: mien "
            f"train finetune --set model.weights={path} --data …"
        )
    recipe = extend_recipe(run.recipe, overrides, epochs_done=len(run.history()))
    return _go_on(run, recipe, data, listener, callbacks, loggers)


def _go_on(
    run: Run,
    recipe: Recipe,
    data: Paths | None,
    listener: TrainingListener | None,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
) -> Run:
    """Train a run from its last checkpoint to the end of a recipe."""
    path, place = run.path, find_place()
    refuse_uneven(recipe, place, run.record.device)
    refuse_unwritable(path)  # before the data is read, which takes time
    mend = "resuming would mix two data sets. Name the right one with --data"
    dataset, given = load_run_data(run, data, mend=mend)
    resolve_device("cuda" if run.record.device == "cuda" else "cpu")
    if run.last_checkpoint.is_file():
        load_checkpoint(run.last_checkpoint)  # raises a clear error if it is damaged
    listener = listener or EpochLines()
    try:
        build_model(run.recipe.model, task_of(run))
    except RecipeError as error:
        raise RecipeError(
            f"{path}: {error}; install the package of that family, or resume in Python with the "
            "function that builds the network: mien.resume(RUN, network=...)"
        ) from None
    with run.locked(), _interruptible(run):
        teachers = load_teachers(recipe, mend="put that run back")
        prepared = prepare(recipe, dataset, teachers, listener)
        run.change_recipe(recipe)
        moved = run.record.data.model_copy(update={"paths": describe_paths(given)})
        run.update(status="training", data=moved)
        if place.size != run.record.processes:
            run.update(processes=place.size, threads=torch.get_num_threads())
        run.remove_results()  # only now: the run stays usable if it cannot be resumed
        return _fit_and_finalize(run, prepared, listener, callbacks, loggers, place)


def _resolve_recipe(
    recipe: Recipe | str | Path, overrides: Sequence[str], network: BuildNetwork | None
) -> Recipe:
    family = None if network is None else register_callable(network)
    if not isinstance(recipe, Recipe):
        return load_recipe(recipe, overrides, family=family)
    if overrides:
        raise RecipeError(
            "overrides need a recipe's name or path, not a loaded Recipe; name the recipe instead"
        )
    if family is None:
        return recipe
    return recipe.model_copy(update={"model": with_family(recipe.model.model_dump(), family)})


@contextmanager
def _interruptible(run: Run) -> Iterator[None]:
    """Turn a Ctrl-C that stops at once into advice on how to resume."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):  # Lightning turns a KeyboardInterrupt into a SystemExit
        raise Interrupted(f"stopped at once; resume with: mien train --resume {run.path}") from None


def _fit_and_finalize(
    run: Run,
    prepared: Prepared,
    listener: TrainingListener,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
    place: Place,
) -> Run:
    # Also if resumed: older versions wrote none, and the data is known to be the same.
    Membership.of(prepared.dataset, chosen_by=chosen_by(run.recipe.train)).save(run.path)
    with joined(place):
        told_by_first(str(run.path.resolve()))
        interrupted = fit(run, prepared, listener, callbacks, loggers, place=place)
    if interrupted and place.size > 1:  # what starts the processes soon kills those that linger
        run.update(status="interrupted")
        raise Interrupted(f"stopped; resume with: mien train --resume {run.path}")
    if interrupted and not run.kept_checkpoint.is_file():
        run.update(status="interrupted")
        raise Interrupted(
            f"stopped before the first epoch ended; start it again: mien train --resume {run.path}"
        )
    finalize(run, prepared, listener)
    if interrupted:
        run.update(status="interrupted")
        done, total = len(run.history()), run.recipe.train.epochs
        raise Interrupted(
            f"stopped after epoch {done} of {total}; {run.path} can be used as it is, or resumed: "
            f"mien train --resume {run.path}"
        )
    run.update(status="finished")
    return run
