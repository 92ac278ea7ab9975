"""A run's kept checkpoint to weights, a Bundle and an evaluation."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor

from mien.bundle.bundle import Bundle, BundleMetadata, find_bundle
from mien.bundle.export import export_bundle, update_metadata
from mien.bundle.quantize import quantize
from mien.data import FaceDataset
from mien.data.load import Paths
from mien.errors import BundleError, RunError
from mien.evaluation import evaluate_bundle
from mien.evaluation.calibration import AnswerSettings, Calibration, calibrate
from mien.evaluation.protocol import Record
from mien.io.files import write_bytes, write_text
from mien.labels import VOTES_OF_EMOTIONS
from mien.models import Classifier, build_model, to_unit
from mien.models.weights import VOTES_BIAS, VOTES_HEAD, VOTES_WEIGHT, open_network
from mien.recipes import Recipe
from mien.recipes.sections import TrainSection
from mien.runs.data import load_run_data
from mien.runs.evaluations import measure
from mien.runs.membership import Membership
from mien.runs.run import Run
from mien.training.calibration_share import split_calibration
from mien.training.callbacks import History
from mien.training.face_gate import FaceGate, fit_face_gate
from mien.version import VERSION

_BATCH = 256

_Record = TypeVar("_Record", bound=Record)


def finish(run: Run, dataset: FaceDataset) -> None:
    """Write a run's weights, Bundle and evaluation on val, all from the same kept checkpoint.

    The Bundle is what is measured, and its metadata then carry the very same figures.
    """
    classifier, votes_head, rows = _load_fitted(run)
    fitted, kept_back = split_calibration(dataset, run.recipe.train)
    if kept_back is not None:
        train, opened = run.recipe.train, None
        if train.face_gate:
            gate = fit_face_gate(
                classifier, fitted.images, kept_back.images, run.recipe.augment, seed=train.seed
            )
            write_text(run.face_gate_path, gate.model_dump_json(indent=2) + "\n")
            opened = gate.read(classifier, kept_back.images)
        calibration = calibrate_answer(
            classifier, votes_head, run.recipe, fitted=fitted, kept_back=kept_back, gate=opened
        )
        write_text(run.calibration_path, calibration.model_dump_json(indent=2) + "\n")
        classifier.calibrate(calibration.matrix, calibration.bias)
    weights = {**classifier.state_dict(), **votes_head}
    write_bytes(run.weights_path, safetensors.torch.save(weights))
    _mix_votes(run, classifier, votes_head)
    _add_gate(run, classifier)
    metadata = _describe(run, rows)
    bundle = export_bundle(classifier, metadata, run.bundle_path, samples=dataset.val.images)
    evaluation = measure(bundle, dataset, "val")
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
    dataset, _ = load_run_data(run, data, mend="name them by --data")
    fitted, _ = split_calibration(dataset, run.recipe.train)
    int8 = quantize(bundle, fitted.images, Path(out or run.int8_path))
    membership = Membership.load(run.path)
    known = membership.known_among(dataset.val.images) if membership else None
    score = evaluate_bundle(int8, dataset, "val", known=known).summary()
    return update_metadata(int8, int8.metadata.model_copy(update={"scores": (score,)}))


def calibrate_answer(
    classifier: Classifier,
    votes_head: dict[str, Tensor],
    recipe: Recipe,
    *,
    fitted: FaceDataset,
    kept_back: FaceDataset,
    mapped: bool = False,
    gate: npt.NDArray[np.float64] | None = None,
) -> Calibration:
    """Calibrate a network's answer on the images that were kept back from its training.

    Args:
        classifier: the fitted network, in evaluation mode.
        votes_head: the weights of the layer of FER+ votes; empty without one.
        recipe: recipe of the run, with the share of the votes and that of the prior.
        fitted: the images that the network was fitted on, whose class shares are the prior.
        kept_back: the images that it was not fitted on.
        mapped: True if the layer of labels is calibrated already, as in a file of weights.
        gate: opening of the face gate for these images, 0 to 1, (N,).
    """
    features = _read_features(classifier, kept_back.images)
    votes_logits = None
    # Of images without votes the layer has learnt nothing, whatever the recipe says.
    share = recipe.train.votes_in_answer if _has_votes(fitted) else 0.0
    if share:
        votes = F.linear(features, votes_head[VOTES_WEIGHT], votes_head[VOTES_BIAS])
        votes_logits = votes[:, list(VOTES_OF_EMOTIONS)].numpy()
    counts = np.array(list(fitted.class_counts().values()), float)
    settings = AnswerSettings(
        votes_share=share,
        prior_share=recipe.calibration.prior,
        # An emotion without images counts as the rarest one: nothing may lift what is not there.
        log_prior=np.log(np.maximum(counts, counts[counts > 0].min()) / counts.sum()),
    )
    with torch.no_grad():
        logits = classifier.last_layer(features).numpy()
    return calibrate(
        logits,
        kept_back.labels,
        votes_logits=votes_logits,
        settings=settings,
        mapped=mapped,
        gate=gate,
        seed=recipe.train.seed,
    )


def _has_votes(dataset: FaceDataset) -> bool:
    return dataset.votes is not None and bool(dataset.votes.any())


def load_kept(run: Run) -> tuple[Classifier, list[dict[str, float]]]:
    """Return a run's network with its kept weights and its whole answer, and its history.

    The network is in evaluation mode, on the CPU, without a face gate. A run that has been brought
    from elsewhere may lack its checkpoints: its ``model.safetensors`` will do.

    Raises:
        RunError: if there are no weights yet, or they or the calibration are damaged.
    """
    if not run.kept_checkpoint.is_file() and run.weights_path.is_file():
        classifier, votes_head = open_network(run.recipe.model, run.weights_path)
        rows = _rows_until_kept(run)
    else:
        classifier, votes_head, rows = _load_fitted(run)
        calibration = _read_record(Calibration, run.calibration_path)
        if calibration:
            classifier.calibrate(calibration.matrix, calibration.bias)
    _mix_votes(run, classifier, votes_head)
    return classifier, rows


def _rows_until_kept(run: Run) -> list[dict[str, float]]:
    """Return a run's history up to the epoch whose weights it keeps."""
    rows, train = run.history(), run.recipe.train
    if train.keep == "last" or not rows:
        return rows
    watched = [row[train.monitor] for row in rows]
    best = max(watched) if train.monitor == "val_accuracy" else min(watched)
    return rows[: watched.index(best) + 1]


