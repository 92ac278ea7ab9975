"""The typed form of a sweep: one recipe, and the settings that its trials try."""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, ValidationError, model_validator

from mien.errors import RecipeError, nearest
from mien.recipes.recipe import (
    Positive,
    Recipe,
    Section,
    Seed,
    SourceSection,
    explain,
    list_recipes,
    load_recipe,
    parse_value,
)

_SHIPPED: Final = Path(__file__).parent / "sweeps"

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
    """A recipe and what is tried of it: every point of a grid, or ``trials`` draws of a search.

    Args:
        recipe: a shipped recipe's name or the path of a TOML file.
        set: settings that all trials share.
        grid: values by setting; every combination is a trial.
        search: ranges by setting; an optimiser draws from them, guided by validation accuracy.
        trials: of a search.
        seed: of that search.
    """

    name: str
    description: str = ""
    source: SourceSection = SourceSection()
    recipe: str
    set: Settings = {}
    grid: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = {}
    search: dict[str, Range] = {}
    trials: Positive = 20
    seed: Seed = 0

    @model_validator(mode="after")
    def _something_to_try(self) -> Self:
        if bool(self.grid) == bool(self.search):
            raise ValueError("expected a grid or a search, one of them")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings that differ between trials."""
        return tuple(self.grid or self.search)

    def points(self) -> list[Settings]:
        """Return the grid's points, the last setting changing fastest; none of a search."""
        values = itertools.product(*self.grid.values())
        return [dict(zip(self.grid, point, strict=True)) for point in values] if self.grid else []

    def recipe_for(self, settings: Settings) -> Recipe:
        """Return a trial's recipe.

        Raises:
            RecipeError: if a key is unknown or a value does not fit.
        """
        changes = {**self.set, **settings}
        return load_recipe(self.recipe, [f"{key}={json.dumps(changes[key])}" for key in changes])

    def check(self) -> None:
        """Refuse a sweep of which any trial could not begin, before the first one does.

        Raises:
            RecipeError: if a key is unknown, or a value does not fit.
        """
        for settings in self.points() or [_corner(self.search)]:
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
    shared = dict(_assignment(text, "--set", parse_value) for text in overrides)
    values["set"] = {**values.get("set", {}), **shared}
    given = dict(_assignment(text, "--grid", _parse_values) for text in grid)
    ranges = dict(_assignment(text, "--search", _parse_range) for text in search)
    if ranges and (given or values.get("grid")):
        raise RecipeError("a grid or a search, one of them: leave --grid or --search out")
    values["grid"] = {**values.get("grid", {}), **given}
    values["search"] = {**values.get("search", {}), **ranges}
    if trials is not None:
        values["trials"] = trials
    if not values["grid"] and not values["search"]:
        raise RecipeError(
            f"{name_or_path}: a recipe; say what to try of it, for example "
            f"--grid train.lr=0.001,0.01, or name a sweep: {', '.join(list_sweeps())}"
        )
    try:
        sweep = Sweep.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"sweep {name_or_path}: {explain(error.errors()[0])}") from None
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
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: is not valid TOML ({error})") from error
    if not {"grid", "search"} & values.keys():
        return {"name": path.stem, "recipe": str(path)}
    for section in ("set", "grid", "search"):
        if isinstance(values.get(section), Mapping):
            values[section] = dict(_flatten(values[section]))
    return {"name": path.stem, **values}


def _flatten(section: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, Mapping) and not value.keys() <= Range.model_fields.keys():
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _assignment(text: str, option: str, parse: Any) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise RecipeError(f"{option} {text}: expected KEY=VALUES, for example model.stages=2,3,4")
    return key.strip(), parse(value.strip())


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


def _corner(search: Mapping[str, Range]) -> Settings:
    """Return one point of a search, by which its keys can be checked."""
    return {key: one.choices[0] if one.choices else one.low for key, one in search.items()}
