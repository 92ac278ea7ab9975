"""The typed form of a sweep: one recipe, and the settings that its trials try."""

from __future__ import annotations

import copy
import itertools
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, ValidationError, model_validator

from mien.errors import RecipeError, nearest
from mien.io.names import Name
from mien.recipes.recipe import (
    Recipe,
    explain,
    list_recipes,
    load_recipe,
    parse_recipe,
    parse_value,
    read_toml,
    set_key,
)
from mien.recipes.sections import Positive, Section, Seed, SourceSection

_SHIPPED: Final = Path(__file__).parent / "shipped"
_WAYS: Final = ("grid", "search", "variants")  # to say what is tried

Settings = dict[str, Any]  # such as {"model.stages": 3}


class Range(Section):
    """What a search draws a setting from: ``low`` to ``high``, or one of ``choices``.

    Whole numbers are drawn where ``low`` and ``high`` are whole.
    """

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.choices:
            if self.low is not None or self.high is not None:
                raise ValueError("give low and high, or choices")
        elif self.low is None or self.high is None or not self.low < self.high:
            raise ValueError("expected low < high, or choices")
        elif self.log and self.low <= 0:
            raise ValueError("a logarithmic range begins above 0")
        return self


class Sweep(Section):
    """A recipe and what is tried of it: the points of a grid, named variants, or a search's draws.

    Args:
        recipe: the name of the recipe.
        base: that recipe as it was when the sweep was made, with what all trials share.
        grid: values by setting; every combination is a trial.
        search: ranges by setting; an optimiser draws from them, guided by validation accuracy.
        variants: settings by name; each variant is a trial, and what it does not set stays as in
            ``base``. A variant without settings is the baseline.
        trials: number of draws of a search.
        seed: seed of a search.
    """

    name: Name
    description: str = ""
    source: SourceSection = SourceSection()
    recipe: str
    base: dict[str, Any]
    grid: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = {}
    search: dict[str, Range] = {}
    variants: dict[Name, Settings] = {}
    trials: Positive = 20
    seed: Seed = 0

    @model_validator(mode="after")
    def _something_to_try(self) -> Self:
        found = [f"[{way}]" for way in _WAYS if getattr(self, way)]
        if len(found) != 1:
            raise ValueError(
                "expected exactly one of [grid], [search] and [variants], found "
                f"{' and '.join(found) or 'none'}"
            )
        for key in self.keys:
            if key.split(".")[0] == "data":
                raise ValueError(
                    f"{key} gives every trial other images to be chosen by; set it for all of them"
                )
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings that differ between trials; of variants, all that any variant sets."""
        named = itertools.chain.from_iterable(self.variants.values())
        return tuple(self.grid or self.search or dict.fromkeys(named))

    def points(self) -> list[Settings]:
        """Return the settings of every trial that is known beforehand; none of a search.

        The points of a grid come with the last setting changing fastest, variants in the file's
        order.
        """
        if self.variants:
            return list(self.variants.values())
        values = itertools.product(*self.grid.values())
        return [dict(zip(self.grid, point, strict=True)) for point in values] if self.grid else []

    def names(self) -> list[str]:
        """Return the name of each of ``points()``, empty where it is not a variant."""
        return list(self.variants) or [""] * len(self.points())

    def value(self, settings: Settings, key: str) -> Any:
        """Return the value of a setting in a trial; None where neither it nor the base has one."""
        if key in settings:
            return settings[key]
        found: Any = self.base
        for part in key.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

    def recipe_for(self, settings: Settings) -> Recipe:
        """Return a trial's recipe.

        Raises:
            RecipeError: if a key is unknown or a value does not fit.
        """
        values = copy.deepcopy(self.base)
        if "model.family" in settings:  # another family has other keys
            values["model"] = {}
        for key, value in settings.items():
            try:
                set_key(values, key, value)
            except TypeError as error:
                raise RecipeError(f"sweep {self.name}: {key}: {error}") from None
        return parse_recipe(values, where=self.recipe)

    def check(self) -> None:
        """Refuse a sweep of which any trial could not begin, before the first one does.

        Of a search every choice and both ends of every range are tried, each beside the first of
        the others.

        Raises:
            RecipeError: if a key is unknown, or a value does not fit.
        """
        for name, settings in self.variants.items():
            try:
                self.recipe_for(settings)
            except RecipeError as error:
                raise RecipeError(f"variant {name}: {error}") from None
        if not self.variants:
            for settings in self.points() or _corners(self.search):
                self.recipe_for(settings)


def list_sweeps() -> list[str]:
    """Return the names of the sweeps that come with mien."""
    return sorted(path.stem for path in _SHIPPED.glob("*.toml"))


def load_sweep(
    name_or_path: str | Path,
    *,
    grid: Iterable[str] = (),
    search: Iterable[str] = (),
    overrides: Iterable[str] = (),
    trials: int | None = None,
) -> Sweep:
    """Load a sweep, or make one of a recipe and a grid.

    Args:
        name_or_path: ``sweep-stages``, the path of a sweep's TOML file, or a recipe's name or path.
        grid: such as ``model.stages=2,3,4,5``; lists stand in brackets: ``model.dense=[64],[128]``.
        search: such as ``train.lr=1e-4..1e-2``, ``train.lr=1e-4..1e-2:log`` or
            ``train.optimizer=adam,sgd``.
        overrides: settings of all trials, such as ``train.epochs=5``.
        trials: of a search.

    Raises:
        RecipeError: if there is no such sweep or recipe, a key is unknown or a value does not fit.
    """
    values = _read(name_or_path)
    values["base"] = _base(values.pop("recipe"), values.pop("set", {}), overrides)
    values["recipe"] = values["base"]["name"]
    given = _assignments(grid, "--grid", _parse_values)
    ranges = _assignments(search, "--search", _parse_range)
    if values.get("variants") and (given or ranges):
        raise RecipeError(
            f"{name_or_path}: tries its variants; leave {'--grid' if given else '--search'} out, "
            "or name a recipe in its place"
        )
    if ranges and (given or values.get("grid")):
        raise RecipeError("a grid or a search, one of them: leave --grid or --search out")
    values["grid"] = {**values.get("grid", {}), **given}
    values["search"] = {**values.get("search", {}), **ranges}
    if trials is not None:
        if not values["search"]:
            raise RecipeError(
                "--trials: goes with --search; a grid has one trial a point, variants one each"
            )
        values["trials"] = trials
    if not any(values.get(way) for way in _WAYS):
        raise RecipeError(
            f"{name_or_path}: a recipe; say what to try of it, for example "
            f"--grid train.lr=0.001,0.01, or name a sweep: {', '.join(list_sweeps())}"
        )
    try:
        sweep = Sweep.model_validate(values)
    except ValidationError as error:
        # pydantic marks a name that is refused as a key so
        said = explain(error.errors()[0], form=Sweep).replace(".[key]", "")
        raise RecipeError(f"sweep {name_or_path}: {said}") from None
    sweep.check()
    return sweep


def _read(name_or_path: str | Path) -> dict[str, Any]:
    """Return a sweep's values, its dotted keys joined; a recipe is a sweep that tries nothing."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = _SHIPPED / f"{name_or_path}.toml"
        if not path.is_file():
            known = [*list_sweeps(), *list_recipes()]
            if str(name_or_path) not in known:
                raise RecipeError(
                    f"no sweep or recipe is called {str(name_or_path)!r}"
                    f"{nearest(str(name_or_path), known)}; there are: {', '.join(known)}"
                )
            return {"name": str(name_or_path), "recipe": str(name_or_path)}
    values = read_toml(path)
    if not {*_WAYS, "recipe"} & values.keys():
        return {"name": path.stem, "recipe": str(path)}
    return {"name": path.stem, **_checked(values, path)}


