"""Ship a run's network, or rebuild a shipped Bundle, with another answer or the same.

    python benchmarks/refit_answer.py mien-s --data path/to/fer2013 [--run runs/mien-s]
        [--out FOLDER] [--set train.votes_in_answer=0.35]

Applies the settings to the answer, fits it on the images that were kept back from the training, and
writes NAME.onnx in int8, measured on PublicTest (val), by default in place of the shipped one. With
``--run`` the weights are those of a run, with kernels as float16, and become NAME.safetensors with
a face gate of their own; else they stay as they are shipped. With neither, the answer stays, too,
and only the int8 file is made anew.
"""

import argparse
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save
from torch import Tensor

from mien.bundle.bundle import Bundle, find_bundle
from mien.bundle.export import export_bundle, update_metadata
from mien.bundle.quantize import quantize
from mien.data import load_dataset
from mien.evaluation.evaluate import evaluate_bundle
from mien.io.files import write_bytes
from mien.models import Classifier
from mien.models.weights import VOTES_BIAS, VOTES_WEIGHT, open_network
from mien.recipes import load_recipe
from mien.runs.run import Run
from mien.training.calibrate import calibrate_answer
from mien.training.calibration_split import split_calibration
from mien.training.export import describe
from mien.training.face_gate import fit_face_gate, read_gate
from mien.training.kept import load_fitted, load_kept
from mien.version import VERSION


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path(str(files("mien") / "weights")))
    parser.add_argument("--run", type=Path, help="run whose network is to be shipped")
    options = parser.parse_args()

    run = Run(options.run) if options.run else None
    shipped = find_bundle(options.model)
    about = describe(run, load_kept(run)[1]) if run else Bundle(shipped).metadata
    recipe = load_recipe(options.model, options.settings)
    dataset = load_dataset(options.data)
    if dataset.fingerprint != about.data.fingerprint:
        raise SystemExit(f"{options.data}: not the data that {options.model} was trained on")
    fitted, kept_back = split_calibration(dataset, recipe.train)
    assert kept_back is not None  # the shipped recipes keep images back
    weights = options.out / f"{options.model}.safetensors"
    if run:
        halve(run, weights)
    else:
        weights = shipped.with_suffix(".safetensors")
    classifier, votes_head = open_network(recipe.model, weights)
    if run:
        faces, others = fitted.images, kept_back.images
        gate = fit_face_gate(classifier, faces, others, recipe.augment, seed=recipe.train.seed)
    else:
        assert about.face_gate is not None  # shipped Bundles have one
        gate = about.face_gate
    calibration = None if run else about.calibration
    if calibration and options.settings and len(kept_back) != calibration.images:
        raise SystemExit(
            f"{options.model} was calibrated on {calibration.images:,} images, but this version of "
            f"mien keeps {len(kept_back):,} back, some of which it was trained on: its answer "
            "cannot be fitted again"
        )
    if not calibration or options.settings:
        # The map of shipped label logits is in the weights, and stays on record with its effect.
        mapped = {"matrix", "bias", "error_before"}
        kept = calibration.model_dump(include=mapped) if calibration else {}
        calibration = calibrate_answer(
            classifier,
            votes_head,
            recipe,
            fitted=fitted,
            kept_back=kept_back,
            mapped=run is None,
            gate=read_gate(gate, classifier, kept_back.images),
        ).model_copy(update=kept)
    if run:
        classifier.calibrate(calibration.matrix, calibration.bias)
        write_bytes(weights, save({**load_file(weights), **last_layer(classifier)}))
    classifier.mix_votes(votes_head[VOTES_WEIGHT], votes_head[VOTES_BIAS], calibration)
    classifier.add_face_gate(gate.weight, gate.bias)

    changes: dict[str, Any] = {
        "name": options.model,
        "precision": "float32",
        "scores": (),
        "uncertain_below": calibration.uncertain_below,
        "calibration": calibration,
        # The recipe of the training, with this answer.
        "recipe": _with_answer(about.recipe, recipe.shorten_paths().as_dict()),
        "checkpoint": _with_share(about.checkpoint, calibration.votes_share),
        "face_gate": gate,
        "mien_version": VERSION,
    }
    with tempfile.TemporaryDirectory() as folder:
        metadata = about.model_copy(update=changes)
        path = Path(folder) / "float32.onnx"
        float32 = export_bundle(classifier, metadata, path, samples=dataset.val.images)
        int8 = quantize(float32, fitted.images, options.out / f"{options.model}.onnx")
    score = evaluate_bundle(int8, dataset, "val").summary()
    update_metadata(int8, int8.metadata.model_copy(update={"scores": (score,)}))
    print(f"{int8.path}: accuracy {score.accuracy.value:.4f} on PublicTest")
    print(
        f"votes {calibration.votes_share:g}, prior {calibration.prior_share:g}, temperature "
        f"{calibration.temperature:.3f}, uncertain below {calibration.uncertain_below:.3f}; kept "
        f"images, cross-fitted: calibration error {calibration.error_after:.4f}, answered "
        f"{calibration.answered_accuracy:.4f} of {calibration.coverage:.4f}"
    )


def halve(run: Run, target: Path) -> None:
    """Write the fitted weights of a run with kernels as float16 and everything else unchanged."""
    classifier, votes_head, _ = load_fitted(run)
    found = {**classifier.state_dict(), **votes_head}
    halved = {name: value.half() if value.ndim == 4 else value for name, value in found.items()}
    write_bytes(target, save({name: value.contiguous() for name, value in halved.items()}))


def last_layer(classifier: Classifier) -> dict[str, Tensor]:
    """Return the label layer under its names in a weights file."""
    parts = classifier.named_modules()
    name = next(name for name, part in parts if part is classifier.last_layer)
    return {f"{name}.{key}": value for key, value in classifier.last_layer.state_dict().items()}


def _with_answer(trained: dict[str, Any], refitted: dict[str, Any]) -> dict[str, Any]:
    share = refitted["train"]["votes_in_answer"]
    train = {**trained["train"], "votes_in_answer": share}
    return {**trained, "train": train, "calibration": refitted["calibration"]}


def _with_share(checkpoint: str, share: float) -> str:
    said, _, _ = checkpoint.partition(", with a share of")
    return f"{said}, with a share of {share:g} for the votes in its answer" if share else said


if __name__ == "__main__":
    main()
