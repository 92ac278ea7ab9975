"""Fine-tuning: take the architecture and the crops of the weights that a training starts from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mien.bundle.bundle import Bundle, shipped_bundles
from mien.errors import RecipeError, RunError
from mien.images.crop import CropSpec
from mien.io.files import expand_user
from mien.models.weights import WEIGHTS_NAME
from mien.recipes import Recipe
from mien.recipes.families import typed_section
from mien.recipes.recipe import parse_recipe
from mien.runs.run import Run


class _Origin(NamedTuple):
    """The network of some weights: its [model] section as plain data, and the crops it reads."""

    model: Mapping[str, Any]
    crop: CropSpec


def adopt_architecture(recipe: Recipe) -> Recipe:
    """Return a recipe with the architecture of its weights, if ``model.architecture`` says so.

    The family and its settings are those of the weights' own recipe; settings that this recipe
    gives itself, such as ``model.dropout``, stay. So do ``data.size_px`` and ``data.channels``,
    which otherwise are those of the weights, too.

    Raises:
        RecipeError: if the weights are those of no run or shipped model, whose architecture is
            known.
    """
    if recipe.model.architecture != "weights":
        return recipe
    origin = _find_origin(recipe.model.weights)
    own = recipe.model.model_dump(exclude_unset=True, exclude={"family"})
    section = typed_section({**origin.model, **own})
    crop = {"size_px": origin.crop.size_px, "channels": origin.crop.channels}
    if recipe.data.channels != origin.crop.channels and "channels" in recipe.data.model_fields_set:
        kind = "gray" if origin.crop.channels == 1 else "colour"
        raise RecipeError(
            f"data.channels = {recipe.data.channels}: the weights {recipe.model.weights} read "
            f"{kind} crops; leave data.channels out, or start from other weights (model.weights)"
        )
    unset = {key: value for key, value in crop.items() if key not in recipe.data.model_fields_set}
    data = recipe.data.model_copy(update=unset)
    adopted = recipe.model_copy(update={"model": section, "data": data})
    return parse_recipe(adopted.as_dict(), where=recipe.name)  # checks that its parts fit together


def _find_origin(weights: str) -> _Origin:
    if weights in shipped_bundles():
        bundle = Bundle(weights)
        return _Origin(bundle.metadata.recipe.get("model", {}), bundle.crop)
    path = expand_user(weights)
    folder = path.parent if path.name == WEIGHTS_NAME else path
    try:
        run = Run(folder)
    except RunError as error:
        known = ", ".join(shipped_bundles())
        raise RecipeError(
            f"model.weights = {weights!r}: {error}; expected a run, or one of {known}, since "
            "model.architecture = weights takes the network of its recipe"
        ) from None
    if not (run.path / WEIGHTS_NAME).is_file():
        raise RecipeError(
            f"model.weights = {weights!r}: the run has no {WEIGHTS_NAME}, which it gets at the end "
            f"of its training; continue it: mien train --resume {Path(weights)}"
        )
    return _Origin(run.recipe.model.model_dump(), run.record.data.crop.spec)
