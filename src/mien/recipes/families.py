"""The registry of network families, which recipes refer to by name.

A recipe's [model] names a family; the family's settings section is in the module of its network, in
`mien.models.families` or in an installed plugin, and is imported when a recipe is checked for
training. A recipe that is only read, such as that of a finished run, needs no torch: its [model]
stays untyped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ConfigDict, ValidationError

from mien.errors import RecipeError
from mien.recipes.explain import explain
from mien.recipes.sections import DEFAULT_FAMILY, ModelSection
from mien.registry import Registry


class UntypedModel(ModelSection):
    """A [model] section of any family, with the recorded values."""

    model_config = ConfigDict(extra="allow")


FAMILIES: Final[Registry[Any]] = Registry(
    "network family", group="mien.networks", package="mien.models.families"
)


def typed_section(values: ModelSection | Mapping[str, Any]) -> ModelSection:
    """Return a [model] section as the class of its family, with the family's defaults.

    Raises:
        RecipeError: if there is no such family, its plugin cannot be imported, or a value does not
            fit it.
    """
    if isinstance(values, ModelSection):
        family, plain = values.family, values.model_dump(exclude_unset=True)
    else:
        family, plain = str(values.get("family", DEFAULT_FAMILY)), dict(values)
    if family not in FAMILIES:
        raise RecipeError(f"model.family: {FAMILIES.unknown(family)}")
    kind: type[ModelSection] = FAMILIES[family].section
    if isinstance(values, kind):
        return values
    try:
        return kind.model_validate(plain)
    except ValidationError as error:
        raise RecipeError(
            explain(error.errors()[0], form=kind, prefix="model.", of=f" of the family {family}")
        ) from None


def with_family(values: Mapping[str, Any], family: str) -> ModelSection:
    """Return a [model] section of another family, with the settings that all families have.

    Args:
        values: plain data of a [model] section.
        family: name of the other family.

    Raises:
        RecipeError: if there is no such family.
    """
    common = {name: value for name, value in values.items() if name in ModelSection.model_fields}
    return typed_section({**common, "family": family})
