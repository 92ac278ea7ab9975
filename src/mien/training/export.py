"""Export a run's kept weights as a Bundle, in float32 or int8, with its metadata."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mien.bundle.bundle import Bundle, find_bundle, refuse_other_suffix
from mien.bundle.export import export_bundle, update_metadata
from mien.bundle.metadata import BundleMetadata, TrainingData
from mien.bundle.quantize import quantize
from mien.data.load import Paths
from mien.errors import BundleError
from mien.evaluation import evaluate_bundle
from mien.io.files import AnyPath, expand_user, refuse_unwritable_file
from mien.runs.data import load_run_data
from mien.runs.membership import Membership
from mien.runs.run import Run
from mien.training.calibration_split import split_calibration
from mien.training.kept import (
    add_face_gate,
    chosen_by,
    load_kept,
    read_calibration,
    read_face_gate,
)
from mien.version import VERSION


def export(run: Run | AnyPath, out: AnyPath | None = None) -> Bundle:
    """Write the Bundle of a run's kept checkpoint and return it.

    Args:
        run: a run or its directory; it need not have finished.
        out: path of the Bundle to write; by default ``model.onnx`` in the run.

    Raises:
        RunError: if no epoch of the run has ended.
        BundleError: if the exported network does not agree with torch, or ``out`` does not end in
            ``.onnx``.
    """
    run = run if isinstance(run, Run) else Run(run)
    refuse_other_suffix(_target(out, run.bundle_path))
    refuse_unwritable_file(_target(out, run.bundle_path))
    classifier, rows = load_kept(run)
    add_face_gate(run, classifier)
    metadata = describe(run, rows)
    with suppress(BundleError):  # keeps the scores of the same weights
        measured = Bundle(run.bundle_path).metadata
        if measured.checkpoint == metadata.checkpoint:
            metadata = metadata.model_copy(update={"scores": measured.scores})
    return export_bundle(classifier, metadata, _target(out, run.bundle_path))


def export_int8(
    run: Run | AnyPath, out: AnyPath | None = None, *, data: Paths | None = None
) -> Bundle:
    """Write the int8 Bundle of a finished run, measured on val, and return it.

    Args:
        run: a run that has a Bundle, or its directory.
        out: path of the Bundle to write; by default ``model-int8.onnx`` in the run.
        data: path of the data set that the run was trained on, if it has been moved; its training
            faces set the ranges of the activations.

    Raises:
        RunError: if this is not the data that it was trained on.
        DataError: if the data cannot be read, for example because it has been moved.
        BundleError: if the run has no Bundle, or ``out`` does not end in ``.onnx``.
    """
    run = run if isinstance(run, Run) else Run(run)
    refuse_other_suffix(_target(out, run.int8_path))
    refuse_unwritable_file(_target(out, run.int8_path))
    bundle = Bundle(find_bundle(run.path))
    dataset, _ = load_run_data(run, data, mend="name its current path with --data")
    fitted, _ = split_calibration(dataset, run.recipe.train)
    int8 = quantize(bundle, fitted.images, _target(out, run.int8_path))
    membership = Membership.load(run.path)
    known = membership.known_among(dataset.val.images) if membership else None
    score = evaluate_bundle(int8, dataset, "val", known=known).summary()
    return update_metadata(int8, int8.metadata.model_copy(update={"scores": (score,)}))


def describe(run: Run, rows: list[dict[str, float]]) -> BundleMetadata:
    """Return the metadata of a run's Bundle, without scores.

    Args:
        run: run to describe.
        rows: history of the run up to the kept epoch.
    """
    record, recipe = run.record, run.recipe.shorten_paths()
    train = recipe.train
    why = f"the best by {train.monitor}" if train.keep == "best" else "the last"
    if record.initial_weights:
        why += f", started from the weights {recipe.model.weights}"
    if train.votes_weight and record.data.train_voted:
        why += ", which also learned FER+'s votes"
    if recipe.distill.teachers:
        others = len(recipe.distill.teachers)
        why += f", taught by {others} other run{'s' if others > 1 else ''}"
    calibration = read_calibration(run)
    if calibration and calibration.votes_share:
        why += f", with a share of {calibration.votes_share:g} for the votes in its answer"
    gate = read_face_gate(run)
    return BundleMetadata(
        name=recipe.name,
        labels=record.data.labels,
        crop=record.data.crop,
        parameters=record.parameters,
        macs=record.macs,
        recipe=recipe.as_dict(),
        data=TrainingData(
            name=record.data.name,
            fingerprint=record.data.fingerprint,
            split_rule=record.data.split_rule,
            split_counts=record.data.split_counts,
            chosen_by=chosen_by(train),
        ),
        uncertain_below=calibration.uncertain_below if calibration else 0.0,
        calibration=calibration,
        face_gate=gate,
        epoch=len(rows),
        checkpoint=f"epoch {len(rows)} of {train.epochs}, {why}",
        mien_version=VERSION,
    )


def _target(out: AnyPath | None, default: Path) -> Path:
    return default if out is None else expand_user(out)
