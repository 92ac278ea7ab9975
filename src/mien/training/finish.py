"""A run's kept checkpoint to weights, a Bundle and an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from mien import __version__
from mien.data import FaceDataset
from mien.errors import RunError
from mien.evaluation import evaluate_bundle
from mien.files import atomic_file
from mien.models import Classifier, build_model
from mien.runtime.bundle import Bundle, BundleMetadata
from mien.runtime.export import export_bundle, update_metadata
from mien.training.run import Run


def finish(run: Run, dataset: FaceDataset) -> None:
    """Write a run's weights, Bundle and evaluation on val, all from the same kept checkpoint.

    The Bundle is what is measured, and its metadata then carry the very same figures.
    """
    classifier = load_classifier(run)
    with atomic_file(run.weights_path) as temporary:
        save_file(classifier.state_dict(), temporary, {"recipe": run.recipe.name})
    metadata = _describe(run)
    bundle = export_bundle(classifier, metadata, run.bundle_path, samples=dataset.val.images)
    evaluation = evaluate_bundle(bundle, dataset, "val")
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
    metadata = _describe(run)
    if run.bundle_path.is_file():  # what has been measured goes along
        measured = Bundle(run.bundle_path).metadata
        if measured.checkpoint == metadata.checkpoint:
            metadata = metadata.model_copy(update={"scores": measured.scores})
    return export_bundle(load_classifier(run), metadata, Path(out or run.bundle_path))


def load_classifier(run: Run) -> Classifier:
    """Return a run's network with its kept weights, in evaluation mode on the CPU.

    Raises:
        RunError: if there is no checkpoint yet, or it is damaged.
    """
    if not run.kept_checkpoint.is_file():
        raise RunError(
            f"{run.path}: no epoch has ended yet, so there are no weights to use; "
            f"continue it: mien train --resume {run.path}"
        )
    state = load_checkpoint(run.kept_checkpoint)["state_dict"]
    prefix = "classifier."
    classifier = build_model(run.recipe.model)
    classifier.load_state_dict(
        {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    )
    return classifier.eval()


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


def _describe(run: Run) -> BundleMetadata:
    record, train = run.record, run.recipe.train
    if train.keep == "best":
        checkpoint = f"epoch {record.best_epoch} of {train.epochs}, the best by {train.monitor}"
    else:
        checkpoint = f"epoch {record.epochs_done} of {train.epochs}, the last"
    return BundleMetadata(
        name=run.recipe.name,
        parameters=record.parameters,
        recipe=run.recipe.as_dict(),
        data={
            "name": record.data.name,
            "fingerprint": record.data.fingerprint,
            "split_rule": record.data.split_rule,
            "split_counts": record.data.split_counts,
            "chosen_by": "val" if train.keep == "best" or train.early_stopping_patience else "",
        },
        checkpoint=checkpoint,
        mien_version=__version__,
    )
