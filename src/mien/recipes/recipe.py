"""Recipe: the complete description of one training, read from TOML and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from pydantic import Field, SerializeAsAny, ValidationError, field_validator, model_validator

from mien.errors import RecipeError, nearest
from mien.io.files import expand_user
from mien.io.names import Name
from mien.io.nesting import MOST_LEVELS
from mien.recipes.explain import explain
from mien.recipes.families import UntypedModel, typed_section, with_family
from mien.recipes.sections import (
    AugmentSection,
    CalibrationSection,
    DataSection,
    DistillSection,
    ModelSection,
    Section,
    SourceSection,
    TrainSection,
)
from mien.recipes.toml import parse_toml, read_toml_file

SHIPPED: Final = Path(__file__).parent

# Settings that may change when a finished run is trained further.
_CHANGEABLE: Final = (
    "train.epochs",
    "train.lr",
    "train.unfrozen_lr",
    "train.schedule",
    "train.plateau_factor",
    "train.plateau_patience",
    "train.early_stopping_patience",
)


class Recipe(Section):
    """The complete description of one training (see `mien.recipes.sections`)."""

    name: Name
    """Name of the recipe, and of the Bundle that it trains."""
    description: str = ""
    """Purpose of the recipe, in one line."""
    source: SourceSection = SourceSection()
    data: DataSection = DataSection()
    model: SerializeAsAny[ModelSection] = Field(default_factory=lambda: typed_section({}))
    augment: AugmentSection = AugmentSection()
    train: TrainSection = TrainSection()
    calibration: CalibrationSection = CalibrationSection()
    distill: DistillSection = DistillSection()

    @field_validator("model", mode="before")
    @classmethod
    def _of_a_family(cls, model: Any) -> Any:
        return typed_section(model) if isinstance(model, Mapping) else model

    @model_validator(mode="after")
    def _parts_that_need_each_other(self) -> Self:
        size_px = self.data.size_px
        low = self.augment.low_resolution_px if self.augment.corruption else 0
        for key, value in (("crop_px", self.augment.crop_px), ("low_resolution_px", low)):
            if value and value > size_px:
                raise ValueError(
                    f"augment.{key} = {value}: the crops have {size_px} px (data.size_px); choose "
                    "a smaller one, or leave it out"
                )
        if self.distill.views and not self.distill.teachers:
            raise ValueError(
                "distill.views keeps the answers of teachers, and there are none; name some in "
                "distill.teachers, or set distill.views to 0"
            )
        needing = {
            "train.face_gate": (self.train.face_gate, "false"),
            "train.votes_in_answer": (self.train.votes_in_answer, "0"),
            "calibration.prior": (self.calibration.prior, "0"),
        }
        wanted = {key: off for key, (value, off) in needing.items() if value}
        if wanted and not self.train.calibration_share:
            without = " ".join(f"--set {key}={off}" for key, off in wanted.items())
            raise ValueError(
                f"{', '.join(wanted)}: fitted on images that are kept back from training, but "
                "train.calibration_share is 0; set it to 0.05, or do without: " + without
            )
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for TOML, without None and with lists instead of tuples."""
        return self.model_dump(mode="json", exclude_none=True)

    def resolve_paths(self, folder: Path) -> Recipe:
        """Return the recipe with absolute paths of weights and teachers.

        Weights that are not a file are published weights, and keep their name.

        Args:
            folder: folder to which relative paths refer.
        """
        distill, model = self.distill, self.model
        teachers = tuple(str((folder / expand_user(name)).resolve()) for name in distill.teachers)
        weights = folder / expand_user(model.weights)
        if weights.is_file() or (weights / "model.safetensors").is_file():
            model = model.model_copy(update={"weights": str(weights.resolve())})
        distill = distill.model_copy(update={"teachers": teachers})
        return self.model_copy(update={"distill": distill, "model": model})

    def shorten_paths(self) -> Recipe:
        """Return the recipe with absolute paths shortened to their last two parts."""
        distill, model = self.distill, self.model
        distill = distill.model_copy(update={"teachers": tuple(map(_ending, distill.teachers))})
        model = model.model_copy(update={"weights": _ending(model.weights)})
        return self.model_copy(update={"distill": distill, "model": model})


def _ending(name: str) -> str:
    path = Path(name)
    return Path(*path.parts[-2:]).as_posix() if path.is_absolute() else name


