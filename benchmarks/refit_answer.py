"""Make a shipped model's Bundle anew from its weights, with another answer and no training.

    python benchmarks/refit_answer.py mien-s --data path/to/fer2013 [--out FOLDER]
        [--set train.votes_in_answer=0.35]

Takes NAME.safetensors and the recipe as they are shipped, applies the settings, sets the
temperature and the threshold on the images that were kept back from the training, and writes
NAME.onnx in int8, measured on PublicTest (val), by default in place of the shipped one. The weights
stay as they are.
"""

import argparse
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from mien import __version__
from mien.data import load_dataset
from mien.evaluation.calibrate import Calibration
from mien.evaluation.evaluate import evaluate_bundle
from mien.models.weights import VOTES_BIAS, VOTES_WEIGHT, open_network
from mien.recipes import load_recipe
from mien.runtime.bundle import Bundle, find_bundle
from mien.runtime.export import export_bundle, update_metadata
from mien.runtime.quantize import quantize
from mien.training.face_gate import FaceGate
from mien.training.finish import calibrate_answer
from mien.training.hold_back import hold_back


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path(str(files("mien") / "weights")))
    options = parser.parse_args()

    shipped = find_bundle(options.model)
    about = Bundle(shipped).metadata
    recipe = load_recipe(options.model, options.settings)
    classifier, votes_head = open_network(recipe.model, shipped.with_suffix(".safetensors"))
    dataset = load_dataset(options.data)
    if dataset.fingerprint != about.data["fingerprint"]:
        raise SystemExit(f"{options.data}: not the data that {options.model} was trained on")
    fitted, kept_back = hold_back(dataset, recipe.train)
    assert kept_back is not None  # the shipped recipes keep images back
    gate = FaceGate.model_validate(about.face_gate)
    calibration = calibrate_answer(
        classifier,
        votes_head,
        recipe,
        fitted=fitted,
        kept_back=kept_back,
        mapped=True,
        gate=gate.read(classifier, kept_back.images),
    )
    # The map of the labels' logits is in the weights, and stays on record, with what it mended.
    kept = {name: about.calibration[name] for name in ("matrix", "bias", "error_before")}
    calibration = Calibration.model_validate({**calibration.model_dump(), **kept})
    classifier.mix_votes(votes_head[VOTES_WEIGHT], votes_head[VOTES_BIAS], calibration)
    classifier.add_face_gate(gate.weight, gate.bias)

    changes: dict[str, Any] = {
        "precision": "float32",
        "scores": (),
        "uncertain_below": calibration.uncertain_below,
        "calibration": calibration.model_dump(mode="json"),
        # What the training was is the shipped recipe's to say; what the answer is, this one's.
        "recipe": _with_answer(about.recipe, recipe.as_told().as_dict()),
        "checkpoint": _with_share(about.checkpoint, calibration.votes_share),
        "mien_version": __version__,
    }
    with tempfile.TemporaryDirectory() as folder:
        metadata = about.model_copy(update=changes)
        path = Path(folder) / "float32.onnx"
        float32 = export_bundle(classifier, metadata, path, samples=dataset.val.images)
        int8 = quantize(float32, fitted.images, options.out / f"{options.model}.onnx")
    score = evaluate_bundle(int8, dataset, "val").summary()
    update_metadata(int8, int8.metadata.model_copy(update={"scores": (score,)}))
    print(f"{int8.path}: accuracy {score['accuracy']['value']:.4f} on PublicTest")
    print(
        f"votes {calibration.votes_share:g}, prior {calibration.prior_share:g}, temperature "
        f"{calibration.temperature:.3f}, uncertain below {calibration.uncertain_below:.3f}; kept "
        f"images, cross-fitted: calibration error {calibration.error_after:.4f}, answered "
        f"{calibration.answered_accuracy:.4f} of {calibration.coverage:.4f}"
    )


def _with_answer(trained: dict[str, Any], refitted: dict[str, Any]) -> dict[str, Any]:
    share = refitted["train"]["votes_in_answer"]
    train = {**trained["train"], "votes_in_answer": share}
    return {**trained, "train": train, "calibration": refitted["calibration"]}


def _with_share(checkpoint: str, share: float) -> str:
    said, _, _ = checkpoint.partition(", with a share of")
    return f"{said}, with a share of {share:g} for the votes in its answer" if share else said


if __name__ == "__main__":
    main()
