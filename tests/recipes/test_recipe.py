from __future__ import annotations

import pytest

from mien.errors import RecipeError
from mien.recipes import Recipe, list_recipes, load_recipe


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_loads_and_describes_itself(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description
    assert recipe.source.title


@pytest.mark.parametrize("name", list_recipes())
def test_plain_data_gives_the_same_recipe_back(name):
    recipe = load_recipe(name)
    assert Recipe.model_validate(recipe.as_dict()) == recipe


def test_overrides_are_applied_in_order_and_typed():
    recipe = load_recipe(
        "quick",
        ["train.epochs=5", "train.epochs=7", "model.channels=[8, 16]", "augment.flip=false",
         "train.schedule=plateau", "data.fractions=[0.7, 0.15, 0.15]"],
    )  # fmt: skip
    assert recipe.train.epochs == 7
    assert recipe.model.channels == (8, 16)
    assert recipe.augment.flip is False
    assert recipe.train.schedule == "plateau"
    assert recipe.data.fractions == (0.7, 0.15, 0.15)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.epoch=5", "unknown key 'train.epoch' (did you mean 'train.epochs'?)"),
        ("trian.epochs=5", "unknown key 'trian' (did you mean 'train'?)"),
        ("train.epochs=0", "train.epochs = 0: input should be greater than or equal to 1"),
        ("train.epochs=many", "train.epochs = 'many'"),
        ("train.lr=-1", "train.lr = -1"),
        ("model.channels=[]", "model.channels"),
        ("train.epochs", "expected KEY=VALUE"),
        ("name.first=x", "'name' is a value, not a section"),
        ("name=../elsewhere", "name = '../elsewhere': expected a valid file name"),
        ("train.lr=inf", "train.lr = inf"),
        ("data.seed=-1", "data.seed = -1"),
        ("model.dense=[100000000000]", "model.dense.0 = 100000000000"),
        ("train.batch_size=1", "train.batch_size = 1"),
        ("train.optimizer=sdg", "train.optimizer = 'sdg'"),
        (
            "model.family=staked",
            "model.family: no network family is called 'staked' (did you mean 'stacked'?)",
        ),
        ("model.stem=3", "unknown key 'model.stem'"),
        ("model.stages=6", "model.stages = 6"),
    ],
)
def test_what_does_not_fit_is_said(override, expected):
    with pytest.raises(RecipeError) as caught:
        load_recipe("quick", [override])
    assert expected in str(caught.value)


