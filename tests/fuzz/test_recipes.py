"""Mutated recipes, sweeps and settings: read or refused with one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fuzz.harness import fuzz, memory_folder

WORDS = (
    *(b"[train]", b"[model]", b"[data]", b"[grid]", b"[search]", b"[variants.a]", b"[set]"),
    *(b"0x", b"1e400", b"nan", b"1979-05-27", b'"""', b"'''", b"\\u0000", b"{a={", b"[["),
)


def recipes_load(data: bytes) -> None:
    """Load a recipe file."""
    from mien.recipes import load_recipe

    path = memory_folder() / "fuzzed.toml"
    path.write_bytes(data)
    load_recipe(path)


def sweeps_load(data: bytes) -> None:
    """Load a sweep file."""
    from mien.sweeps.load import load_sweep

    path = memory_folder() / "fuzzed.toml"
    path.write_bytes(data)
    load_sweep(path)


def settings_parse(data: bytes) -> None:
    """Apply a setting of the command line to a recipe."""
    from mien.recipes import load_recipe

    load_recipe("quick", [data.decode(errors="surrogateescape")])


def _recipes() -> list[bytes]:
    from mien.recipes.recipe import SHIPPED

    return [(SHIPPED / f"{name}.toml").read_bytes() for name in ("quick", "mien-s")]


def _sweeps() -> list[bytes]:
    return [
        b'recipe = "quick"\n[grid]\n"train.lr" = [0.1, 0.01]\nmodel.dropout = [0, 0.5]\n',
        b'recipe = "quick"\n[search]\ntrain.lr = {low = 1e-4, high = 1e-2, log = true}\n',
        b'recipe = "quick"\n[set]\ntrain.epochs = 3\n[variants.wide]\nmodel.channels = [8, 8]\n',
    ]


SETTINGS = [b"train.epochs=5", b"model.channels=[8,16]", b"data.labels={numbering={0='a',1='b'}}"]


def test_recipes(tmp_path: Path) -> None:
    fuzz(recipes_load, _recipes(), tmp_path, words=WORDS)


def test_sweeps(tmp_path: Path) -> None:
    fuzz(sweeps_load, _sweeps(), tmp_path, words=WORDS)


def test_settings(tmp_path: Path) -> None:
    fuzz(settings_parse, SETTINGS, tmp_path, words=WORDS, max_bytes=256)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_recipes(tmp_path: Path) -> None:
    for target, seeds in ((recipes_load, _recipes()), (sweeps_load, _sweeps())):
        folder = tmp_path / target.__name__
        folder.mkdir()
        fuzz(target, seeds, folder, words=WORDS, seconds=0, runs=100_000)
