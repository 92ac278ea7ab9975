"""Registries: built-in modules, plugins, and what is said of names that nobody has."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from mien.errors import MienError
from mien.recipes.families import FAMILIES
from mien.registry import Registry


def registry(monkeypatch, **plugins):
    found = [EntryPoint(name, value, "mien.tests") for name, value in plugins.items()]
    monkeypatch.setattr("mien.registry.entry_points", lambda **_: found)
    return Registry("thing", group="mien.tests", package="mien.recipes")


def test_built_in_names_are_those_of_the_modules_and_each_registers_itself():
    names = FAMILIES.names()
    assert {"stacked", "mien_net"} <= set(names)
    assert set(FAMILIES.all()) == set(names)


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
    with pytest.raises(MienError, match=r"thing 'recipe'.*built in"):
        things.names()


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
