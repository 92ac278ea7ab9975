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
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final, Generic, TypeVar

from mien.errors import MienError, nearest

T = TypeVar("T")
_Decorated = TypeVar("_Decorated")

# Modules of a registry's package that are not implementations.
BASE: Final = "base"


class Registry(Generic[T]):
    """All implementations of one kind.

    Args:
        kind: name of the kind in messages, for example ``detector``.
        group: group of the entry points by which plugins add theirs.
        package: dotted name of the package whose modules are the built-in implementations. Modules
            whose names begin with an underscore, and ``base``, are not implementations.
        base: class that every implementation is a subclass of; None if any object will do.
        elsewhere: further built-in implementations by name, for those that have to lie in a higher
            layer: their modules' dotted names.
    """

    def __init__(
        self,
        kind: str,
        *,
        group: str,
        package: str,
        base: type | None = None,
        elsewhere: Mapping[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self.base = base
        self.group = group
        self.package = package
        self._elsewhere = dict(elsewhere or {})
        self._registered: dict[str, T] = {}
        self._ambiguous: dict[str, str] = {}  # names that two packages give, with both

    def register(self, name: str) -> Callable[[_Decorated], _Decorated]:
        """Return a decorator that registers a class or function of a built-in module by ``name``.

        It must be the name of the module. Plugins need no decorator: an entry point names theirs.
        """

        def add(implementation: _Decorated) -> _Decorated:
            self.add(name, implementation)  # type: ignore[arg-type]
            return implementation

        return add

    def add(self, name: str, implementation: T, *, replace: bool = False) -> None:
        """Register an implementation by name, until this process ends.

        Args:
            name: name of the implementation.
            implementation: implementation to register.
            replace: whether it may replace another implementation of that name.

        Raises:
            MienError: if another implementation has that name, unless it is replaced.
        """
        is_class = isinstance(implementation, type)
        if self.base and not (is_class and issubclass(implementation, self.base)):  # type: ignore[arg-type]
            raise MienError(
                f"{self.kind} {name!r}: {implementation!r:.80} is not a subclass of "
                f"{self.base.__module__}.{self.base.__qualname__}"
            )
        known = self._registered.get(name)
        if known is not None and known is not implementation and not replace:
            raise MienError(f"{self.kind} {name!r}: registered twice; give one another name")
        self._registered[name] = implementation

    def names(self) -> list[str]:
        """Return the names of all implementations, sorted."""
        return sorted({*self._built_in, *self._registered, *self._plugins})

    def __contains__(self, name: object) -> bool:
        return name in self._registered or name in self._built_in or name in self._plugins

    def __getitem__(self, name: str) -> T:
        """Return the implementation of that name, importing it if necessary.

        Raises:
            MienError: if there is none, or the plugin that has it cannot be imported.
        """
        if name in self._registered:
            return self._registered[name]
        if name in self._built_in:
            module = self._elsewhere.get(name, f"{self.package}.{name}")
            importlib.import_module(module)
            if name not in self._registered:
                raise MienError(
                    f"{self.kind} {name!r}: the module {module} registers nothing of that name; "
                    f'write the decorator register("{name}") of its registry above the class'
                )
            return self._registered[name]
        if name in self._plugins:
            if name in self._ambiguous:
                raise MienError(
                    f"{self.kind} {name!r}: two installed packages, {self._ambiguous[name]}, give "
                    "that name; uninstall one of them"
                )
            self.add(name, self._load(self._plugins[name]))
            return self._registered[name]
        raise MienError(self.unknown(name))

    def unknown(self, name: str) -> str:
        """Return a message that nothing has this name, with the nearest known name."""
        known = self.names()
        return (
            f"no {self.kind} is called {name!r}{nearest(name, known)}; there are: "
            f"{', '.join(known)}"
        )

    def is_plugin(self, name: str) -> bool:
        """Return whether an implementation comes from an installed plugin."""
        return name in self._plugins

    def origin(self, name: str) -> str:
        """Return the package and version that an implementation comes from; empty for mien's."""
        plugin = self._plugins.get(name)
        if plugin is None:
            return ""
        return f"{_package(plugin)} {plugin.dist.version if plugin.dist else ''}"

    def all(self) -> dict[str, T]:
        """Return every implementation by name, in the order of the names; all are imported."""
        return {name: self[name] for name in self.names()}

    @cached_property
    def _built_in(self) -> frozenset[str]:
        # By the path of the top package: importing a package in between may need torch.
        top, *inner = self.package.split(".")
        folders = [Path(root, *inner) for root in importlib.import_module(top).__path__]
        names = {module.name for module in pkgutil.iter_modules(map(str, folders))}
        found = {name for name in names if name != BASE and not name.startswith("_")}
        return frozenset(found | self._elsewhere.keys())

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        plugins: dict[str, EntryPoint] = {}
        for found in entry_points(group=self.group):
            first = plugins.setdefault(found.name, found)
            if first.value != found.value:
                self._ambiguous[found.name] = f"{_package(first)} and {_package(found)}"
        for name in plugins.keys() & self._built_in:
            raise MienError(
                f"{self.kind} {name!r}: the installed package {_package(plugins[name])} gives "
                f"that name to another {self.kind} than the built-in one; rename it there, or "
                "uninstall that package"
            )
        return plugins

    def _load(self, plugin: EntryPoint) -> T:
        _packages[plugin.module.partition(".")[0]] = _package(plugin)
        try:
            implementation: T = plugin.load()
        except Exception as error:  # a plugin may raise any exception
            raise MienError(
                f"{self.kind} {plugin.name!r} of the installed package {_package(plugin)} cannot "
                f"be imported ({in_a_line(error)}); fix or uninstall that package"
            ) from error
        return implementation


# The distribution of each plugin that was loaded, by the name of its top package.
_packages: dict[str, str] = {}


def plugin_at_fault(error: BaseException) -> str:
    """Return one line that names the plugin whose code raised an error; empty if none did."""
    trace = error.__traceback__
    while trace is not None:
        top = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if top in _packages:
            return (
                f"the installed package {_packages[top]} failed ({in_a_line(error)}); fix or "
                "uninstall that package"
            )
        trace = trace.tb_next
    return ""


def in_a_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of its message."""
    first = (str(error).splitlines() or [""])[0][:100]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _package(plugin: EntryPoint) -> str:
    return plugin.dist.name if plugin.dist else plugin.value
