"""TOML files from elsewhere: any bytes end in a recipe or in one line, and soon."""

from __future__ import annotations

import time

import pytest

from mien.errors import MienError, RecipeError
from mien.recipes import load_recipe
from mien.recipes.recipe import parse_value
from mien.sweeps.load import load_sweep

DEEP = 100_000

FILES = {
    "an integer of 5,000 digits": "[train]\nepochs = " + "9" * 5_000,
    "a hexadecimal integer": "[train]\nepochs = 0x" + "f" * 20_000,
    "nested lists": "a = " + "[" * 5_000 + "]" * 5_000,
    "nested tables": "a = " + "{a = " * 3_000 + "1" + "}" * 3_000,
    "a key of many parts": ".".join("a" * DEEP) + " = 1",
    "a quoted key of many parts": "model." + ".".join(['"a b"'] * 20_000) + " = 1",
    "a section of many parts": "[model." + ".".join("a" * DEEP) + "]",
    "an inline key of many parts": "model = {" + ".".join("a" * DEEP) + " = 1}",
    "a date": "[train]\nepochs = 1979-05-27",
    "a time": "name = 12:30:00",
    "not a number": "[train]\nlr = nan",
    "infinity": "[model]\ndropout = inf",
    "Latin-1": "name = 'caf\xe9'".encode("latin-1"),
    "a null character": 'name = "a\\u0000b"',
    "weights with a null character": '[model]\nweights = "a\\u0000b"',
    "weights of a long name": f'[model]\nweights = "{"x" * 5_000}"',
    "teachers with a null character": '[distill]\nteachers = ["a\\u0000b"]',
    "a long name": f'name = "{"x" * 300}"',
    "a large file": "# " + "x" * 10_000_000,
    "a recipe that is no text": "recipe = 3\n[grid]\na = [1]",
    "a recipe with a null character": 'recipe = "a\\u0000.toml"\n[grid]\na = [1]',
    "a recipe of a long name": f'recipe = "{"x" * 300}.toml"\n[grid]\na = [1]',
    "a date for all trials": "recipe = 'quick'\n[set]\nname = 1979-05-27\n[grid]\n'train.lr' = [1]",
    "a date to try": "recipe = 'quick'\n[grid]\n'train.lr' = [1979-05-27]",
    "a setting of many parts": f"recipe = 'quick'\n[grid]\n'{'.'.join('a' * DEEP)}' = [1]",
    "billions of trials": "recipe = 'quick'\n[grid]\n"
    + "\n".join(f"'{key}' = {list(range(1, 2_000))}" for key in ("train.epochs", "train.seed"))
    + f"\n'train.lr' = {[1] * 2_000}",
}


@pytest.mark.parametrize("load", [load_recipe, load_sweep])
@pytest.mark.parametrize("case", FILES)
def test_one_line_soon(case, load, tmp_path):
    path, content = tmp_path / "a.toml", FILES[case]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    began = time.process_time()
    with pytest.raises(MienError) as caught:
        load(path)
    assert time.process_time() - began < 5
    assert len(str(caught.value)) < 700
    assert "\n" not in str(caught.value)


def test_what_is_wrong_and_how_to_mend_it(tmp_path, monkeypatch):
    path = tmp_path / "a.toml"
    path.write_text("# " + "x" * 300_000)
    with pytest.raises(RecipeError, match=r"more than 256 kB .*MIEN_MAX_RECIPE_KB"):
        load_recipe(path)
    monkeypatch.setenv("MIEN_MAX_RECIPE_KB", "400")
    assert load_recipe(path).name == "a"
    path.write_text("[train]\nepochs = 99999999999999999999")
    with pytest.raises(RecipeError, match="99999999999999999999: expected an integer of 64 bits"):
        load_recipe(path)
    path.write_text(FILES["a key of many parts"])
    with pytest.raises(RecipeError, match="line 1 has 99,999 dots, expected at most 256"):
        load_recipe(path)
    path.write_text("a = " + "[" * 50 + "]" * 50)
    with pytest.raises(RecipeError, match="is nested deeper than 32 levels"):
        load_recipe(path)
    path.write_text(FILES["billions of trials"])
    with pytest.raises(RecipeError, match=r"7,992,002,000 trials, expected at most 10,000"):
        load_sweep(path)


def test_a_file_that_cannot_be_read(tmp_path):
    for name in ("nowhere.toml", "x" * 300 + ".toml", "a\0b.toml"):
        with pytest.raises(RecipeError, match="cannot be read"):
            load_recipe(tmp_path / name)
        with pytest.raises(RecipeError, match="cannot be read"):
            load_sweep(tmp_path / name)
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(RecipeError, match="not a file"):
        load_recipe(tmp_path / "folder.toml")
    for load in (load_recipe, load_sweep):
        with pytest.raises(RecipeError, match="is called"):
            load("x" * 300)


@pytest.mark.parametrize("text", ["9" * 5_000, "[" * 5_000, "0x" + "f" * 5_000, "1979-05-27"])
def test_a_value_that_is_no_setting_is_text(text):
    assert parse_value(text) == text


@pytest.mark.parametrize(
    "setting",
    ["train.epochs=" + "9" * 5_000, ".".join("a" * DEEP) + "=1", "train.epochs=" + "[" * 5_000],
)
def test_settings_of_the_command_line(setting):
    with pytest.raises(RecipeError) as caught:
        load_recipe("quick", [setting])
    assert len(str(caught.value)) < 700
    with pytest.raises(RecipeError) as caught:
        load_sweep("quick", grid=[setting])
    assert len(str(caught.value)) < 700
