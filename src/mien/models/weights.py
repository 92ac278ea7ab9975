"""Published weights: where they come from, what is checked, and how they get into a network."""

from __future__ import annotations

import hashlib
import logging
from importlib.resources import files
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from mien.errors import RecipeError, RunError
from mien.io.download import root_cause
from mien.io.files import expand_user
from mien.models.classifier import Classifier
from mien.models.mien_net import MienNet
from mien.models.table import build_model
from mien.recipes.sections import ModelSection

# The names of the layer of FER+ votes in a file of weights and in a checkpoint.
VOTES_WEIGHT: Final = "votes_head.weight"
VOTES_BIAS: Final = "votes_head.bias"
VOTES_HEAD: Final = (VOTES_WEIGHT, VOTES_BIAS)

_REPOSITORY: Final = "timm/densenet169.tv_in1k"
_FILE: Final = "model.safetensors"
_SHIPPED: Final = files("mien") / "weights"
_ELSEWHERE: Final = (
    f"download {_FILE} from https://huggingface.co/{_REPOSITORY} on another machine and "
    "--set model.weights=PATH, or train without: --set model.weights=none"
)


def find_weights(model: ModelSection) -> Path | None:
    """Return the file of the weights that a recipe's [model] begins with, None if it names none.

    ``imagenet`` is fetched once and then taken from Hugging Face's cache (``HF_HOME``); other names
    are of files that come with mien.

    Raises:
        RecipeError: if the file is missing or cannot be fetched.
    """
    named = getattr(model, "weights", "none")
    if named == "none":
        return None
    if named == "imagenet" and model.family == "densenet":
        return _fetch()
    path = expand_user(named)
    if path.is_file():
        return path
    shipped = {
        Path(str(file)).stem: Path(str(file))
        for file in _SHIPPED.iterdir()
        if file.name.endswith(".safetensors")
    }
    if named in shipped and model.family == "mien_net":
        return shipped[named]
    known = "'imagenet'" if model.family == "densenet" else ", ".join(map(repr, shipped))
    raise RecipeError(
        f"model.weights = {named!r}: no such file, expected a .safetensors file, {known} or 'none'"
    )


def open_network(model: ModelSection, path: Path) -> tuple[Classifier, dict[str, Tensor]]:
    """Return the network of a ``model.safetensors``, and its layer of FER+ votes.

    The network is in evaluation mode, and answers by its layer of labels alone; kernels that are
    kept as float16 become float32. The layer of votes (`VOTES_WEIGHT`, `VOTES_BIAS`) is empty where
    the file has none.

    Args:
        model: the recipe's [model].
        path: the file.

    Raises:
        RunError: if the file is damaged, or of another network.
    """
    classifier = build_model(model)
    try:
        found = {name: tensor.float() for name, tensor in load_file(path).items()}
        votes_head = {str(name): found.pop(name) for name in VOTES_HEAD if name in found}
        classifier.load_state_dict(found)
    except (SafetensorError, RuntimeError, OSError) as error:
        what = "damaged"
        if isinstance(error, RuntimeError):  # torch's, which lists every key
            what = "the weights of another network: its layers have other names or shapes"
        raise RunError(f"{path}: {what}") from None
    return classifier.eval(), votes_head


def load_weights(classifier: Classifier, path: Path) -> None:
    """Load published weights into a classifier's network.

    What was published for other classes fills the backbone, and the dense layers stay as they are;
    the weights of one of our own networks fill it whole. Everything is checked before anything is
    changed.

    Args:
        classifier: whose network has a ``backbone``.
        path: safetensors whose keys are those of the network's own state_dict, ``network.`` before
            them or not; others are left out.

    Raises:
        RecipeError: if it is no safetensors file, or a key is missing or of another shape; the
            first one is named.
    """
    network = classifier.network
    found = {key.removeprefix("network."): tensor for key, tensor in _read(path).items()}
    ours_too = isinstance(network, MienNet)
    prefixes = tuple(
        f"{name}."
        for name, part in network.named_children()
        if ours_too or part is network.backbone
    )
    expected = "a network of the same shape" if ours_too else _REPOSITORY
    for key, ours in network.state_dict().items():
        # Files of before torch 0.4.1 do not count batches; nothing is computed from the count.
        if not key.startswith(prefixes) or key.endswith("num_batches_tracked"):
            continue
        if key not in found:
            raise RecipeError(
                f"{path}: has no {key!r}, expected the weights of {expected}; "
                "--set model.weights=none trains without"
            )
        if found[key].shape != ours.shape:
            raise RecipeError(
                f"{path}: {key!r} has the shape {tuple(found[key].shape)}, expected "
                f"{tuple(ours.shape)}, as in {expected}"
            )
    fitting = {key: tensor for key, tensor in found.items() if key.startswith(prefixes)}
    network.load_state_dict(fitting, strict=False)


def describe_weights(path: Path | None) -> str:
    """Return what a run records of the weights that it began with."""
    if path is None:
        return ""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{path.name}, SHA-256 {digest}"


def _read(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as tensors:
            return {key: tensors.get_tensor(key) for key in tensors.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        reason = str(error).splitlines()[0][:80]
        raise RecipeError(f"{path}: not a safetensors file ({reason}); {_ELSEWHERE}") from None


def _fetch() -> Path:
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    cached = try_to_load_from_cache(_REPOSITORY, _FILE)
    if isinstance(cached, str):
        return Path(cached)
    # Else every attempt is a line of its own.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        return Path(hf_hub_download(_REPOSITORY, _FILE, etag_timeout=10))
    except Exception as error:  # the hub's, the network's and the disk's errors share no base
        raise RecipeError(
            f"the ImageNet weights of {_REPOSITORY} cannot be fetched ({root_cause(error)}); "
            f"{_ELSEWHERE}"
        ) from None
