"""A run's kept checkpoint to weights, a Bundle and an evaluation."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from pydantic import ValidationError

from mien import __version__
from mien.data import FaceDataset
from mien.data.load import Paths
from mien.errors import BundleError, RunError
from mien.evaluation.calibrate import Calibration, calibrate
from mien.evaluation.evaluate import evaluate_bundle, measure
from mien.evaluation.protocol import Record
from mien.evaluation.seen import Seen
from mien.files import write_bytes, write_text
from mien.models import Classifier, build_model, to_unit
from mien.recipes.sections import TrainSection
from mien.runtime.bundle import Bundle, BundleMetadata, find_bundle
from mien.runtime.export import export_bundle, update_metadata
from mien.runtime.quantize import quantize
from mien.training.callbacks import History
from mien.training.face_gate import FaceGate, fit_face_gate
from mien.training.hold_back import hold_back
from mien.training.run import Run, load_data

_BATCH = 256

_Record = TypeVar("_Record", bound=Record)


def finish(run: Run, dataset: FaceDataset) -> None:
    """Write a run's weights, Bundle and evaluation on val, all from the same kept checkpoint.

    The Bundle is what is measured, and its metadata then carry the very same figures.
    """
    classifier, rows = _load_fitted(run)
    fitted, kept_back = hold_back(dataset, run.recipe.train)
    if kept_back is not None:
        train, opened = run.recipe.train, None
        if train.face_gate:
            gate = fit_face_gate(
                classifier, fitted.images, kept_back.images, run.recipe.augment, seed=train.seed
            )
            write_text(run.face_gate_path, gate.model_dump_json(indent=2) + "\n")
            opened = gate.read(classifier, kept_back.images)
        logits = _read_logits(classifier, kept_back.images)
        calibration = calibrate(logits, kept_back.labels, gate=opened, seed=train.seed)
        write_text(run.calibration_path, calibration.model_dump_json(indent=2) + "\n")
        classifier.calibrate(calibration.matrix, calibration.bias)
    weights = {**classifier.state_dict(), **_votes_head(run)}
    write_bytes(run.weights_path, safetensors.torch.save(weights))
    _add_gate(run, classifier)
    metadata = _describe(run, rows)
    bundle = export_bundle(classifier, metadata, run.bundle_path, samples=dataset.val.images)
    evaluation = measure(bundle, dataset, "val")
    evaluation.save(run.evaluation_path("val"))
    update_metadata(bundle, metadata.model_copy(update={"scores": (evaluation.summary(),)}))


def export(run: Run | str | Path, out: str | Path | None = None) -> Bundle:
    """Write the Bundle of a run's kept checkpoint, or of the best so far, and return it.

    Args:
        run: a run, or its directory; it need not have finished.
        out: the file to write; by default the run's own ``model.onnx``.

    Raises:
        RunError: if not one epoch of the run has ended.
        BundleError: if the exported network does not agree with torch.
    """
    run = run if isinstance(run, Run) else Run(run)
    classifier, rows = load_kept(run)
    _add_gate(run, classifier)
    metadata = _describe(run, rows)
    with suppress(BundleError):  # what has been measured of the same weights goes along
        measured = Bundle(run.bundle_path).metadata
        if measured.checkpoint == metadata.checkpoint:
            metadata = metadata.model_copy(update={"scores": measured.scores})
    return export_bundle(classifier, metadata, Path(out or run.bundle_path))


def export_int8(
    run: Run | str | Path, out: str | Path | None = None, *, data: Paths | None = None
) -> Bundle:
    """Write the int8 Bundle of a finished run, measured on val, and return it.

    Args:
        run: a run that has a Bundle, or its directory.
        out: the file to write; by default the run's own ``model-int8.onnx``.
        data: where the data set that it was trained on is now, if it has been moved; training faces
            set the ranges of the activations.

    Raises:
        RunError: if this is not the data that it was trained on.
        DataError: if the data is not where it was.
        BundleError: if the run has no Bundle.
    """
    run = run if isinstance(run, Run) else Run(run)
    bundle = Bundle(find_bundle(run.path))
    dataset, _ = load_data(run, data, mend="name them by --data")
    fitted, _ = hold_back(dataset, run.recipe.train)
    int8 = quantize(bundle, fitted.images, Path(out or run.int8_path))
    score = evaluate_bundle(int8, dataset, "val", seen=Seen.load(run.path)).summary()
    return update_metadata(int8, int8.metadata.model_copy(update={"scores": (score,)}))


def load_kept(run: Run) -> tuple[Classifier, list[dict[str, float]]]:
    """Return a run's network with its kept weights, calibrated, and its history up to them.

    The network is in evaluation mode, on the CPU.

    Raises:
        RunError: if there is no checkpoint yet, or it or the calibration is damaged.
    """
    classifier, rows = _load_fitted(run)
    calibration = _read_record(Calibration, run.calibration_path)
    if calibration:
        classifier.calibrate(calibration.matrix, calibration.bias)
    return classifier, rows


def _load_fitted(run: Run) -> tuple[Classifier, list[dict[str, float]]]:
    """Return the same as it was fitted: its checkpoint knows of no calibration."""
    if not run.kept_checkpoint.is_file():
        raise RunError(
            f"{run.path}: no epoch has ended yet, so there are no weights to use; "
            f"continue it: mien train --resume {run.path}"
        )
    checkpoint = load_checkpoint(run.kept_checkpoint)
    prefix = "classifier."
    state = {
        name.removeprefix(prefix): tensor
        for name, tensor in checkpoint["state_dict"].items()
        if name.startswith(prefix)
    }
    classifier = build_model(run.recipe.model)
    try:
        classifier.load_state_dict(state)
    except RuntimeError as error:  # its message lists every tensor
        raise RunError(
            f"{run.kept_checkpoint}: is of another network than recipe.toml beside it describes; "
            "put the recipe back as it was trained, or train again"
        ) from error
    return classifier.eval(), checkpoint["callbacks"][History.__qualname__]["rows"]


def _votes_head(run: Run) -> dict[str, torch.Tensor]:
    """Return the layer from features to FER+ votes; empty where the run has none.

    No Bundle has it. It is kept with the weights so that it can be measured.
    """
    state = load_checkpoint(run.kept_checkpoint)["state_dict"]
    return {name: tensor for name, tensor in state.items() if name.startswith("votes_head.")}


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint's content; tensors and plain values only, never code.

    Raises:
        RunError: if it is damaged.
    """
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch names no common base for what a damaged file raises
        reason = (str(error).splitlines() or ["empty"])[0][:80]
        raise RunError(
            f"{path}: damaged ({reason}); copy the run back from a backup, or train again"
        ) from error
    return checkpoint


