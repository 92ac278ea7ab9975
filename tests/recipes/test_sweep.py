"""Sweeps as data: shipped ones, files, and grids from the command line."""

from __future__ import annotations

import pytest

from mien.errors import RecipeError
from mien.recipes.sweep import list_sweeps, load_sweep


@pytest.mark.parametrize("name", list_sweeps())
def test_every_shipped_sweep_loads_and_says_where_it_is_from(name):
    sweep = load_sweep(name)
    assert sweep.description
    assert sweep.source.title
    recipes = [sweep.recipe_for(settings) for settings in sweep.points()]
    assert len(recipes) >= 4
    assert len({recipe.model for recipe in recipes}) == len(recipes)  # each trial another network


def test_the_stages_are_those_of_the_published_search():
    sweep = load_sweep("sweep-stages")
    models = [sweep.recipe_for(settings).model for settings in sweep.points()]
    assert [model.stage_channels for model in models] == [(64,) * n for n in (2, 3, 4, 5)]
    assert {model.dense for model in models} == {(128, 128)}


def test_a_grid_is_every_combination_the_last_changing_fastest():
    sweep = load_sweep("quick", grid=["model.stages=2,3", "train.optimizer=adam,sgd"])
    assert sweep.points() == [
        {"model.stages": 2, "train.optimizer": "adam"},
        {"model.stages": 2, "train.optimizer": "sgd"},
        {"model.stages": 3, "train.optimizer": "adam"},
        {"model.stages": 3, "train.optimizer": "sgd"},
    ]


def test_lists_stand_in_brackets():
    sweep = load_sweep("quick", grid=["model.dense=[],[64],[64,32]"], overrides=["train.epochs=2"])
    recipes = [sweep.recipe_for(settings) for settings in sweep.points()]
    assert [recipe.model.dense for recipe in recipes] == [(), (64,), (64, 32)]
    assert {recipe.train.epochs for recipe in recipes} == {2}


def test_a_sweep_can_be_any_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'recipe = "quick"\ntrials = 7\n[set]\ntrain.epochs = 1\n'
        "[search]\ntrain.lr = { low = 1e-3, high = 0.1, log = true }\n"
        'train.optimizer = { choices = ["sgd", "adam"] }\n'
    )
    sweep = load_sweep(path, overrides=["train.seed=4"])
    assert (sweep.name, sweep.trials, sweep.points()) == ("mine", 7, [])
    assert sweep.set == {"train.epochs": 1, "train.seed": 4}
    assert sweep.search["train.lr"].log
    assert sweep.search["train.optimizer"].choices == ("sgd", "adam")


def test_a_range_from_the_command_line():
    sweep = load_sweep("quick", search=["train.lr=1e-3..1e-1:log", "train.epochs=1..3"], trials=4)
    assert sweep.search["train.lr"].log
    assert (sweep.search["train.epochs"].low, sweep.search["train.epochs"].high) == (1, 3)
    assert sweep.trials == 4


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("sweep-stage", {}, "no sweep or recipe is called 'sweep-stage' (did you mean"),
        ("quick", {}, "quick: a recipe; say what to try of it"),
        ("quick", {"grid": ["model.stagges=2"]}, "unknown key 'model.stagges' (did you mean"),
        ("quick", {"grid": ["model.stages=2,9"]}, "model.stages = 9: input should be less"),
        ("quick", {"grid": ["model.stages"]}, "expected KEY=VALUES"),
        ("quick", {"grid": ["model.stages="]}, "expected KEY=VALUES"),
        ("quick", {"search": ["train.lr=0.1..0.01"]}, "expected low < high"),
        ("quick", {"search": ["train.lr=0..0.1:log"]}, "a logarithmic range begins above 0"),
        ("quick", {"search": ["train.lr=1..2:cube"]}, "expected LOW..HIGH or LOW..HIGH:log"),
        ("quick", {"search": ["train.rate=0..1"]}, "unknown key 'train.rate'"),
        ("quick", {"grid": ["train.lr=1"], "search": ["train.lr=1..2"]}, "a grid or a search"),
        ("sweep-stages", {"search": ["train.lr=1..2"]}, "a grid or a search"),
        ("quick", {"grid": ["train.lr=1"], "overrides": ["train.epoch=1"]}, "'train.epoch'"),
        ("nowhere.toml", {}, "nowhere.toml: cannot be read"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_before_anything_is_trained(name, options, said):
    with pytest.raises(RecipeError) as error:
        load_sweep(name, **options)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
