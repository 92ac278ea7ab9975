"""Find the network of a run or a Bundle, whose gradients explanations need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mien.bundle.bundle import Bundle, find_bundle
from mien.errors import BundleError, MienError, RunError, install_hint
from mien.io.files import expand_user
from mien.recipes.recipe import parse_recipe

if TYPE_CHECKING:
    from mien.models import Classifier


def find_network(model: str | Path | None = None) -> tuple[Classifier | None, str]:
    """Return the network of a run or a Bundle; or None, and the reason why there is none.

    Args:
        model: run or Bundle, as for `load_network`.

    Returns:
        The network and an empty string; or None and a sentence without its full stop, which says
        what is missing (float weights, torch) and how to get it.
    """
    try:
        # Imported here, with all that gradients need, to say in time which package is missing.
        import mien.explain.sanity  # noqa: F401

        return load_network(model), ""
    except MienError as error:
        return None, str(error)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "mien":
            raise
        return None, f"{error.name} is not installed: {install_hint(error.name)}"


def load_network(model: str | Path | None = None) -> Classifier:
    """Return the network of a run or a Bundle with its float weights, in evaluation mode.

    Its logits are those of the Bundle, with FER+ votes mixed in if the Bundle mixes them in, but
    without the face gate: the features of faces in general are evidence for no class.

    Args:
        model: run directory, name of a shipped Bundle, or path of a ``.onnx`` file with its float
            weights next to it (``NAME.safetensors``). None for the best shipped Bundle.

    Raises:
        BundleError: if there is no such Bundle, or its float weights are missing or belong to
            another network.
        RunError: if the run is damaged.
        ModuleNotFoundError: if torch is not installed.
    """
    if model is not None and (run := expand_user(model)).is_dir():
        # Imported here: Lightning takes seconds to import, and a Bundle does not need it.
        from mien.runs.run import Run
        from mien.training.kept import load_kept

        return load_kept(Run(run))[0]
    return _load_beside(find_bundle(model))


def _load_beside(path: Path) -> Classifier:
    """Return the network of a Bundle from the float weights in the same folder."""
    weights = path.with_suffix(".safetensors")
    if not weights.is_file():
        raise BundleError(
            f"{path.name}: no float weights are in the same folder (expected {weights.name}), and "
            "a Bundle alone gives no gradients; name its run directory instead"
        )
    from mien.models import Task
    from mien.models.weights import mix_votes, open_network

    bundle = Bundle(path)
    metadata = bundle.metadata
    try:
        classifier, votes_head = open_network(
            parse_recipe(metadata.recipe, where=str(path)).model,
            weights,
            Task(bundle.label_set, bundle.crop),
        )
        if metadata.calibration:
            mix_votes(classifier, votes_head, metadata.calibration, weights)
    except RunError as error:
        raise BundleError(
            f"{error}; put the run's model.safetensors there, or name the run directory"
        ) from None
    return classifier