def chosen_by(train: TrainSection) -> str:
    """Return the split that has a say in which weights are kept; empty where none has."""
    by_val = train.keep == "best" or train.early_stopping_patience or train.schedule == "plateau"
    return "val" if by_val else ""


def _read_logits(classifier: Classifier, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    with torch.no_grad():
        batches = torch.split(torch.from_numpy(np.array(images)), _BATCH)
        logits = [classifier(to_unit(batch)) for batch in batches]
    return np.asarray(torch.cat(logits).numpy())


def _describe(run: Run, rows: list[dict[str, float]]) -> BundleMetadata:
    record, recipe = run.record, run.recipe.as_told()
    train = recipe.train
    why = f"the best by {train.monitor}" if train.keep == "best" else "the last"
    if record.initial_weights:
        why += f", begun with the weights {getattr(recipe.model, 'weights', '')}"
    if train.votes_weight and record.data.train_voted:
        why += ", which learnt FER+'s votes beside the labels"
    if recipe.distill.teachers:
        others = len(recipe.distill.teachers)
        why += f", taught by {others} other run{'s' if others > 1 else ''}"
    calibration = _read_record(Calibration, run.calibration_path)
    gate = _read_record(FaceGate, run.face_gate_path)
    return BundleMetadata(
        name=recipe.name,
        parameters=record.parameters,
        macs=record.macs,
        recipe=recipe.as_dict(),
        data={
            "name": record.data.name,
            "fingerprint": record.data.fingerprint,
            "split_rule": record.data.split_rule,
            "split_counts": record.data.split_counts,
            "chosen_by": chosen_by(train),
        },
        uncertain_below=calibration.uncertain_below if calibration else 0.0,
        calibration=calibration.model_dump(mode="json") if calibration else {},
        face_gate=gate.model_dump(mode="json") if gate else {},
        epoch=len(rows),
        checkpoint=f"epoch {len(rows)} of {train.epochs}, {why}",
        mien_version=__version__,
    )


def _add_gate(run: Run, classifier: Classifier) -> None:
    """Give a network its run's face gate, where it has one, for what is exported."""
    gate = _read_record(FaceGate, run.face_gate_path)
    if gate is None:
        return
    if len(gate.weight) != classifier.last_layer.in_features:
        raise RunError(
            f"{run.face_gate_path}: has {len(gate.weight)} weights, expected "
            f"{classifier.last_layer.in_features}; copy it back from a backup, or train again"
        )
    classifier.add_face_gate(gate.weight, gate.bias)


def _read_record(kind: type[_Record], path: Path) -> _Record | None:
    if not path.is_file():
        return None
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError:
        raise RunError(
            f"{path}: not what this version of mien writes there; copy it back from a backup, or "
            "train again"
        ) from None
