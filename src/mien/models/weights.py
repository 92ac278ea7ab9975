"""Load weights from disk into a network: those of a run, and published ones."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from mien.errors import RecipeError, RunError, first_line
from mien.io.files import expand_user, write_bytes
from mien.io.names import readable_name
from mien.labels import FER2013
from mien.models.base import DEFAULT_TASK, Network, Task
from mien.models.classifier import Classifier, Mix, build_model
from mien.recipes.families import FAMILIES
from mien.recipes.sections import ModelSection

# Keys of the layer of FER+ votes in a weights file and in a checkpoint.
VOTES_WEIGHT: Final = "votes_head.weight"
VOTES_BIAS: Final = "votes_head.bias"
VOTES_HEAD: Final = (VOTES_WEIGHT, VOTES_BIAS)

WEIGHTS_NAME: Final = "model.safetensors"  # in a run directory

_LABELS: Final = "labels"  # key of the metadata that names the classes, as JSON
_OURS: Final = "network."  # before each key of a run's weights


def find_weights(model: ModelSection) -> Path | None:
    """Return the weights file that a recipe's [model] starts from; None if it names none.

    Raises:
        RecipeError: if the file is missing, or published weights cannot be downloaded.
    """
    if model.weights == "none":
        return None
    path = expand_user(model.weights)
    if (path / WEIGHTS_NAME).is_file():
        path /= WEIGHTS_NAME
    if path.is_file():
        return path
    network: type[Network] = FAMILIES[model.family]
    published = network.published_weights(model.weights)
    if published is None:
        known = "".join(f"{name!r}, " for name in network.published_names())
        raise RecipeError(
            f"model.weights = {model.weights!r}: no such run or file, expected a run directory, a "
            f".safetensors file, {known}or 'none'"
        )
    return published


def weights_labels(path: Path) -> tuple[str, ...]:
    """Return the names of the classes that a run's weights tell apart.

    Files of before they were written down have FER-2013's.

    Raises:
        RecipeError: if it is not a safetensors file.
    """
    try:
        with readable_name(path) as readable, safe_open(readable, framework="pt") as tensors:
            metadata = tensors.metadata() or {}
        return tuple(json.loads(metadata[_LABELS])) if _LABELS in metadata else FER2013.names
    except (SafetensorError, OSError, ValueError) as error:
        raise _not_weights(path, error) from None


def save_weights(weights: dict[str, Tensor], path: Path, task: Task) -> None:
    """Write the weights of a run, with the names of the classes, completely or not at all."""
    metadata = {_LABELS: json.dumps(task.labels.names)}
    write_bytes(path, save(weights, metadata=metadata))


def open_network(
    model: ModelSection, path: Path, task: Task = DEFAULT_TASK
) -> tuple[Classifier, dict[str, Tensor]]:
    """Return the network of a ``model.safetensors``, and its layer of FER+ votes.

    The network is in evaluation mode, without the votes' layer in its answer; kernels that are
    stored as float16 become float32. The votes' layer (`VOTES_WEIGHT`, `VOTES_BIAS`) is an empty
    dictionary if the file has none.

    Args:
        model: [model] section of the recipe.
        path: path of the weights file.
        task: classes and crops of the network.

    Raises:
        RunError: if the file is damaged, or of another network.
    """
    classifier = build_model(model, task)
    try:
        with readable_name(path) as readable:
            found = {name: tensor.float() for name, tensor in load_file(readable).items()}
        votes_head = {str(name): found.pop(name) for name in VOTES_HEAD if name in found}
        classifier.load_state_dict(found)
    except (SafetensorError, RuntimeError, OSError) as error:
        what = "damaged"
        if isinstance(error, RuntimeError):  # torch's, which lists every key
            what = "the weights of another network: its layers have other names or shapes"
        raise RunError(f"{path}: {what}") from None
    return classifier.eval(), votes_head


def mix_votes(classifier: Classifier, votes_head: dict[str, Tensor], mix: Mix, path: Path) -> None:
    """Mix the votes' layer of a file into a network's answer, if the calibration says so.

    Args:
        classifier: network to change.
        votes_head: votes' layer of the file, as `open_network` returns it.
        mix: calibration, with the share of the votes.
        path: path of the file, for the message.

    Raises:
        RunError: if the answer needs the votes' layer, but the file has none.
    """
    if mix.votes_share:
        if not votes_head:
            raise RunError(
                f"{path}: has no layer of FER+ votes, which the calibrated answer contains"
            )
        classifier.mix_votes(votes_head[VOTES_WEIGHT], votes_head[VOTES_BIAS], mix)


def load_weights(classifier: Classifier, path: Path) -> bool:
    """Load weights into a classifier's network, all of them or none.

    The weights of a run, whose keys begin with ``network.``, fill the whole network, but for the
    last layer if they tell other classes apart. Published weights of other origin fill the backbone
    alone.

    Args:
        classifier: classifier whose network takes the weights.
        path: path of a safetensors file with the keys of the network's own state_dict; further
            keys are ignored.

    Returns:
        Whether the last layer was loaded, too.

    Raises:
        RecipeError: if it is not a safetensors file, or a key is missing or of another shape; the
            first one is named.
    """
    network = classifier.network
    tensors = _read(path)
    whole = any(key.startswith(_OURS) for key in tensors)
    found = {key.removeprefix(_OURS): tensor for key, tensor in tensors.items()}
    prefixes = tuple(
        f"{name}." for name, part in network.named_children() if whole or part is network.backbone
    )
    last = f"head.{len(network.head) - 1}."
    same_classes = whole and weights_labels(path) == classifier.task.labels.names
    published = "" if whole else network.weights_layout
    expected = f"the weights of {published or 'a network of the same shape'}"
    for key, ours in network.state_dict().items():
        # Files from before torch 0.4.1 do not count batches; nothing is computed from the count.
        if not key.startswith(prefixes) or key.endswith("num_batches_tracked"):
            continue
        if key.startswith(last) and not same_classes:
            continue
        if key not in found:
            raise RecipeError(
                f"{path}: has no {key!r}, expected {expected}; "
                "--set model.weights=none trains without"
            )
        if found[key].shape != ours.shape:
            raise RecipeError(
                f"{path}: {key!r} has the shape {tuple(found[key].shape)}, expected "
                f"{tuple(ours.shape)}, as in {expected}"
            )
    fitting = {
        key: tensor
        for key, tensor in found.items()
        if key.startswith(prefixes) and (same_classes or not key.startswith(last))
    }
    network.load_state_dict(fitting, strict=False)
    return same_classes


def describe_weights(path: Path | None) -> str:
    """Return the name and SHA-256 of a weights file, as a run records them; empty for None."""
    if path is None:
        return ""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{path.name}, SHA-256 {digest}"


def _read(path: Path) -> dict[str, Tensor]:
    try:
        with readable_name(path) as readable, safe_open(readable, framework="pt") as tensors:
            return {key: tensors.get_tensor(key) for key in tensors.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _not_weights(path, error) from None


def _not_weights(path: Path, error: Exception) -> RecipeError:
    reason = first_line(error, most=80)
    return RecipeError(
        f"{path}: not a safetensors file ({reason}); --set model.weights=none trains without"
    )
