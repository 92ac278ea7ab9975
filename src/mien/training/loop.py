"""The training loop: fit a run's network with Lightning, from the start or its last checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy

from mien.errors import MienError, RecipeError, RunError, first_line
from mien.io.names import is_text
from mien.io.quiet import quiet_logger
from mien.models import build_model
from mien.models.weights import describe_weights, find_weights, load_weights
from mien.recipes import Recipe
from mien.runs.run import Run
from mien.training.batches import Batches
from mien.training.callbacks import (
    AtomicCheckpoints,
    AveragedWeights,
    Checkpoint,
    Freeze,
    LearningRate,
    Patience,
    SeedEachEpoch,
)
from mien.training.device import exact_arithmetic, fixed_threads
from mien.training.history import History
from mien.training.kept import task_of
from mien.training.listener import NotifyListener, Started, Stopped, StopWhenAsked, TrainingListener
from mien.training.memory import keep_freed_memory
from mien.training.module import Trainable, balanced_weights, use_channels_last
from mien.training.preflight import Prepared
from mien.training.processes import LostProcessError, Place, is_lost_connection
from mien.training.taught_batches import TaughtBatches

# On a CPU, larger batches take more memory and no less time.
_VAL_BATCH: Final = {"cpu": 128, "cuda": 1024}
_BETWEEN_CHECKPOINTS_S: Final = 10.0  # on a GPU
_LIGHTNING: Final = ("lightning.pytorch", "lightning.fabric")


def fit(
    run: Run,
    prepared: Prepared,
    listener: TrainingListener,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    *,
    place: Place,
) -> bool:
    """Train a run until the end of its recipe; return whether it was stopped earlier.

    Args:
        run: run to train; it resumes from its last checkpoint if it has one.
        prepared: images and teachers of the training.
        listener: progress listener.
        callbacks: further Lightning callbacks, called after mien's own.
        loggers: Lightning loggers; with none, a TensorBoard logger if TensorBoard is installed.
        place: place of this process among those of the training, which are connected.

    Raises:
        LostProcessError: if another process of the training has ended.
        RunError: if the weights that the run started from have changed since.
        RecipeError: if torch.compile does not work on this machine.
    """
    settings, recipe = run.record, run.recipe
    on_gpu = settings.device == "cuda"
    device = torch.device("cuda", place.local_rank) if on_gpu else torch.device("cpu")
    part = (place.rank, place.size)
    keep_freed_memory()
    module = _build_module(run, prepared)
    batches = _build_batches(run, prepared, module, device, part)
    validation = Batches(prepared.dataset.val, _VAL_BATCH[device.type], device, part=part)

    stopper, started = StopWhenAsked(between_epochs=on_gpu), Started()
    resume_from = run.last_checkpoint if run.last_checkpoint.is_file() else None
    own_callbacks: list[Callback] = [
        SeedEachEpoch(batches, recipe.train.seed, place.rank),
        *_freezing(recipe, module),
        *([AveragedWeights(recipe.train.ema_decay, device)] if recipe.train.ema_decay else []),
        History(run.history_path, listener.epoch_ended, recipe.train),  # before the next rate
        LearningRate(recipe.train, recipe.train.epochs * len(batches)),
        NotifyListener(listener),
        stopper,
        started,
        *_early_stopping(recipe),
        *_checkpoints(run, stopper, least_seconds=_BETWEEN_CHECKPOINTS_S if on_gpu else 0.0),
    ]
    listener.started(run, recipe.train.epochs, len(batches), batches.batch_size)
    try:
        with (
            quiet_logger(*_LIGHTNING, warnings_of=r"lightning\..*|torch\..*"),
            stopper.listening(),
            exact_arithmetic(settings.device, recipe.train),
            fixed_threads(settings.threads),  # sums depend on the number of threads
        ):
            trainer = pl.Trainer(
                accelerator="gpu" if on_gpu else "cpu",
                devices=place.local_size,
                num_nodes=place.nodes,
                strategy=_strategy(recipe, place),
                sync_batchnorm=recipe.train.sync_batch_norm and place.size > 1,
                precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
                max_epochs=recipe.train.epochs,
                callbacks=[*own_callbacks, *callbacks],
                plugins=[AtomicCheckpoints(), place.cluster()],
                logger=list(loggers) or (place.rank == 0 and _tensorboard(run)),
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                log_every_n_steps=max(1, len(batches) // 5),
            )
            trainer.fit(module, batches, validation, ckpt_path=resume_from, weights_only=True)
    except RuntimeError as error:
        if is_lost_connection(error):
            raise LostProcessError(
                f"another process of this training has ended; continue it: mien train --resume "
                f"{run.path}"
            ) from None
        if not recipe.train.compile or not type(error).__module__.startswith("torch._"):
            raise
        reason = first_line(error)
        raise RecipeError(
            f"train.compile: torch.compile does not work here ({reason}); it needs a compiler. "
            "Train without: --set train.compile=false"
        ) from None
    except Stopped:
        listener.stopping()
        return True
    except Exception as error:  # Lightning checks nothing in a checkpoint
        if resume_from is None or started.started or isinstance(error, MienError):
            raise
        raise RunError(
            f"{resume_from}: damaged ({first_line(error, most=80)}); copy the run back from a "
            "backup, or train again"
        ) from error
    finally:
        listener.ended()
    return False


def _build_module(run: Run, prepared: Prepared) -> Trainable:
    """Build the module to train, with the weights that the run starts from unless it resumes."""
    recipe = run.recipe
    classifier = build_model(recipe.model, task_of(run), seed=recipe.train.seed)
    weights = None if run.last_checkpoint.is_file() else find_weights(recipe.model)
    if weights is not None:
        if describe_weights(weights) != run.record.initial_weights:
            raise RunError(
                f"{weights}: not the weights that {run.path} started from "
                f"({run.record.initial_weights}); restore these, or train again"
            )
        load_weights(classifier, weights)
    use_channels_last(classifier)
    balanced = recipe.train.class_weights == "balanced"
    class_weights = balanced_weights(prepared.fitted) if balanced else None
    module = Trainable(classifier, recipe, class_weights, prepared.teachers)
    if weights is not None:
        module.load_votes_head(weights)
    return module


def _strategy(recipe: Recipe, place: Place) -> DDPStrategy | str:
    if place.size == 1:
        return "auto"
    # A frozen backbone has no gradients to wait for.
    return DDPStrategy(find_unused_parameters=bool(recipe.train.frozen_epochs))


def _build_batches(
    run: Run,
    prepared: Prepared,
    module: Trainable,
    device: torch.device,
    part: tuple[int, int],
) -> Batches:
    train, distill = run.recipe.train, run.recipe.distill
    if prepared.teachers is None or not distill.views:
        return Batches(prepared.fitted, train.batch_size, device, train.seed, part)
    return TaughtBatches(
        prepared.fitted,
        train.batch_size,
        device,
        train.seed,
        augmentation=module.augmentation,
        teachers=prepared.teachers,
        views=distill.views,
        bf16=run.record.precision == "bf16",
        part=part,
    )


def _freezing(recipe: Recipe, module: Trainable) -> list[Callback]:
    if not recipe.train.frozen_epochs:
        return []
    return [Freeze(module.classifier.network.backbone, recipe.train)]


def _checkpoints(run: Run, stopper: StopWhenAsked, *, least_seconds: float) -> list[Callback]:
    """Return the callbacks that write the last checkpoint, and the best one if it is kept."""
    folder, recipe = run.path / "checkpoints", run.recipe
    best = Checkpoint(
        least_seconds=0,  # or the best epoch might be missed
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
    """Return the direction in which the monitored figure improves."""
    return "max" if recipe.train.monitor == "val_accuracy" else "min"


def _tensorboard(run: Run) -> TensorBoardLogger | bool:
    """Return a logger for TensorBoard; False if it is not installed or cannot write to the path.

    Its logs are optional: history.csv is always written.
    """
    if not is_text(run.path):
        return False
    try:
        return TensorBoardLogger(run.path, name="tensorboard", version="")
    except ModuleNotFoundError:
        return False
