"""Explain in one line which value of a recipe or a sweep is wrong, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from mien.errors import nearest


def explain(error: ErrorDetails, *, form: type[BaseModel], prefix: str = "", of: str = "") -> str:
    """Return one line that names the wrong value and the expected one.

    Args:
        error: first error of a failed validation.
        form: class that was validated; its keys are suggested for an unknown one.
        prefix: dotted prefix of the validated keys, for example ``model.``.
        of: description of the section for an unknown key, for example `` of the family densenet``.
    """
    location = [str(part) for part in error["loc"] if part not in ("int", "float")]
    key = prefix + ".".join(location)
    if error["type"] == "extra_forbidden":
        known = (prefix + name for name in _keys(form))
        return f"unknown key {key!r}{of}{nearest(key, known)}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] in ("model_type", "dict_type"):
        message = "expected a section with keys"
    if error["type"] == "tuple_type":
        message = "expected a list, in brackets, for example [64, 128]"
    if error["type"] == "missing" and location[-1].isdigit():  # of a pair
        pair = prefix + ".".join(location[:-1])
        return f"{pair}: expected two numbers, for example [-0.1, 0.35]"
    shown = "" if isinstance(error["input"], Mapping) else f" = {error['input']!r}"[:60]
    named = f"{key.rstrip('.')}{shown}: " if key or shown else ""
    return f"{named}{message[0].lower()}{message[1:]}"


def _keys(form: type[BaseModel]) -> Iterable[str]:
    """Yield the keys of a form; the keys of its sections are dotted."""
    for name, field in form.model_fields.items():
        yield name
        section: Any = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from (f"{name}.{key}" for key in section.model_fields)
