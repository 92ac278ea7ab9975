"""The typed form of a recipe, and how it is read from TOML.

Everything that decides what a training does stands in a recipe, under one name, with its unit. An
unknown key is an error, so a misspelt setting cannot be silently ignored.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from mien.errors import RecipeError, nearest

_SHIPPED: Final = Path(__file__).parent

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1, le=100_000)]
Branched = Annotated[int, Field(ge=8, le=100_000)]  # an eighth of it is the narrowest branch
Dropout = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Section(BaseModel):
    """A part of a recipe: what it does not know is an error, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SourceSection(Section):
    """Where a recipe comes from, and how ours differs from it."""

    title: str = ""
    address: str = ""
    reported: dict[str, float] = {}
    deviations: tuple[str, ...] = ()


class DataSection(Section):
    """How the images are split when the files' own splits are not to be kept.

    The keys are options of `mien.load_dataset`, which says what each does.
    """

    fractions: tuple[Fraction, Fraction, Fraction] | None = None
    hold_out: Annotated[float, Field(ge=0, lt=1)] = 0.0
    keep_twins_together: bool = False
    seed: Seed = 0

    @model_validator(mode="after")
    def _one_way_to_split(self) -> Self:
        if self.fractions is not None and self.hold_out:
            raise ValueError(
                "fractions pools all images, so nothing is held out; set hold_out to 0"
            )
        return self


class _ModelSection(Section):
    """What every family has: its input, and the dense layers between features and logits."""

    normalization: Literal["unit", "standardize", "imagenet"] = "unit"
    dense: tuple[Positive, ...] = (128,)
    dense_batch_norm: bool = True
    dropout: Dropout = 0.5
    initialization: Literal["kaiming", "keras"] = "kaiming"


class StackedModel(_ModelSection):
    """A stack of convolution stages, each ended by max-pooling, and dense layers on top.

    ``stages`` cuts ``channels`` to so many, or repeats the last of them.
    """

    family: Literal["stacked"] = "stacked"
    channels: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=5)] = (32, 64, 128)
    stages: Annotated[int, Field(ge=1, le=5)] | None = None
    convs_per_stage: Positive = 1
    kernel_px: Literal[1, 3, 5, 7] = 3
    batch_norm: bool = True
    conv_dropout: Dropout = 0.0
    head: Literal["flatten", "average"] = "flatten"

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """The channels of each stage."""
        stages = self.stages or len(self.channels)
        return (*self.channels, *[self.channels[-1]] * stages)[:stages]


class InceptionModel(_ModelSection):
    """A convolution stem, then stages of inception blocks, each but the last max-pooled."""

    family: Literal["inception"]
    stem: Positive = 64
    channels: Annotated[tuple[Branched, ...], Field(min_length=1, max_length=4)] = (128, 256, 384)
    blocks_per_stage: Positive = 1


class DenseNetModel(_ModelSection):
    """DenseNet169 with dense layers on top.

    ``weights``: ``imagenet`` for those of timm/densenet169.tv_in1k, the path of a file in that
    layout, or ``none``.
    """

    family: Literal["densenet"]
    weights: str = "none"

    @model_validator(mode="after")
    def _published_weights_take_rgb(self) -> Self:
        if self.weights != "none" and self.normalization != "imagenet":
            raise ValueError(
                "published weights take RGB as ImageNet was normalised; set model.normalization to "
                "imagenet, or model.weights to none"
            )
        return self


def _family_of(section: Any) -> str:
    named = (
        section.get("family") if isinstance(section, Mapping) else getattr(section, "family", None)
    )
    return str(named or "stacked")


ModelSection = StackedModel | InceptionModel | DenseNetModel
_MODELS: Final[dict[str, type[_ModelSection]]] = {
    "stacked": StackedModel,
    "inception": InceptionModel,
    "densenet": DenseNetModel,
}


class AugmentSection(Section):
    """Random changes to each training image, in each epoch anew; all off by default."""

    enabled: bool = True
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0
    shift: Fraction = 0.0
    shear_degrees: Annotated[float, Field(ge=0, lt=90)] = 0.0
    flip: bool = False
    brightness: Fraction = 0.0
    contrast: Fraction = 0.0
    erasing: Fraction = 0.0
    fill: Literal["reflect", "edge", "zeros"] = "reflect"


class TrainSection(Section):
    """How the network is fitted and which of its checkpoints is kept."""

    epochs: Positive = 15
    batch_size: Annotated[int, Field(ge=2)] = 64
    optimizer: Literal["sgd", "adam", "adamw"] = "adam"
    lr: Annotated[float, Field(gt=0)] = 1e-3
    momentum: Fraction = 0.9
    epsilon: Annotated[float, Field(gt=0)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["constant", "cosine", "one-cycle", "plateau"] = "constant"
    warmup: Fraction = 0.0
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    plateau_patience: Positive = 3
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    frozen_epochs: Annotated[int, Field(ge=0)] = 0
    unfrozen_lr: Annotated[float, Field(gt=0)] = 1e-5
    early_stopping_patience: Annotated[int, Field(ge=0)] = 0
    keep: Literal["best", "last"] = "best"
    monitor: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    seed: Seed = 0

    @model_validator(mode="after")
    def _two_phases_have_two_rates(self) -> Self:
        if self.frozen_epochs >= self.epochs:
            raise ValueError(
                f"frozen_epochs = {self.frozen_epochs} of {self.epochs} epochs leaves none that "
                "trains the whole network; give more epochs, or freeze fewer"
            )
        if self.frozen_epochs and self.schedule not in ("constant", "plateau"):
            raise ValueError(
                f"frozen_epochs and unfrozen_lr set the rate themselves; schedule {self.schedule} "
                "would overrule them, use constant or plateau"
            )
        return self


class Recipe(Section):
    """One training, described whole."""

    name: str
    description: str = ""
    source: SourceSection = SourceSection()
    data: DataSection = DataSection()
    model: Annotated[
        Annotated[StackedModel, Tag("stacked")]
        | Annotated[InceptionModel, Tag("inception")]
        | Annotated[DenseNetModel, Tag("densenet")],
        Discriminator(_family_of),
    ] = StackedModel()
    augment: AugmentSection = AugmentSection()
    train: TrainSection = TrainSection()

    def as_dict(self) -> dict[str, Any]:
        """Return plain data that TOML can hold: no None, lists instead of tuples."""
        return self.model_dump(mode="json", exclude_none=True)


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
        named = str(_family_of(error["input"]))
        return (
            f"model.family = {named!r}: no such family{nearest(named, _MODELS)}; "
            f"there are: {', '.join(_MODELS)}"
        )
    if error["type"] == "extra_forbidden":
        elsewhere = family and any(key[len("model.") :] in m.model_fields for m in _MODELS.values())
        of_family = f" of the family {family}" if elsewhere else ""
        return f"unknown key {key!r}{of_family}{nearest(key, _known_keys(form, family))}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] in ("model_type", "dict_type"):
        message = "expected a section, which holds keys"
    shown = "" if isinstance(error["input"], Mapping) else f" = {error['input']!r}"[:60]
    return f"{key}{shown}: {message[0].lower()}{message[1:]}".removeprefix(": ")


def _known_keys(form: type[Section], family: str) -> list[str]:
    keys = []
    for name, field in form.model_fields.items():
        keys.append(name)
        section: Any = _MODELS[family or "stacked"] if name == "model" else field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            keys += [f"{name}.{key}" for key in section.model_fields]
    return keys
