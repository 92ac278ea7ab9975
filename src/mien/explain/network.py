"""The network behind a run or a Bundle: a Bundle alone gives answers, but no gradients."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError

from mien.errors import BundleError
from mien.files import expand_user
from mien.models import Classifier, build_model
from mien.recipes.recipe import parse_recipe
from mien.runtime.bundle import Bundle, find_bundle

_VOTES_HEAD = "votes_head."  # reads FER+ votes in training, and belongs to no network


def load_network(model: str | Path | None = None) -> Classifier:
    """Return the network of a run or a Bundle with its float weights, in evaluation mode.

    It has no face gate: what speaks for a face speaks for no emotion.

    Args:
        model: a run directory; or a shipped Bundle's name or the path of a ``.onnx`` file, beside
            which its float weights lie: ``NAME.safetensors``. None for the best that is shipped.

    Raises:
        BundleError: if there is no such Bundle, no weights lie beside it, or they are not its own.
        RunError: if the run is damaged.
    """
    if model is not None and (run := expand_user(model)).is_dir():
        # Only here: Lightning takes longer to import than all the rest, and a Bundle needs none.
        from mien.training.finish import load_kept
        from mien.training.run import Run

        return load_kept(Run(run))[0]
    path = find_bundle(model)
    weights = path.with_suffix(".safetensors")
    if not weights.is_file():
        raise BundleError(
            f"{path.name}: no float weights lie beside it (expected {weights.name}), and a Bundle "
            "alone gives no gradients; name its run directory instead"
        )
    recipe = parse_recipe(Bundle(path).metadata.recipe, where=str(path))
    classifier = build_model(recipe.model)
    try:
        found = safetensors.torch.load_file(weights)
        classifier.load_state_dict(
            {key: value for key, value in found.items() if not key.startswith(_VOTES_HEAD)}
        )
    except (SafetensorError, RuntimeError, OSError) as error:
        what = "damaged"
        if isinstance(error, RuntimeError):  # torch's, which lists every key
            what = f"not the float weights of {path.name}: its layers have other names or shapes"
        raise BundleError(
            f"{weights}: {what}; put the run's model.safetensors there, or name the run directory"
        ) from None
    return classifier.eval()
