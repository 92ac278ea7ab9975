"""``mien recipes``: what there is to train, and what each of its settings means."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mien.recipes.families import FAMILIES
from mien.recipes.recipe import list_recipes, load_recipe
from mien.sweeps.load import list_sweeps, load_sweep

SRC = Path(__file__).parents[2] / "src" / "mien"


def test_everything_is_listed_with_a_line(mien):
    found = json.loads(mien("recipes", "--json").out)
    assert list(found["recipes"]) == list_recipes()
    assert list(found["sweeps"]) == list_sweeps()
    assert list(found["families"]) == FAMILIES.names()
    assert found["recipes"]["quick"] == load_recipe("quick").description
    assert all(line for lines in found.values() for line in lines.values())
    shown = mien("recipes")
    assert max(map(len, shown.out.splitlines())) <= 80
    for lines in found.values():
        for name, line in lines.items():
            assert f"{name} " in shown.out
            assert " ".join(line.split()[:4]) in " ".join(shown.out.split())


@pytest.mark.parametrize("name", list_recipes())
def test_a_printed_recipe_is_the_same_recipe_with_a_comment_above_each_setting(mien, name):
    outcome = mien("recipes", name)
    shipped = (SRC / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    assert tomllib.loads(outcome.out) == tomllib.loads(shipped)
    lines = outcome.out.splitlines()
    assert [line for line in lines if line not in shipped.splitlines()]
    for before, line in zip(["", *lines], lines, strict=False):
        if "=" in line and not line.startswith(("#", " ", "reported")):
            assert before.startswith("# "), line


def test_a_sweep_is_printed_with_the_documentation_of_what_it_sets(mien, tmp_path):
    outcome = mien("recipes", "sweep-width")
    assert "# Number of epochs.\ntrain.epochs = 8" in outcome.out
    assert tomllib.loads(outcome.out)["recipe"] == load_sweep("sweep-width").recipe
    (tmp_path / "base.toml").write_text('[model]\nfamily = "mien_net"\n')
    (tmp_path / "mine.toml").write_text('recipe = "base.toml"\n[grid]\nmodel.stem = [8, 16]\n')
    outcome = mien("recipes", tmp_path / "mine.toml")
    assert "# Number of channels of the first convolution.\nmodel.stem" in outcome.out


def test_without_torch_families_say_what_to_install():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "sys.argv = ['mien', 'recipes', *sys.argv[1:]]\n"
        "from mien.cli.main import main\nmain()"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    families = json.loads(done.stdout)["families"]
    assert set(families) == set(FAMILIES.names())
    for line in families.values():
        assert line == "needs torch, which is not installed: pip install 'mien[train]'"
    done = subprocess.run([*command, "quick"], capture_output=True, text=True, check=True)
    assert "# Number of epochs.\nepochs = 24" in done.stdout
