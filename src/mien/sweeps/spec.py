"""The typed form of a sweep: one recipe, and the settings that its trials try."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from mien.errors import RecipeError
from mien.io.names import Name
from mien.recipes.recipe import Recipe, parse_recipe, set_key
from mien.recipes.sections import Positive, Section, Seed, SourceSection

WAYS: Final = ("grid", "search", "variants")  # the sections that define the trials

Settings = dict[str, Any]  # values by dotted key, for example {"model.stages": 3}


_MOST_TRIALS: Final = 10_000  # of a grid; each takes a minute at least


class Range(Section):
    """The values from which a search draws a setting: a range, or a list of choices."""

    low: int | float | None = None
    """Lower end of the range; if both ends are integers, integers are drawn."""
    high: int | float | None = None
    """Upper end of the range."""
    log: bool = False
    """Whether the range is logarithmic."""
    choices: tuple[Any, ...] = ()
    """Values to choose from, instead of a range."""

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
    """A recipe and the settings to try: the points of a grid, named variants, or drawn settings."""

    name: Name
    """Name of the sweep."""
    description: str = ""
    """Purpose of the sweep, in one line."""
    source: SourceSection = SourceSection()
    """Source of the sweep, and the deviations from it."""
    recipe: str
    """Name of the recipe."""
    base: dict[str, Any]
    """The recipe at the time when the sweep was made, with the settings that all trials share."""
    grid: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = {}
    """Values by setting; every combination is a trial."""
    search: dict[str, Range] = {}
    """Ranges by setting; an optimizer draws from them, guided by validation accuracy."""
    variants: dict[Name, Settings] = {}
    """Settings by name; each variant is a trial, and keeps the other settings of the base. A
    variant without settings is the baseline."""
    trials: Positive = 20
    """Number of trials of a search."""
    seed: Seed = 0
    """Seed of a search."""

    @model_validator(mode="after")
    def _something_to_try(self) -> Self:
        found = [f"[{way}]" for way in WAYS if getattr(self, way)]
        if len(found) != 1:
            raise ValueError(
                "expected exactly one of [grid], [search] and [variants], found "
                f"{' and '.join(found) or 'none'}"
            )
        if (trials := math.prod(map(len, self.grid.values()))) > _MOST_TRIALS:
            raise ValueError(
                f"grid: {trials:,} trials, expected at most {_MOST_TRIALS:,}; a search draws some "
                "of them"
            )
        for key in self.keys:
            if key.split(".")[0] == "data":
                raise ValueError(
                    f"{key} would give the trials different validation images, by which they are "
                    f"compared; set it for all trials"
                )
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings in which trials differ; for variants, all settings of any variant."""
        named = itertools.chain.from_iterable(self.variants.values())
        return tuple(self.grid or self.search or dict.fromkeys(named))

    @property
    def total(self) -> int:
        """The number of trials."""
        return len(self.points()) or self.trials

    def points(self) -> list[Settings]:
        """Return the settings of every trial that is known beforehand; none for a search.

        In a grid the last setting changes fastest; variants are in the order of the file.
        """
        if self.variants:
            return list(self.variants.values())
        values = itertools.product(*self.grid.values())
        return [dict(zip(self.grid, point, strict=True)) for point in values] if self.grid else []

    def names(self) -> list[str]:
        """Return the name of the variant of each of `points()`; empty in a grid."""
        return list(self.variants) or [""] * len(self.points())

    def value(self, settings: Settings, key: str) -> Any:
        """Return the value of a setting in a trial; None if neither trial nor base sets it.

        Args:
            settings: settings of the trial.
            key: dotted key of the setting.
        """
        if key in settings:
            return settings[key]
        found: Any = self.base
        for part in key.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

    def recipe_for(self, settings: Settings) -> Recipe:
        """Return the recipe of a trial.

        Args:
            settings: settings of the trial.

        Raises:
            RecipeError: if a key is unknown or a value does not fit.
        """
        values = copy.deepcopy(self.base)
        own_family = values.get("model", {}).get("family")
        if settings.get("model.family", own_family) != own_family:  # which has other keys
            values["model"] = {}
        for key, value in settings.items():
            try:
                set_key(values, key, value)
            except TypeError as error:
                raise RecipeError(f"sweep {self.name}: {key[:100]}: {error}") from None
        return parse_recipe(values, where=self.recipe)

    def check(self) -> None:
        """Raise a RecipeError if any trial could not start; called before the first one starts.

        In a search, every choice and both ends of every range are checked, each together with the
        first value of the other settings.

        Raises:
            RecipeError: if a key is unknown or a value does not fit.
        """
        for name, settings in self.variants.items():
            try:
                self.recipe_for(settings)
            except RecipeError as error:
                raise RecipeError(f"variant {name}: {error}") from None
        if not self.variants:
            for settings in self.points() or self._corners():
                self.recipe_for(settings)

    def _corners(self) -> list[Settings]:
        """Return points of a search that together cover every choice and end of a range."""
        ends = {key: one.choices or (one.low, one.high) for key, one in self.search.items()}
        first = {key: values[0] for key, values in ends.items()}
        return [{**first, key: value} for key, values in ends.items() for value in values]
