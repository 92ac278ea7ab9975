from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from mien.reports.commands import clean_and_train


@pytest.mark.parametrize(
    ("name", "copy"),
    [("fer.csv", "fer-clean.csv"), ("fer.csv.gz", "fer-clean.csv"), ("a.b.csv", "a.b-clean.csv")],
)
def test_the_copy_of_a_file_is_beside_it(tmp_path, name, copy):
    path = tmp_path / name
    path.touch()
    clean, train = map(
        shlex.split, clean_and_train([path], {"--labels": None, "--votes": None}, skip_bad=False)
    )
    assert clean == ["mien", "data", "clean", str(path), "--out", str(tmp_path / copy)]
    assert train == ["mien", "train", "quick", "--data", str(tmp_path / copy)]


def test_the_copy_of_a_folder_is_beside_it_and_read_with_the_same_options(tmp_path):
    path = tmp_path / "my faces"
    path.mkdir()
    options = {"--labels": "rafdb", "--size": 64, "--channels": None, "--votes": Path("v.csv")}
    clean, train = clean_and_train([path], options, skip_bad=True)
    copy = shlex.quote(f"{path}-clean")
    read = "--labels rafdb --size 64 --votes v.csv --skip-bad"
    assert clean == f"mien data clean {shlex.quote(str(path))} {read} --out {copy}"
    assert train == (
        f"mien train quick --data {copy} --set data.labels=rafdb --set data.size_px=64"
    )