def test_a_recipe_can_be_any_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[train]\nepochs = 3\n[model]\nchannels = [8]\n")
    recipe = load_recipe(path)
    assert recipe.name == "mine"
    assert recipe.train.epochs == 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("quik", "did you mean 'quick'"),
        ("nowhere.toml", "cannot be read"),
        ("broken.toml", "is not valid TOML"),
    ],
)
def test_a_missing_or_broken_recipe_is_said(tmp_path, monkeypatch, name, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.toml").write_text("[train\nepochs=")
    with pytest.raises(RecipeError, match=expected):
        load_recipe(name)


def test_a_recipe_cannot_be_changed():
    recipe = load_recipe("quick")
    with pytest.raises(ValueError, match="frozen"):
        recipe.train.epochs = 3


@pytest.mark.parametrize(
    ("name", "override", "expected"),
    [
        ("densenet169", "model.normalization=unit", "published weights need RGB"),
        ("densenet169", "train.schedule=cosine", "schedule cosine would overrule them"),
        ("densenet169", "train.epochs=4", "frozen_epochs = 4 of 4 epochs leaves no epoch"),
        ("quick", "model.family=densenet", "unknown key 'model.channels' of the family densenet"),
        ("quick", "model=densenet", "model = 'densenet': expected a section with keys"),
        ("mien-s", "model.blocks=1,2", "model.blocks = '1,2': expected a list, in brackets"),
        (
            "bn-cnn",
            "data.fractions=[0.7,0.15,0.15]",
            "no train split to take val from; set validation_share to 0",
        ),
        ("inception-cnn", "model.channels=[4]", "model.channels.0 = 4"),
        ("densenet169", "model.channels=[4]", "unknown key 'model.channels'"),
    ],
)
def test_what_does_not_fit_another_family_is_said(name, override, expected):
    with pytest.raises(RecipeError) as caught:
        load_recipe(name, [override])
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_stages_cut_the_channels_or_repeat_the_last():
    def channels(stages):
        return load_recipe("deep-cnn", [f"model.stages={stages}"]).model.stage_channels

    assert channels(2) == (64, 64)
    assert channels(5) == (64, 64, 128, 128, 128)
    assert load_recipe("deep-cnn").model.stage_channels == (64, 64, 128, 128)


def test_every_seed_systems_recipe_says_where_it_is_from():
    sources = {name: load_recipe(name).source for name in list_recipes()}
    theirs = {name: source for name, source in sources.items() if source.title != "mien's own"}
    assert len(theirs) == 7
    for name, source in theirs.items():
        assert source.title
        assert source.deviations
        assert (
            load_recipe(name).data.validation_share == 0.1
        )  # choices on a tenth of train, never on val


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("distill.views=3", "there are none; name some in distill.teachers"),
        ("calibration.prior=0.5", "or do without: --set calibration.prior=0"),
        ("augment.mixup=0.01", "expected 0, or at least 0.05"),
        ("augment.crop_margin=[0.3]", r"expected two numbers, for example \[-0.1, 0.35\]"),
        (
            "augment={corruption=0.5,blur_px=0,noise_levels=0,jpeg_quality=0,low_resolution_px=0}",
            "corruption has nothing to do",
        ),
    ],
)
def test_settings_that_would_do_nothing_are_said(setting, said):
    with pytest.raises(RecipeError, match=said) as error:
        load_recipe("quick", [setting])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("setting", "labels"),
    [
        ("auto", "auto"),
        ("rafdb", "rafdb"),
        ("[bad, good]", "[bad, good]"),
        ('["bad", "good"]', ("bad", "good")),
        ("[1, 2, 3]", ("1", "2", "3")),
        ("bad,good", "bad,good"),
    ],
)
def test_labels_are_a_name_a_list_or_names_with_commas(setting, labels):
    recipe = load_recipe("quick", [f"data.labels={setting}"])
    assert recipe.data.labels == labels
    assert Recipe.model_validate(recipe.as_dict()) == recipe


def test_labels_are_a_table():
    table = "{names=['bad', 'good'], aliases={fine='good'}, numbering={1='bad', 2='good'}}"
    recipe = load_recipe("quick", [f"data.labels={table}"])
    assert recipe.data.load_options()["labels"]["numbering"] == {"1": "bad", "2": "good"}
    assert Recipe.model_validate(recipe.as_dict()) == recipe


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("rafd", "data.labels = 'rafd': no label set is called that .did you mean 'rafdb'"),
        ("7", "data.labels = 7: expected the name of a label set, a list or a table"),
        ("['a']", "only 'a', expected two classes or more"),
        ("['a', 'A']", "'A' is given twice"),
        ("{namez=['a', 'b']}", "no such key .did you mean 'names'"),
        ("{names=['a','b'],numbering={1='a',3='b'}}", "the numbering 1, 3 leaves a number out"),
        ("{names=['a','b'],aliases={a='b'}}", "'a' is a label, so it cannot be another spelling"),
    ],
)
def test_wrong_labels_are_one_clear_line(setting, said):
    with pytest.raises(RecipeError, match=said) as raised:
        load_recipe("quick", [f"data.labels={setting}"])
    assert "data.labels.str" not in str(raised.value)
    assert str(raised.value).count("labels =") <= 1


@pytest.mark.parametrize(
    "settings",
    [["augment.crop_px=64"], ["augment.corruption=0.5", "augment.low_resolution_px=64"]],
)
def test_augmentation_fits_into_the_crop(settings):
    with pytest.raises(RecipeError, match="= 64: the crops have 48 px"):
        load_recipe("quick", settings)
    assert load_recipe("quick", [*settings, "data.size_px=64"])
