"""Train a recipe on a data set, or go on with a training that was stopped.

Read from the top: `train` and `resume` are what users call; `_fit` is one training. What
becomes of the kept checkpoint stands in `finish`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger

from mien.data import FaceDataset
from mien.data.load import Paths, as_paths
from mien.errors import Interrupted, RecipeError, RunError
from mien.io.files import write_text
from mien.models import build_model, count_macs, count_parameters
from mien.models.weights import describe_weights, find_weights, load_weights
from mien.recipes import Recipe, load_recipe
from mien.runs.data import load_run_data, load_split_data
from mien.runs.membership import Membership
from mien.runs.record import (
    RunRecord,
    describe_data,
    describe_environment,
    describe_paths,
    now,
)
from mien.runs.run import Run
from mien.training.batches import Batches
from mien.training.calibration_share import split_calibration
from mien.training.callbacks import (
    AtomicCheckpoints,
    AveragedWeights,
    Checkpoint,
    Freeze,
    History,
    LearningRate,
    Patience,
    SeedEachEpoch,
)
from mien.training.device import (
    Device,
    exact_arithmetic,
    resolve_device,
    resolve_precision,
)
from mien.training.distill import find_teachers, load_teachers
from mien.training.finalize import chosen_by, finish, load_checkpoint
from mien.training.listener import Stopped, StopWhenAsked, TellWatcher, Watcher
from mien.training.memory import keep_freed_memory
from mien.training.module import Trainable, backbone_of, balanced_weights, use_channels_last
from mien.training.preflight import preflight
from mien.training.taught_views import TaughtViews

# On a CPU, larger batches take more memory and no less time.
_VAL_BATCH = {"cpu": 128, "cuda": 1024}
_BETWEEN_CHECKPOINTS_S = 10.0  # on a GPU


def train(
    recipe: Recipe | str | Path,
    data: Paths,
    out: str | Path,
    *,
    overrides: list[str] | None = None,
    device: Device = "auto",
    skip_bad: bool = False,
    watcher: Watcher | None = None,
) -> Run:
    """Train a recipe and return the run, with its weights, Bundle and evaluation on val.

    On Linux this process keeps the memory that training freed (see `mien.training.memory`).

    Args:
        recipe: a Recipe, a shipped recipe's name or the path of a TOML file.
        data: the path of a data set, or several of Parquet files (see `mien.load_dataset`).
        out: the run directory to make.
        overrides: settings such as ``train.epochs=5``.
        device: ``cpu``, ``cuda``, or ``auto`` for CUDA where there is one.
        skip_bad: leave out images that cannot be used.
        watcher: is told how it goes.

    Raises:
        MienError: for whatever the user can mend: the recipe, the data, the directory.
        Interrupted: on Ctrl-C or SIGTERM; what was trained so far is a usable run.
    """
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe, overrides or ())
    elif overrides:
        raise RecipeError("overrides go with a recipe's name or path, not with a loaded Recipe")
    Run.refuse_existing(Path(out))  # before time is spent on reading the data
    paths = as_paths(data)
    untrained = build_model(recipe.model)
    weights = find_weights(recipe.model)
    if weights is not None:
        load_weights(untrained, weights)  # what is wrong with them is told now
    recipe = recipe.resolve_paths(Path())
    find_teachers(recipe)
    accelerator = resolve_device(device)
    dataset = load_split_data(recipe.data, paths, skip_bad=skip_bad)
    watcher = watcher or Watcher()
    if recipe.train.calibration_share:
        watcher.working("Looking for duplicates of the images that are kept back for calibration")
    parameters, macs = count_parameters(untrained), count_macs(untrained)
    preflight(recipe, dataset, untrained)
    record = RunRecord(
        status="training",
        started=now(),
        data=describe_data(dataset, paths, skip_bad=skip_bad),
        device=accelerator,
        precision=resolve_precision(recipe.train.precision, accelerator),
        threads=torch.get_num_threads(),
        environment=describe_environment(),
        parameters=parameters,
        macs=macs,
        initial_weights=describe_weights(weights),
    )
    run = Run.create(out, recipe, record)
    if dataset.skipped:
        write_text(run.skipped_path, "\n".join(dataset.skipped) + "\n")
    with run.locked():
        return _carry_on(run, dataset, watcher)


def resume(
    path: str | Path,
    data: Paths | None = None,
    *,
    watcher: Watcher | None = None,
) -> Run:
    """Go on with a run that was stopped at any moment, to the weights it would have had.

    Args:
        path: the run directory.
        data: where the data set is now, if it has been moved.
        watcher: is told how it goes.

    Raises:
        RunError: if the run is finished or damaged, or the data is not what it was trained on.
    """
    run = Run(path)
    if run.record.status == "finished":
        raise RunError(f"{path}: has finished; nothing is left to resume")
    mend = "resuming would mix two data sets. Name the right one by --data"
    dataset, given = load_run_data(run, data, mend=mend)
    resolve_device("cuda" if run.record.device == "cuda" else "cpu")
    if run.last_checkpoint.is_file():
        load_checkpoint(run.last_checkpoint)  # says clearly when it is damaged
    with run.locked():
        moved = run.record.data.model_copy(update={"paths": describe_paths(given)})
        run.update(status="training", data=moved)
        run.remove_results()
        return _carry_on(run, dataset, watcher)


def _carry_on(run: Run, dataset: FaceDataset, watcher: Watcher | None) -> Run:
    try:
        return _fit_and_finish(run, dataset, watcher or Watcher())
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the one into the other
        raise Interrupted(f"left at once; go on: mien train --resume {run.path}") from None


def _fit_and_finish(run: Run, dataset: FaceDataset, watcher: Watcher) -> Run:
    # When resumed, too: an older version left none, and the data is known to be the same.
    Membership.of(dataset, chosen_by=chosen_by(run.recipe.train)).save(run.path)
    interrupted = _fit(run, dataset, watcher)
    if interrupted and not run.kept_checkpoint.is_file():
        run.update(status="interrupted")
        raise Interrupted(
            f"stopped before the first epoch was through; start again there: "
            f"mien train --resume {run.path}"
        )
    if run.recipe.train.calibration_share:
        watcher.working("Calibrating on the images that were kept back")
    finish(run, dataset)
    if interrupted:
        run.update(status="interrupted")
        done, total = len(run.history()), run.recipe.train.epochs
        raise Interrupted(
            f"stopped after epoch {done} of {total}; {run.path} can be used as it is, or "
            f"continued: mien train --resume {run.path}"
        )
    run.update(status="finished")
    return run


def _fit(run: Run, dataset: FaceDataset, watcher: Watcher) -> bool:
    """Train until the recipe's end; return whether somebody stopped it before."""
    settings, recipe = run.record, run.recipe
    keep_freed_memory()
    torch.set_num_threads(settings.threads)  # sums depend on how many threads share them
    device = torch.device(settings.device)
    images, _ = split_calibration(dataset, recipe.train)
    judged = Batches(dataset.val, _VAL_BATCH[device.type], device)

    classifier = build_model(recipe.model, seed=recipe.train.seed)
    weights = None if run.last_checkpoint.is_file() else find_weights(recipe.model)
    if weights is not None:
        if describe_weights(weights) != settings.initial_weights:
            raise RunError(
                f"{weights}: not the weights that {run.path} began with "
                f"({settings.initial_weights}); put these back, or train anew"
            )
        load_weights(classifier, weights)
    use_channels_last(classifier)
    balanced = recipe.train.class_weights == "balanced"
    teachers = load_teachers(recipe, dataset)
    module = Trainable(classifier, recipe, balanced_weights(images) if balanced else None, teachers)
    if weights is not None:
        module.load_votes_head(weights)
    fitted = Batches(images, recipe.train.batch_size, device, recipe.train.seed)
    if teachers is not None and recipe.distill.views:
        fitted = TaughtViews(
            images,
            recipe.train.batch_size,
            device,
            recipe.train.seed,
            augmentation=module.augmentation,
            teachers=teachers,
            views=recipe.distill.views,
            bf16=settings.precision == "bf16",
        )

    history = History(run.history_path, watcher.epoch_ended)
    on_gpu = device.type == "cuda"
    stopper = StopWhenAsked(between_epochs=on_gpu)
    callbacks: list[Callback] = [
        SeedEachEpoch(fitted, recipe.train.seed),
        *([Freeze(backbone_of(classifier), recipe.train)] if recipe.train.frozen_epochs else []),
        *([AveragedWeights(recipe.train.ema_decay, device)] if recipe.train.ema_decay else []),
        history,  # before the rate changes, which the next epoch has
        LearningRate(recipe.train, recipe.train.epochs * len(fitted)),
        TellWatcher(watcher),
        stopper,
        *_early_stopping(recipe),
        *_checkpoints(run, stopper, least_seconds=_BETWEEN_CHECKPOINTS_S if on_gpu else 0.0),
    ]
    watcher.started(run, recipe.train.epochs, len(fitted), fitted.batch_size)
    try:
        with _quiet(), stopper.listening(), exact_arithmetic(settings.device, recipe.train):
            trainer = pl.Trainer(
                accelerator="gpu" if settings.device == "cuda" else "cpu",
                devices=1,
                precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
                max_epochs=recipe.train.epochs,
                callbacks=callbacks,
                plugins=[AtomicCheckpoints()],
                logger=_logger(run),
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                log_every_n_steps=max(1, len(fitted) // 5),
            )
            resume_from = run.last_checkpoint if run.last_checkpoint.is_file() else None
            trainer.fit(module, fitted, judged, ckpt_path=resume_from, weights_only=True)
    except RuntimeError as error:
        if not recipe.train.compile or not type(error).__module__.startswith("torch._"):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise RecipeError(
            f"train.compile: torch.compile does not work here ({reason}); it needs a compiler. "
            "Train without: --set train.compile=false"
        ) from None
    except Stopped:
        watcher.stopping()
        return True
    finally:
        watcher.ended()
    return False


def _checkpoints(run: Run, stopper: StopWhenAsked, *, least_seconds: float) -> list[Callback]:
    """Return what writes the last checkpoint, and the best one where the recipe keeps that."""
    folder, recipe = run.path / "checkpoints", run.recipe
    best = Checkpoint(
        least_seconds=0,  # or the best epoch might be passed over
        asked_to_stop=lambda: stopper.stopping,
        dirpath=folder,
        filename="best",
        monitor=recipe.train.monitor,
        mode=_mode(recipe),
    )
    last = Checkpoint(
        least_seconds=least_seconds,
        asked_to_stop=lambda: stopper.stopping,
        dirpath=folder,
        filename="last",
    )
    return [best, last] if recipe.train.keep == "best" else [last]


def _early_stopping(recipe: Recipe) -> list[Callback]:
    train = recipe.train
    if not train.early_stopping_patience:
        return []
    return [
        Patience(
            train.monitor,
            train.frozen_epochs,
            patience=train.early_stopping_patience,
            mode=_mode(recipe),
        )
    ]


def _mode(recipe: Recipe) -> Literal["max", "min"]:
    """Return which way the watched figure gets better."""
    return "max" if recipe.train.monitor == "val_accuracy" else "min"


def _logger(run: Run) -> TensorBoardLogger | bool:
    try:
        return TensorBoardLogger(run.path, name="tensorboard", version="")
    except ModuleNotFoundError:  # tensorboard is optional; history.csv is always written
        return False


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's notes about its own workings from the user; its errors come through."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*|torch\..*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
