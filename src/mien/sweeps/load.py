"""Load a sweep: from TOML, or from a recipe and the options of the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from mien.errors import RecipeError, nearest
from mien.recipes.explain import explain
from mien.recipes.recipe import list_recipes, load_recipe, parse_value, read_toml
from mien.recipes.toml import parse_toml
from mien.sweeps.spec import WAYS, Range, Settings, Sweep

SHIPPED: Final = Path(__file__).parent / "shipped"


def list_sweeps() -> list[str]:
    """Return the names of the sweeps that come with mien."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load_sweep(
    name_or_path: str | Path,
    *,
    grid: Iterable[str] = (),
    search: Iterable[str] = (),
    overrides: Iterable[str] = (),
    trials: int | None = None,
) -> Sweep:
    """Load a sweep, or make one from a recipe and a grid or a search.

    Args:
        name_or_path: name of a sweep that comes with mien (``sweep-stages``), path of a sweep's
            TOML file, or name or path of a recipe.
        grid: settings to combine, such as ``model.stages=2,3,4,5``; lists need brackets:
            ``model.dense=[64],[128]``.
        search: settings to draw, such as ``train.lr=1e-4..1e-2``, ``train.lr=1e-4..1e-2:log`` or
            ``train.optimizer=adam,sgd``.
        overrides: settings of all trials, such as ``train.epochs=5``.
        trials: number of trials of a search; by default that of the file, or 20.

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
            f"{name_or_path}: has variants of its own; leave {'--grid' if given else '--search'} "
            f"out, "
            "or name a recipe in its place"
        )
    if ranges and (given or values.get("grid")):
        raise RecipeError("a grid or a search, not both: leave --grid or --search out")
    values["grid"] = {**values.get("grid", {}), **given}
    values["search"] = {**values.get("search", {}), **ranges}
    if trials is not None:
        if not values["search"]:
            raise RecipeError(
                "--trials: only for a search; a grid has one trial per point, and variants have "
                "one each"
            )
        values["trials"] = trials
    if not any(values.get(way) for way in WAYS):
        raise RecipeError(
            f"{name_or_path}: a recipe; name settings to try, for example "
            f"--grid train.lr=0.001,0.01, or name a sweep: {', '.join(list_sweeps())}"
        )
    try:
        sweep = Sweep.model_validate(values)
    except ValidationError as error:
        # pydantic calls the key itself [key]
        reason = explain(error.errors()[0], form=Sweep).replace(".[key]", "")
        raise RecipeError(f"sweep {name_or_path}: {reason}") from None
    sweep.check()
    return sweep


def _read(name_or_path: str | Path) -> dict[str, Any]:
    """Return the values of a sweep, with dotted keys; a recipe is a sweep that tries nothing."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = SHIPPED / f"{name_or_path}.toml"
        if str(name_or_path) not in list_sweeps():
            known = [*list_sweeps(), *list_recipes()]
            if str(name_or_path) not in known:
                raise RecipeError(
                    f"no sweep or recipe is called {str(name_or_path)!r}"
                    f"{nearest(str(name_or_path), known)}; there are: {', '.join(known)}"
                )
            return {"name": str(name_or_path), "recipe": str(name_or_path)}
    values = read_toml(path)
    if not {*WAYS, "recipe"} & values.keys():
        return {"name": path.stem, "recipe": str(path)}
    return {"name": path.stem, **_checked(values, path)}


def _checked(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the values of a sweep file, with the keys of its sections joined by dots."""
    for section in ("set", *WAYS):
        if not isinstance(values.setdefault(section, {}), Mapping):
            raise RecipeError(f"sweep {path}: {section}: expected a section with keys")
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
        raise RecipeError(f"sweep {path}: expected recipe = NAME or FILE of the recipe to try")
    if recipe.endswith(".toml"):  # relative to the sweep's file
        values["recipe"] = str(path.parent / recipe)
    return values


def _base(recipe: str, shared: Settings, overrides: Iterable[str]) -> dict[str, Any]:
    """Return a recipe as plain data, with the settings that all trials share."""
    settings = [f"{key}={json.dumps(value)}" for key, value in shared.items()]
    return load_recipe(recipe, [*settings, *overrides]).as_dict()


def _flatten(
    section: Mapping[str, Any], prefix: str = "", *, ranges: bool = True
) -> Iterable[tuple[str, Any]]:
    """Yield dotted keys and their values; with `ranges`, a Range section is one value."""
    for key, value in section.items():
        nested = isinstance(value, Mapping)
        if nested and not (ranges and value.keys() <= Range.model_fields.keys()):
            yield from _flatten(value, f"{prefix}{key}.", ranges=ranges)
        else:
            yield prefix + key, value


def _assignments(texts: Iterable[str], option: str, parse: Callable[[str], Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key or not value:
            raise RecipeError(
                f"{option} {text}: expected KEY=VALUES, for example model.stages=2,3,4"
            )
        if key in given:
            raise RecipeError(
                f"{option} {text}: {key} is named twice; give all its values in one {option}"
            )
        given[key] = parse(value)
    return given


def _parse_values(text: str) -> list[Any]:
    """Return the values in a list separated by commas; words need no quotes."""
    try:
        return list(parse_toml(f"values = [{text}]")["values"])
    except ValueError:
        return [parse_value(word.strip()) for word in text.split(",")]


def _parse_range(text: str) -> dict[str, Any]:
    """Return the keys of a Range, given as LOW..HIGH, LOW..HIGH:log or a list of choices."""
    low, dots, high = text.partition("..")
    if not dots:
        return {"choices": _parse_values(text)}
    high, colon, scale = high.partition(":")
    if colon and scale != "log":
        raise RecipeError(f"--search {text}: expected LOW..HIGH or LOW..HIGH:log")
    return {"low": parse_value(low), "high": parse_value(high), "log": bool(colon)}
