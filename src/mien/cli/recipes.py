"""``mien recipes``: list recipes, sweeps and network families, or print one with documentation."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mien.cli.console import PlainTable, err, out, print_json
from mien.cli.options import JsonOption
from mien.errors import MienError, RecipeError, install_hint, nearest
from mien.io.text import plain_lines

if TYPE_CHECKING:
    from mien.recipes.sections import ModelSection, Section

_WIDTH: Final = 80
_DOTTED: Final = ("set", "grid", "search")  # the sections of a sweep that contain recipe keys
_SECTION: Final = re.compile(r"\[([\w.]+)\]")
_KEY: Final = re.compile(r"([\w.]+)\s*=")


def recipes(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Recipe or sweep to print; by default all are listed by name."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the recipes, sweeps and network families, or print a recipe with its documentation.

    Each setting of a printed recipe is explained by a comment above it. The output is TOML: save it
    under another name, change it, and train it with mien train FILE.toml.
    """
    if name is not None:
        if as_json:
            raise typer.BadParameter("only for the list; one recipe is TOML", param_hint="--json")
        print(plain_lines(_with_documentation(_find(name))))
        return
    from mien.recipes.recipe import list_recipes
    from mien.sweeps.load import list_sweeps

    found = {
        "recipes": {one: _description(_shipped(one)) for one in list_recipes()},
        "sweeps": {one: _description(_shipped(one)) for one in list_sweeps()},
        "families": _families(),
    }
    if as_json:
        print_json(found)
        return
    _say("Recipes; train one with mien train NAME", found["recipes"])
    _say("Sweeps; run one with mien sweep NAME", found["sweeps"])
    _say("Network families; a recipe chooses one by model.family", found["families"])
    err.print("Print a recipe with its documentation: mien recipes NAME", style="dim")


def _say(title: str, lines: dict[str, str]) -> None:
    table = PlainTable(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False
    )
    table.add_column(no_wrap=True)
    table.add_column()
    for name, line in lines.items():
        table.add_row(name, line)
    table.show_header = False
    out.print(table)
    out.print()


def _shipped(name: str) -> Path:
    """Return the file of a recipe or sweep that comes with mien; it may not exist."""
    from mien.recipes.recipe import SHIPPED as RECIPES
    from mien.sweeps.load import SHIPPED as SWEEPS

    paths = [folder / f"{name}.toml" for folder in (RECIPES, SWEEPS)]
    return next((path for path in paths if path.is_file()), paths[0])


def _find(name: str) -> Path:
    from mien.recipes.recipe import list_recipes
    from mien.sweeps.load import list_sweeps

    path = Path(name) if name.endswith(".toml") else _shipped(name)
    if not path.is_file():
        known = [*list_recipes(), *list_sweeps()]
        raise RecipeError(
            f"no recipe or sweep is called {name!r}{nearest(name, known)}; there are: "
            f"{', '.join(known)}; or give the path of a .toml file"
        )
    return path


def _description(path: Path) -> str:
    from mien.recipes.recipe import read_toml

    return str(read_toml(path).get("description", ""))


def _families() -> dict[str, str]:
    """Return one line about each network family, from the docstring of its settings section."""
    from mien.recipes.families import FAMILIES

    lines = {}
    for name in FAMILIES.names():
        try:
            line = (FAMILIES[name].section.__doc__ or "").strip().partition("\n")[0]
            lines[name] = line.replace("``", "")
        except MienError as error:  # of an installed plugin
            lines[name] = str(error)
        except ModuleNotFoundError as error:
            lines[name] = f"needs {error.name}, which is not installed: {install_hint(error.name)}"
    return lines


def _with_documentation(path: Path) -> str:
    """Return the TOML of a recipe or sweep, with a comment about each setting above it."""
    from mien.recipes.recipe import Recipe, read_toml
    from mien.recipes.sections import DEFAULT_FAMILY
    from mien.sweeps.spec import Sweep

    values = read_toml(path)
    form: type[Section] = Recipe
    if "recipe" in values:
        recipe = str(values["recipe"])
        beside = path.parent / recipe  # where a sweep keeps a recipe file of its own
        form, values = Sweep, read_toml(beside if recipe.endswith(".toml") else _find(recipe))
    model = _model_section(values.get("model", {}).get("family", DEFAULT_FAMILY))
    lines: list[str] = []
    section: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        documented = ""
        if found := _SECTION.match(line):
            section = found[1].split(".")
            documented = _documentation(form, section, model)
        elif found := _KEY.match(line):
            documented = _documentation(form, [*section, *found[1].split(".")], model)
        if documented:
            text = " ".join(documented.split()).replace("``", "`")
            lines += textwrap.wrap(
                text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
            )
        lines.append(line)
    return "\n".join(lines)


def _documentation(form: type[Section], keys: list[str], model: type[ModelSection]) -> str:
    """Return the documentation of a section or a setting; empty if there is none.

    Args:
        form: class of the recipe, the sweep or the section that contains the first key.
        keys: parts of the dotted key.
        model: class of the recipe's [model] section.
    """
    from mien.recipes.documentation import document
    from mien.recipes.recipe import Recipe
    from mien.recipes.sections import Section
    from mien.sweeps.spec import Sweep

    key, *rest = keys
    if rest and form is Sweep and key in _DOTTED:
        return _documentation(Recipe, rest, model)
    field = form.model_fields.get(key)
    if field is None:
        return ""
    inside: Any = model if (form, key) == (Recipe, "model") else field.annotation
    is_section = isinstance(inside, type) and issubclass(inside, Section)
    if rest:
        return _documentation(inside, rest, model) if is_section else ""
    return document(form)[key] or (inside.__doc__ if is_section else "") or ""


def _model_section(family: str) -> type[ModelSection]:
    """Return the class of a family's [model] section; the common one without torch."""
    from mien.recipes.families import FAMILIES
    from mien.recipes.sections import ModelSection

    try:
        section: type[ModelSection] = FAMILIES[family].section
    except (MienError, ModuleNotFoundError):
        return ModelSection
    return section
