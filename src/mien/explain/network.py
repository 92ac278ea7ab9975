"""The network behind a run or a Bundle: a Bundle alone gives answers, but no gradients."""

from __future__ import annotations

from pathlib import Path

from mien.bundle.bundle import Bundle, find_bundle
from mien.errors import BundleError, RunError
from mien.evaluation.calibration import Calibration
from mien.io.files import expand_user
from mien.models import Classifier
from mien.models.weights import VOTES_BIAS, VOTES_WEIGHT, open_network
from mien.recipes.recipe import parse_recipe


def load_network(model: str | Path | None = None) -> Classifier:
    """Return the network of a run or a Bundle with its float weights, in evaluation mode.

    Its answer is the Bundle's, FER+ votes mixed in where they are there. It has no face gate: what
    speaks for a face speaks for no emotion.

    Args:
        model: a run directory; or a shipped Bundle's name or the path of a ``.onnx`` file, beside
            which its float weights lie: ``NAME.safetensors``. None for the best that is shipped.

    Raises:
        BundleError: if there is no such Bundle, no weights lie beside it, or they are not its own.
        RunError: if the run is damaged.
    """
    if model is not None and (run := expand_user(model)).is_dir():
        # Only here: Lightning takes longer to import than all the rest, and a Bundle needs none.
        from mien.runs.run import Run
        from mien.training.finalize import load_kept

        return load_kept(Run(run))[0]
    path = find_bundle(model)
    weights = path.with_suffix(".safetensors")
    if not weights.is_file():
        raise BundleError(
            f"{path.name}: no float weights lie beside it (expected {weights.name}), and a Bundle "
            "alone gives no gradients; name its run directory instead"
        )
    about = Bundle(path).metadata
    try:
        classifier, votes_head = open_network(
            parse_recipe(about.recipe, where=str(path)).model, weights
        )
    except RunError as error:
        raise BundleError(
            f"{error}; put the run's model.safetensors there, or name the run directory"
        ) from None
    if about.calibration.get("votes_share"):
        if not votes_head:
            raise BundleError(
                f"{weights}: has no layer of FER+ votes, which the Bundle's answer contains; put "
                "the run's model.safetensors there, or name the run directory"
            )
        calibration = Calibration.model_validate(about.calibration)
        classifier.mix_votes(votes_head[VOTES_WEIGHT], votes_head[VOTES_BIAS], calibration)
    return classifier
