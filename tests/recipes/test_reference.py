"""The reference of the settings, which the documentation holds."""

from __future__ import annotations

from pathlib import Path

from mien.recipes import Recipe
from mien.recipes.documentation import document
from mien.recipes.families import FAMILIES
from mien.recipes.reference import MARKER, recipe_reference
from mien.recipes.sections import Section

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "recipes.md"


def test_the_page_is_up_to_date():
    _, marker, generated = PAGE.read_text(encoding="utf-8").partition(MARKER)
    assert marker
    assert generated.strip() == recipe_reference().strip(), (
        "stale; run: python -m mien.recipes.reference docs/reference/recipes.md"
    )


def test_every_setting_is_documented():
    sections = [field.annotation for field in Recipe.model_fields.values()]
    sections = [one for one in sections if isinstance(one, type) and issubclass(one, Section)]
    sections += [network.section for network in FAMILIES.all().values()]
    undocumented = [
        f"{section.__name__}.{name}"
        for section in sections
        for name, text in document(section).items()
        if not text
    ]
    assert not undocumented
