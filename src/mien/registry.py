"""Registries: implementations of one kind by name, built in or from installed plugins.

A built-in implementation is one module of a package, and its name is the module's. A plugin names
its implementations as entry points of the registry's group, for example in its ``pyproject.toml``:

    [project.entry-points."mien.detectors"]
    mine = "my_package.detector:MyDetector"

Names are known without importing anything; an implementation is imported when it is first used.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Generic, TypeVar

from mien.errors import MienError, nearest

T = TypeVar("T")
_Decorated = TypeVar("_Decorated")

# Modules of a registry's package that are no implementations themselves.
BASE: Final = "base"


class Registry(Generic[T]):
    """All implementations of one kind.

    Args:
        kind: what an implementation is called in messages, for example ``detector``.
        group: group of the entry points by which plugins add theirs.
        package: dotted name of the package whose modules are the built-in implementations. Modules
            whose names begin with an underscore, and ``base``, are none.
    """

    def __init__(self, kind: str, *, group: str, package: str) -> None:
        self.kind = kind
        self.group = group
        self.package = package
        self._registered: dict[str, T] = {}

    def register(self, name: str) -> Callable[[_Decorated], _Decorated]:
        """Return a decorator that registers a class or function of a built-in module by ``name``.

        The name has to be the module's. Plugins need no decorator: an entry point names theirs.
        """

        def add(implementation: _Decorated) -> _Decorated:
            self.add(name, implementation)  # type: ignore[arg-type]
            return implementation

        return add

    def add(self, name: str, implementation: T) -> None:
        """Register an implementation by name, for the time that this process runs.

        Raises:
            MienError: if another implementation has that name.
        """
        known = self._registered.get(name)
        if known is not None and known is not implementation:
            raise MienError(f"{self.kind} {name!r}: registered twice; give one another name")
        self._registered[name] = implementation

    def names(self) -> list[str]:
        """Return the names of all implementations, sorted."""
        return sorted({*self._built_in, *self._registered, *self._plugins})

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __getitem__(self, name: str) -> T:
        """Return the implementation of that name, imported now if it has not been.

        Raises:
            MienError: if there is none, or the plugin that has it cannot be imported.
        """
        if name in self._registered:
            return self._registered[name]
        if name in self._built_in:
            importlib.import_module(f"{self.package}.{name}")
            return self._registered[name]
        if name in self._plugins:
            self.add(name, self._load(self._plugins[name]))
            return self._registered[name]
        known = self.names()
        raise MienError(
            f"no {self.kind} is called {name!r}{nearest(name, known)}; there are: "
            f"{', '.join(known)}"
        )

    def all(self) -> dict[str, T]:
        """Return every implementation by name, sorted by it; all are imported."""
        return {name: self[name] for name in self.names()}

    @cached_property
    def _built_in(self) -> frozenset[str]:
        path = importlib.import_module(self.package).__path__
        names = {module.name for module in pkgutil.iter_modules(path)}
        return frozenset(name for name in names if name != BASE and not name.startswith("_"))

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        return {found.name: found for found in entry_points(group=self.group)}

    def _load(self, plugin: EntryPoint) -> T:
        try:
            implementation: T = plugin.load()
        except Exception as error:  # a plugin may raise whatever it likes
            package = plugin.dist.name if plugin.dist else plugin.value
            raise MienError(
                f"{self.kind} {plugin.name!r} of the installed package {package} cannot be "
                f"imported ({type(error).__name__}: {error}); mend or uninstall that package"
            ) from error
        return implementation
