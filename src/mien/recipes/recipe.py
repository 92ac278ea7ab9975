"""A recipe, and how it is read from TOML; its sections stand in `mien.recipes.sections`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, Discriminator, Tag, ValidationError, model_validator
from pydantic_core import ErrorDetails

from mien.errors import RecipeError, nearest
from mien.io.files import expand_user
from mien.io.names import Name
from mien.recipes.sections import (
    MODELS,
    AugmentSection,
    CalibrationSection,
    DataSection,
    DenseNetModel,
    DistillSection,
    InceptionModel,
    MienNetModel,
    Section,
    SourceSection,
    StackedModel,
    TrainSection,
    family_of,
)

_SHIPPED: Final = Path(__file__).parent


class Recipe(Section):
    """One training, described whole."""

    name: Name
    description: str = ""
    source: SourceSection = SourceSection()
    data: DataSection = DataSection()
    model: Annotated[
        Annotated[StackedModel, Tag("stacked")]
        | Annotated[InceptionModel, Tag("inception")]
        | Annotated[DenseNetModel, Tag("densenet")]
        | Annotated[MienNetModel, Tag("mien_net")],
        Discriminator(family_of),
    ] = StackedModel()
    augment: AugmentSection = AugmentSection()
    train: TrainSection = TrainSection()
    calibration: CalibrationSection = CalibrationSection()
    distill: DistillSection = DistillSection()

    @model_validator(mode="after")
    def _parts_that_need_each_other(self) -> Self:
        if self.distill.views and not self.distill.teachers:
            raise ValueError(
                "distill.views keeps what teachers answer, and there are none; name some in "
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
                f"{', '.join(wanted)}: set on images that are kept back from training, and "
                "train.calibration_share is 0; set it to 0.05, or do without: " + without
            )
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return plain data that TOML can hold: no None, lists instead of tuples."""
        return self.model_dump(mode="json", exclude_none=True)

    def resolve_paths(self, folder: Path) -> Recipe:
        """Return the same, to be run in any folder: its weights and teachers by whole paths.

        ``folder`` is what their names are relative to. Weights that are no file there keep their
        name: it is one that mien knows.
        """
        distill, model = self.distill, self.model
        teachers = tuple(str((folder / expand_user(name)).resolve()) for name in distill.teachers)
        weights = folder / expand_user(getattr(model, "weights", ""))
        if weights.is_file():
            model = model.model_copy(update={"weights": str(weights.resolve())})
        distill = distill.model_copy(update={"teachers": teachers})
        return self.model_copy(update={"distill": distill, "model": model})

    def as_told(self) -> Recipe:
        """Return the same for others' eyes: of whole paths their last two parts, the run's name."""
        distill, model = self.distill, self.model
        distill = distill.model_copy(update={"teachers": tuple(map(_ending, distill.teachers))})
        if hasattr(model, "weights"):
            model = model.model_copy(update={"weights": _ending(model.weights)})
        return self.model_copy(update={"distill": distill, "model": model})


def _ending(name: str) -> str:
    path = Path(name)
    return Path(*path.parts[-2:]).as_posix() if path.is_absolute() else name


def list_recipes() -> list[str]:
    """Return the names of the recipes that come with mien."""
    return sorted(path.stem for path in _SHIPPED.glob("*.toml"))


def load_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Load a recipe that comes with mien by its name, or any TOML file by its path.

    Args:
        name_or_path: ``quick``, or ``my/recipe.toml``.
        overrides: settings such as ``train.epochs=5``, applied in order.

    Raises:
        RecipeError: if there is no such recipe, it is no TOML, a key is unknown (the nearest known
            one is named) or a value does not fit.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = _SHIPPED / f"{name_or_path}.toml"
        if not path.is_file():
            known = list_recipes()
            raise RecipeError(
                f"no recipe is called {str(name_or_path)!r}{nearest(str(name_or_path), known)}; "
                f"there are: {', '.join(known)}; or give the path of a .toml file"
            )
    values = read_toml(path)
    values.setdefault("name", path.stem)
    for override in overrides:
        _apply(values, override)
    return parse_recipe(values, where=str(name_or_path))


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's content.

    Raises:
        RecipeError: if it cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: is not valid TOML ({error})") from error


def parse_recipe(values: Mapping[str, Any], *, where: str) -> Recipe:
    """Check plain data and return it as a Recipe; ``where`` names it in errors."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"recipe {where}: {explain(error.errors()[0])}") from None


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip() or key.strip().endswith("."):
        raise RecipeError(f"--set {override}: expected KEY=VALUE, for example train.epochs=5")
    try:
        set_key(values, key.strip(), parse_value(text.strip()))
    except TypeError as error:
        raise RecipeError(f"--set {override}: {error}") from None


def set_key(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key in a recipe's plain data.

    Raises:
        TypeError: if a part of the key that should be a section is a value.
    """
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise TypeError(f"{section!r} is a value, not a section")
    values[last] = value


def parse_value(text: str) -> Any:
    """Read a value as TOML would (5, 0.1, true, [32, 64]); anything else is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def explain(error: ErrorDetails, *, form: type[Section] = Recipe) -> str:
    """Return what is wrong with a value, and where, in words."""
    location = [str(part) for part in error["loc"] if part not in ("int", "float")]
    family = ""
    if form is Recipe and location[:1] == ["model"] and len(location) > 1:
        family = location.pop(1)  # pydantic names it there
    key = ".".join(location)
    if error["type"] == "union_tag_invalid":
        named = str(family_of(error["input"]))
        return (
            f"model.family = {named!r}: no such family{nearest(named, MODELS)}; "
            f"there are: {', '.join(MODELS)}"
        )
    if error["type"] == "extra_forbidden":
        elsewhere = family and any(key[len("model.") :] in m.model_fields for m in MODELS.values())
        of_family = f" of the family {family}" if elsewhere else ""
        return f"unknown key {key!r}{of_family}{nearest(key, _known_keys(form, family))}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] in ("model_type", "dict_type"):
        message = "expected a section, which holds keys"
    if error["type"] == "tuple_type":
        message = "expected a list, in brackets, for example [64, 128]"
    if error["type"] == "missing" and location[-1].isdigit():  # of a pair
        return f"{'.'.join(location[:-1])}: expected two numbers, for example [-0.1, 0.35]"
    shown = "" if isinstance(error["input"], Mapping) else f" = {error['input']!r}"[:60]
    return f"{key}{shown}: {message[0].lower()}{message[1:]}".removeprefix(": ")


def _known_keys(form: type[Section], family: str) -> list[str]:
    keys = []
    for name, field in form.model_fields.items():
        keys.append(name)
        section: Any = MODELS[family or "stacked"] if name == "model" else field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            keys += [f"{name}.{key}" for key in section.model_fields]
    return keys
