"""Names that a package imports on first use, so that importing the package stays fast."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package that imports its public names on first use.

    Args:
        package: name of the package, ``__name__``.
        modules: for each public name, the dotted name of the module that defines it, or of the
            module that is the value itself: ``{"sinks": "mien.sinks"}``. A colon divides the module
            from another name that the value has there: ``{"draw": "mien.vision:draw_readings"}``.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module_name, _, attribute = modules[name].partition(":")
        module = import_module(module_name)
        is_module = module_name == f"{package}.{name}"
        value = module if is_module else getattr(module, attribute or name)
        setattr(sys.modules[package], name, value)
        return value

    return get
