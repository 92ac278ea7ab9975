"""Registries: built-in modules, plugins, and what is said of names that nobody has."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from mien.errors import MienError
from mien.recipes.families import FAMILIES
from mien.registry import Registry, plugin_at_fault


def registry(monkeypatch, **plugins):
    found = [EntryPoint(name, value, "mien.tests") for name, value in plugins.items()]
    monkeypatch.setattr("mien.registry.entry_points", lambda **_: found)
    return Registry("thing", group="mien.tests", package="mien.recipes")


def test_built_in_names_are_those_of_the_modules_and_each_registers_itself():
    names = FAMILIES.names()
    assert {"stacked", "mien_net"} <= set(names)
    assert set(FAMILIES.all()) == set(names)


def test_a_module_that_registers_nothing_says_what_it_lacks(monkeypatch):
    things = registry(monkeypatch)
    with pytest.raises(MienError, match=r"mien\.recipes\.explain .* register\(\"explain\"\)"):
        things["explain"]


def test_a_plugin_is_found_by_its_entry_point(monkeypatch):
    things = registry(monkeypatch, mine="fractions:Fraction")
    assert "mine" in things
    from fractions import Fraction

    assert things["mine"] is Fraction


def test_a_plugin_that_cannot_be_imported_is_named(monkeypatch):
    things = registry(monkeypatch, broken="no_such_module:Thing")
    with pytest.raises(MienError, match=r"thing 'broken' .*no_such_module.*uninstall"):
        things["broken"]


def test_a_plugin_may_not_take_a_built_in_name(monkeypatch):
    things = registry(monkeypatch, recipe="fractions:Fraction")
    with pytest.raises(MienError, match=r"thing 'recipe'.*built-in"):
        things.names()


def test_a_name_that_two_packages_give_is_refused_when_it_is_used(monkeypatch):
    points = [
        EntryPoint("mine", value, "mien.tests") for value in ("fractions:Fraction", "ast:AST")
    ]
    monkeypatch.setattr("mien.registry.entry_points", lambda **_: points)
    things = Registry("thing", group="mien.tests", package="mien.recipes")
    assert "mine" in things.names()  # the others can be used
    with pytest.raises(MienError, match=r"thing 'mine': two installed packages, .* and .*, give"):
        things["mine"]


def test_an_unknown_name_offers_the_nearest(monkeypatch):
    things = registry(monkeypatch)
    with pytest.raises(MienError, match=r"'recipes' \(did you mean 'recipe'\?\)"):
        things["recipes"]


def test_two_implementations_of_one_name_are_refused(monkeypatch):
    things = registry(monkeypatch)
    things.add("own", 1)
    things.add("own", 1)
    with pytest.raises(MienError, match="registered twice"):
        things.add("own", 2)


def test_what_is_of_another_class_is_refused():
    things = Registry("thing", group="mien.tests", package="mien.recipes", base=int)
    things.add("yes", bool)
    with pytest.raises(MienError, match=r"thing 'no': .*str.* is not a subclass of builtins\.int"):
        things.add("no", str)


def test_an_error_in_a_plugins_code_names_its_package(monkeypatch):
    things = registry(monkeypatch, mine="fractions:Fraction")
    with pytest.raises(ZeroDivisionError) as raised:
        things["mine"](1, 0)
    assert plugin_at_fault(raised.value) == (
        "the installed package fractions:Fraction failed (ZeroDivisionError: Fraction(1, 0)); fix "
        "or uninstall that package"
    )
    with pytest.raises(KeyError) as raised:
        {}["nothing"]
    assert plugin_at_fault(raised.value) == ""
