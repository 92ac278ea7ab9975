"""The documentation of settings: the string below each field of a section."""

from __future__ import annotations

import ast
import inspect
import textwrap

from mien.recipes.sections import Section


def document(section: type[Section]) -> dict[str, str]:
    """Return the documentation of each field of a section by its name.

    A field without a string of its own takes that of the class from which the section inherits it.
    The strings are read from the source when they are needed, because reading them at import would
    slow every start.
    """
    documented: dict[str, str] = {}
    for base in reversed(section.__mro__):
        if issubclass(base, Section):
            documented |= _own(base)
    return {name: documented.get(name, "") for name in section.model_fields}


def _own(section: type[Section]) -> dict[str, str]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(definition, ast.ClassDef)
    pairs = zip(definition.body, definition.body[1:], strict=False)
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairs
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