def _checked(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return a sweep file's values with the keys of its sections joined by dots."""
    for section in ("set", *_WAYS):
        if not isinstance(values.setdefault(section, {}), Mapping):
            raise RecipeError(f"sweep {path}: {section}: expected a section, which holds keys")
        if section != "variants":
            values[section] = dict(_flatten(values[section]))
    for name, settings in values["variants"].items():
        if not isinstance(settings, Mapping):
            raise RecipeError(
                f"sweep {path}: variants.{name}: expected a section of settings, for example "
                f"[variants.{name}]"
            )
        values["variants"][name] = dict(_flatten(settings, ranges=False))
    recipe = values.get("recipe")
    if not isinstance(recipe, str):
        raise RecipeError(f"sweep {path}: expected recipe = the name or file of the recipe to try")
    if recipe.endswith(".toml"):  # a file that is named in a file stands beside it
        values["recipe"] = str(path.parent / recipe)
    return values


def _base(recipe: str, shared: Settings, overrides: Iterable[str]) -> dict[str, Any]:
    """Return a recipe's plain data with the settings that all trials share."""
    settings = [f"{key}={json.dumps(value)}" for key, value in shared.items()]
    return load_recipe(recipe, [*settings, *overrides]).as_dict()


def _flatten(
    section: Mapping[str, Any], prefix: str = "", *, ranges: bool = True
) -> Iterable[tuple[str, Any]]:
    """Yield keys joined by dots and their values; with ``ranges``, a Range's keys are a value."""
    for key, value in section.items():
        nested = isinstance(value, Mapping)
        if nested and not (ranges and value.keys() <= Range.model_fields.keys()):
            yield from _flatten(value, f"{prefix}{key}.", ranges=ranges)
        else:
            yield prefix + key, value


def _assignments(texts: Iterable[str], option: str, parse: Any) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key or not value:
            raise RecipeError(
                f"{option} {text}: expected KEY=VALUES, for example model.stages=2,3,4"
            )
        if key in given:
            raise RecipeError(
                f"{option} {text}: {key} is named twice; give all that is to be tried of it at once"
            )
        given[key] = parse(value)
    return given


def _parse_values(text: str) -> list[Any]:
    """Read values that commas separate, lists in brackets; words need no quotes."""
    try:
        return list(tomllib.loads(f"values = [{text}]")["values"])
    except tomllib.TOMLDecodeError:
        return [parse_value(word.strip()) for word in text.split(",")]


def _parse_range(text: str) -> dict[str, Any]:
    low, dots, high = text.partition("..")
    if not dots:
        return {"choices": _parse_values(text)}
    high, colon, scale = high.partition(":")
    if colon and scale != "log":
        raise RecipeError(f"--search {text}: expected LOW..HIGH or LOW..HIGH:log")
    return {"low": parse_value(low), "high": parse_value(high), "log": bool(colon)}


def _corners(search: Mapping[str, Range]) -> list[Settings]:
    """Return points of a search that between them have every choice and end of a range."""
    ends = {key: one.choices or (one.low, one.high) for key, one in search.items()}
    first = {key: values[0] for key, values in ends.items()}
    return [{**first, key: value} for key, values in ends.items() for value in values]
