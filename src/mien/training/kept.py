"""Load the kept weights of a run as a network, from its checkpoint or its weights file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor

from mien.bundle.metadata import Calibration, FaceGate
from mien.errors import RunError, first_line
from mien.io.records import read_record
from mien.labels import named_labels
from mien.models import Classifier, Task, build_model
from mien.models.weights import VOTES_HEAD, open_network
from mien.models.weights import mix_votes as mix_votes_into
from mien.recipes.sections import TrainSection
from mien.runs.run import Run, refuse_links
from mien.training.history import History

_MEND: Final = "copy it back from a backup, or train again"

_Record = TypeVar("_Record", bound=BaseModel)


def task_of(run: Run) -> Task:
    """Return the classes and the crops that a run's network is built for."""
    return Task(named_labels(run.record.data.labels), run.record.data.crop.spec)


def load_kept(run: Run) -> tuple[Classifier, list[dict[str, float]]]:
    """Return a run's network with its kept weights and its calibrated answer, and its history.

    The network is in evaluation mode, on the CPU, without a face gate. A run that was copied from
    elsewhere may lack its checkpoints: its ``model.safetensors`` is enough.

    Raises:
        RunError: if there are no weights yet, or they or the calibration are damaged.
    """
    if not run.kept_checkpoint.is_file() and run.weights_path.is_file():
        classifier, votes_head = open_network(run.recipe.model, run.weights_path, task_of(run))
        rows = _rows_until_kept(run)
    else:
        classifier, votes_head, rows = load_fitted(run)
        calibration = read_calibration(run)
        if calibration:
            classifier.calibrate(calibration.matrix, calibration.bias)
    mix_votes(run, classifier, votes_head)
    return classifier, rows


def load_fitted(run: Run) -> tuple[Classifier, dict[str, Tensor], list[dict[str, float]]]:
    """Return a run's network and its votes' layer, uncalibrated, and its history.

    The votes' layer is an empty dictionary if the run has none.

    Raises:
        RunError: if no epoch has ended yet, or the checkpoint is damaged or of another network.
    """
    if not run.kept_checkpoint.is_file():
        raise RunError(
            f"{run.path}: no epoch has ended yet, so there are no weights to use; "
            f"continue it: mien train --resume {run.path}"
        )
    checkpoint = load_checkpoint(run.kept_checkpoint)
    state, prefix = checkpoint["state_dict"], "classifier."
    own = {name.removeprefix(prefix): state[name] for name in state if name.startswith(prefix)}
    votes_head = {name: state[name] for name in VOTES_HEAD if name in state}
    classifier = build_model(run.recipe.model, task_of(run))
    try:
        classifier.load_state_dict(own)
    except Exception as error:  # its message lists every tensor
        raise RunError(
            f"{run.kept_checkpoint}: does not fit the network that recipe.toml describes; restore "
            f"the recipe with which it was trained, or train again"
        ) from error
    return classifier.eval(), votes_head, checkpoint["callbacks"][History.__qualname__]["rows"]


def mix_votes(run: Run, classifier: Classifier, votes_head: dict[str, Tensor]) -> None:
    """Mix the votes into the network's answer if the run's calibration says so."""
    if calibration := read_calibration(run):
        try:
            mix_votes_into(classifier, votes_head, calibration, run.weights_path)
        except RunError as error:
            raise RunError(f"{error}; copy the run back from a backup, or train again") from None


def add_face_gate(run: Run, classifier: Classifier) -> None:
    """Add the face gate of a run to its network for export, if there is one.

    Raises:
        RunError: if the gate is damaged, or of another network.
    """
    gate = read_face_gate(run)
    if gate is None:
        return
    if len(gate.weight) != classifier.last_layer.in_features:
        raise RunError(
            f"{run.face_gate_path}: has {len(gate.weight)} weights, expected "
            f"{classifier.last_layer.in_features}; copy it back from a backup, or train again"
        )
    classifier.add_face_gate(gate.weight, gate.bias)


def read_calibration(run: Run) -> Calibration | None:
    """Return the calibration of a run; None if it has none."""
    calibration = _read(Calibration, run.calibration_path)
    if calibration is not None and (reason := _misfit(calibration, len(run.record.data.labels))):
        raise RunError(f"{run.calibration_path}: damaged ({reason}); {_MEND}")
    return calibration


def read_face_gate(run: Run) -> FaceGate | None:
    """Return the face gate of a run; None if it has none."""
    gate = _read(FaceGate, run.face_gate_path)
    if gate is not None and not np.isfinite([*gate.weight, gate.bias]).all():
        raise RunError(f"{run.face_gate_path}: damaged (a weight is not finite); {_MEND}")
    return gate


def _misfit(calibration: Calibration, classes: int) -> str:
    """Return why a calibration cannot be that of a network with so many classes; else nothing."""
    matrix, bias, offset = calibration.matrix, calibration.bias, calibration.offset
    if {len(matrix), len(bias), *map(len, matrix)} != {classes} or len(offset) not in (0, classes):
        return f"expected a matrix, a bias and offsets for {classes} classes"
    numbers = [*np.ravel(matrix), *bias, *offset, calibration.temperature]
    if not np.isfinite(numbers).all() or calibration.temperature <= 0:
        return "expected finite numbers, and a temperature above 0"
    if not 0 <= calibration.votes_share <= 1:
        return f"votes_share = {calibration.votes_share}: expected 0 to 1"
    return ""


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint: tensors and plain values only, never code.

    Raises:
        RunError: if it is damaged.
    """
    try:
        refuse_links(path.parent.parent, ["checkpoints", f"checkpoints/{path.name}"])
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        _check(checkpoint)
    except RunError:
        raise
    except Exception as error:  # errors of a damaged file share no base
        reason = first_line(error, most=80)
        raise RunError(
            f"{path}: damaged ({reason}); copy the run back from a backup, or train again"
        ) from error
    return checkpoint


def _check(checkpoint: Any) -> None:
    """Raise an error for a checkpoint of the right form and wrong content."""
    state, callbacks = checkpoint["state_dict"], checkpoint["callbacks"]
    if not checkpoint["loops"] or not checkpoint["optimizer_states"]:
        raise ValueError("without the state of the training")
    if not isinstance(checkpoint["epoch"], int) or not isinstance(checkpoint["global_step"], int):
        raise TypeError("its epoch or step is not a number")
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} is not a tensor")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ValueError(f"{name} is not finite")
    rows = callbacks[History.__qualname__]["rows"]
    if not all(isinstance(value, int | float) for row in rows for value in row.values()):
        raise ValueError("its history has values that are not numbers")


def chosen_by(train: TrainSection) -> str:
    """Return the split by which weights are chosen; empty if they are chosen by no split."""
    by_val = train.keep == "best" or train.early_stopping_patience or train.schedule == "plateau"
    return "val" if by_val else ""


def _rows_until_kept(run: Run) -> list[dict[str, float]]:
    """Return the history of a run up to the epoch whose weights are kept."""
    rows, train = run.history(), run.recipe.train
    if train.keep == "last" or not rows:
        return rows
    watched = [row[train.monitor] for row in rows]
    best = max(watched) if train.monitor == "val_accuracy" else min(watched)
    return rows[: watched.index(best) + 1]


def _read(kind: type[_Record], path: Path) -> _Record | None:
    if not path.is_file():
        return None
    return read_record(kind, path, mend=_MEND)