def _load_fitted(run: Run) -> tuple[Classifier, dict[str, Tensor], list[dict[str, float]]]:
    """Return a run's network and its layer of votes as they were fitted, and its history.

    Its checkpoint knows of no calibration. The layer of votes is empty where the run has none.
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
    classifier = build_model(run.recipe.model)
    try:
        classifier.load_state_dict(own)
    except RuntimeError as error:  # its message lists every tensor
        raise RunError(
            f"{run.kept_checkpoint}: is of another network than recipe.toml beside it describes; "
            "put the recipe back as it was trained, or train again"
        ) from error
    return classifier.eval(), votes_head, checkpoint["callbacks"][History.__qualname__]["rows"]


def _mix_votes(run: Run, classifier: Classifier, votes_head: dict[str, Tensor]) -> None:
    """Mix a run's votes into its network's answer, where its calibration says so."""
    calibration = _read_record(Calibration, run.calibration_path)
    if calibration and calibration.votes_share:
        if not votes_head:
            raise RunError(
                f"{run.weights_path}: has no layer of FER+ votes, which the answer is to contain; "
                "copy the run back from a backup, or train again"
            )
        classifier.mix_votes(votes_head[VOTES_WEIGHT], votes_head[VOTES_BIAS], calibration)


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


def _read_features(classifier: Classifier, images: npt.NDArray[np.uint8]) -> Tensor:
    """Return what the last layer takes in. Shape: uint8 (N, 48, 48) -> (N, features)."""
    with torch.no_grad():
        batches = torch.split(torch.from_numpy(np.array(images)), _BATCH)
        return torch.cat([classifier.features(to_unit(batch)) for batch in batches])


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
    if calibration and calibration.votes_share:
        why += f", with a share of {calibration.votes_share:g} for the votes in its answer"
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
        mien_version=VERSION,
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
