"""Sweeps as data: shipped ones, files, and grids from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.errors import RecipeError
from mien.sweeps.load import list_sweeps, load_sweep
from mien.sweeps.spec import Sweep

PLANS = sorted((Path(__file__).parents[2] / "benchmarks" / "plans").glob("*.toml"))


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
    recipe = sweep.recipe_for({"train.lr": 0.01})
    assert (recipe.train.epochs, recipe.train.seed, recipe.train.lr) == (1, 4, 0.01)
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
        ("quick", {}, "quick: a recipe; name settings to try"),
        ("quick", {"grid": ["model.stagges=2"]}, "unknown key 'model.stagges' of the family"),
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
        ("quick", {"search": ["train.optimizer=adam,sdg"]}, "train.optimizer = 'sdg'"),
        ("quick", {"search": ["train.label_smoothing=0.1..1.5"]}, "train.label_smoothing = 1.5"),
        ("quick", {"grid": ["data.seed=0,1"]}, "data.seed would give the trials different"),
        ("quick", {"grid": ["train.lr=1,2"], "trials": 3}, "--trials: only for a search"),
        ("quick", {"grid": ["train.lr.low=1,2"]}, "'lr' is a value, not a section"),
        ("quick", {"grid": ["train.lr=1", "train.lr=2"]}, "train.lr=2: train.lr is named twice"),
        ("quick", {"search": ["train.lr=1..2", "train.lr=2..3"]}, "train.lr is named twice"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_before_anything_is_trained(name, options, said):
    with pytest.raises(RecipeError) as error:
        load_sweep(name, **options)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('recipe = "quick"\ngrid = 3', "grid: expected a section"),
        ('recipe = "quick"\nset = ["train.epochs=8"]', "set: expected a section"),
        ("[grid]\ntrain.lr = [1, 2]", "expected recipe = NAME or FILE"),
        (
            'recipe = "quick"\n[grid]\ntrain.lr = [1]\n[search]\ntrain.lr = { low = 1, high = 2 }',
            "exactly one of [grid], [search] and [variants], found [grid] and [search]",
        ),
        (
            'recipe = "quick"\n[grid]\ntrain.lr = [1]\n[variants.baseline]',
            "exactly one of [grid], [search] and [variants], found [grid] and [variants]",
        ),
        ('recipe = "quick"\n[variants]', "name settings to try"),
        ('recipe = "quick"\n[variants]\nslow = 3', "variants.slow: expected a section of settings"),
        ("[variants.baseline]", "expected recipe = NAME or FILE"),
        ('recipe = "quick"\n[variants."a/b"]', "variants.a/b = 'a/b': expected a valid file name"),
        (
            'recipe = "quick"\n[variants.other]\ndata.seed = 1',
            "data.seed would give the trials different validation images",
        ),
        (
            'recipe = "quick"\n[variants.a]\n[variants.b]\ntrain.epoch = 1',
            "variant b: recipe quick: unknown key 'train.epoch' (did you mean",
        ),
        ('recipe = "quick"\ntrails = 3\n[grid]\ntrain.lr = [1]', "did you mean 'trials'?"),
        ('recipe = "quick"\n[search]\ntrain.lr = { low = "a" }', "search.train.lr.low = 'a'"),
        ('recipe = "quick"\n[grid]\ntrain.lr = []', "grid.train.lr = []"),
        (
            'recipe = "quick"\nname = "a/b"\n[grid]\ntrain.lr = [1]',
            "name = 'a/b': expected a valid file name",
        ),
        ('recipe = "gone.toml"\n[grid]\ntrain.lr = [1]', "gone.toml: cannot be read"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RecipeError) as error:
        load_sweep(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


VARIANTS = """
recipe = "quick"
[set]
train.epochs = 2
[variants.baseline]
[variants.slow-and-long]
train.lr = 1e-4
train.epochs = 5
[variants.wide.model]
channels = [64, 128]
[variants]
seeded = { train.seed = 7 }
"""


def test_variants_are_trials_with_names_and_settings_of_their_own(tmp_path):
    (tmp_path / "mine.toml").write_text(VARIANTS)
    sweep = load_sweep(tmp_path / "mine.toml", overrides=["train.batch_size=16"])
    assert sweep.names() == ["baseline", "slow-and-long", "wide", "seeded"]
    assert sweep.points() == [
        {},
        {"train.lr": 1e-4, "train.epochs": 5},
        {"model.channels": [64, 128]},
        {"train.seed": 7},
    ]
    assert sweep.keys == ("train.lr", "train.epochs", "model.channels", "train.seed")
    recipes = [sweep.recipe_for(settings) for settings in sweep.points()]
    assert [recipe.train.epochs for recipe in recipes] == [2, 5, 2, 2]
    assert {recipe.train.batch_size for recipe in recipes} == {16}
    assert Sweep.model_validate_json(sweep.model_dump_json()) == sweep


def test_a_setting_that_a_variant_leaves_has_the_value_of_the_base(tmp_path):
    (tmp_path / "mine.toml").write_text(VARIANTS)
    sweep = load_sweep(tmp_path / "mine.toml")
    assert [sweep.value(one, "train.epochs") for one in sweep.points()] == [2, 5, 2, 2]
    assert sweep.value({}, "model.stages") is None
    assert sweep.value({}, "nothing.of.the.kind") is None


@pytest.mark.parametrize("options", [{"grid": ["train.lr=1,2"]}, {"search": ["train.lr=1..2"]}])
def test_variants_cannot_be_combined_with_a_grid(tmp_path, options):
    (tmp_path / "mine.toml").write_text(VARIANTS)
    with pytest.raises(
        RecipeError, match=f"has variants of its own; leave --{next(iter(options))} out"
    ):
        load_sweep(tmp_path / "mine.toml", **options)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_plan_is_a_sweep_of_variants_that_says_how_it_is_run(path):
    sweep = load_sweep(path)  # which checks all of them; teachers need not be there yet
    assert len(sweep.variants) >= 2
    assert sweep.description
    assert f"#     python benchmarks/plan.py benchmarks/plans/{path.name} " in path.read_text()


def test_there_are_plans():
    assert PLANS


def test_a_sweep_keeps_its_recipe_whatever_becomes_of_the_file(tmp_path):
    recipe = tmp_path / "base.toml"
    recipe.write_text("[train]\nepochs = 3\n")
    (tmp_path / "sweep.toml").write_text('recipe = "base.toml"\n[grid]\ntrain.lr = [1, 2]\n')
    sweep = load_sweep(tmp_path / "sweep.toml")
    recipe.unlink()
    assert sweep.recipe_for(sweep.points()[1]).train.epochs == 3
    assert sweep.recipe == "base"