def list_recipes() -> list[str]:
    """Return the names of the recipes that come with mien."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load_recipe(
    name_or_path: str | Path, overrides: Iterable[str] = (), *, family: str | None = None
) -> Recipe:
    """Load a recipe that comes with mien by its name, or any TOML file by its path.

    Args:
        name_or_path: name of a recipe, such as ``quick``, or path of a ``.toml`` file.
        overrides: settings such as ``train.epochs=5``, applied in order.
        family: name of a network family that replaces the recipe's own, whose settings are dropped
            but for those of every family.

    Raises:
        RecipeError: if there is no such recipe, it is not valid TOML, a key is unknown (the nearest
            known one is named) or a value does not fit.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = SHIPPED / f"{name_or_path}.toml"
        known = list_recipes()
        if str(name_or_path) not in known:
            raise RecipeError(
                f"no recipe is called {str(name_or_path)!r}{nearest(str(name_or_path), known)}; "
                f"there are: {', '.join(known)}; or give the path of a .toml file"
            )
    values = read_toml(path)
    values.setdefault("name", path.stem)
    if family is not None:
        values["model"] = with_family(values.get("model", {}), family).model_dump()
    for override in overrides:
        _apply(values, override)
    if family is not None and values["model"].setdefault("family", family) != family:
        raise RecipeError(
            f"model.family = {values['model']['family']!r}: the network is given by a function; "
            "leave out that override, or the function"
        )
    return parse_recipe(values, where=str(name_or_path))


def extend_recipe(recipe: Recipe, overrides: Iterable[str], *, epochs_done: int) -> Recipe:
    """Return the recipe of a finished run with more epochs.

    Args:
        recipe: recipe of the run.
        overrides: settings such as ``train.epochs=60``, applied in order.
        epochs_done: number of epochs that have been trained.

    Raises:
        RecipeError: if a setting cannot change after training has begun, or no epoch is left.
    """
    values = recipe.as_dict()
    for override in overrides:
        _apply(values, override)
        key = override.partition("=")[0].strip()
        if key not in _CHANGEABLE:
            raise RecipeError(
                f"--set {override}: cannot change once a training has begun; expected one of "
                f"{', '.join(_CHANGEABLE)}"
            )
    extended = parse_recipe(values, where=recipe.name, for_training=False)
    train = extended.train
    if train.epochs <= epochs_done:
        raise RecipeError(
            f"train.epochs = {train.epochs}: {epochs_done} epochs are trained already; set a "
            f"higher number, for example --set train.epochs={2 * epochs_done}"
        )
    stopped = epochs_done < recipe.train.epochs
    if stopped and 0 < train.early_stopping_patience <= recipe.train.early_stopping_patience:
        raise RecipeError(
            f"train.early_stopping_patience = {train.early_stopping_patience}: has run out, so the "
            "training would stop at once; raise it, or set it to 0"
        )
    return extended


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises:
        RecipeError: if it cannot be read or is not valid TOML.
    """
    try:
        return read_toml_file(path)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        what = "cannot be read" if "\0" in str(path) else "is not valid TOML"
        raise RecipeError(f"{path}: {what} ({error})") from error


def parse_recipe(values: Mapping[str, Any], *, where: str, for_training: bool = True) -> Recipe:
    """Check plain data and return it as a Recipe.

    Args:
        values: plain data, as read from TOML.
        where: name of the recipe in errors.
        for_training: whether the family checks [model], which imports torch. Without it, [model]
            keeps its recorded values, which is enough for the recipe of a run that is only read.

    Raises:
        RecipeError: if a key is unknown or a value does not fit.
    """
    model = values.get("model", {})
    if not isinstance(model, Mapping | ModelSection):
        raise RecipeError(f"recipe {where}: model = {model!r}: expected a section with keys")
    try:
        section = typed_section(model) if for_training else UntypedModel.model_validate(model)
        return Recipe.model_validate({**values, "model": section})
    except RecipeError as error:
        raise RecipeError(f"recipe {where}: {error}") from None
    except ValidationError as error:
        raise RecipeError(f"recipe {where}: {explain(error.errors()[0], form=Recipe)}") from None


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip() or key.strip().endswith("."):
        raise RecipeError(f"--set {override}: expected KEY=VALUE, for example train.epochs=5")
    try:
        set_key(values, key.strip(), parse_value(text.strip()))
    except TypeError as error:
        raise RecipeError(f"--set {override[:200]}: {error}") from None


def set_key(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key in a recipe's plain data.

    Raises:
        TypeError: if a part of the key is a value and not a section, or it has too many parts.
    """
    *sections, last = key.split(".")
    if len(sections) >= MOST_LEVELS:
        raise TypeError(f"a key of {len(sections) + 1:,} parts, expected at most {MOST_LEVELS}")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise TypeError(f"{section!r} is a value, not a section")
    values[last] = value


def parse_value(text: str) -> Any:
    """Return a value parsed as TOML (5, 0.1, true, [32, 64]); anything else is a string."""
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text
