from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.data import load_dataset
from mien.data.sizes import read_sizes
from mien.errors import DataError

CODES = {
    "AN": "angry", "DI": "disgust", "FE": "fear", "HA": "happy", "NE": "neutral", "SA": "sad",
    "SU": "surprise",
}  # fmt: skip


def put(path, level=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((256, 256), level, np.uint8))


def make(root, suffix=".tiff"):
    for number, code in enumerate([*CODES] * 3, start=1):
        put(root / f"KA.{code}{number % 4}.{number}{suffix}", number)
    return root


@pytest.mark.parametrize("suffix", [".tiff", ".TIF", ".png", ".jpg"])
@pytest.mark.parametrize("folder", ["", "jaffe", "archive/jaffe"])
def test_names_of_files_tell_the_class(tmp_path, suffix, folder):
    make(tmp_path / folder, suffix)
    (tmp_path / folder / "README_FIRST.txt").write_text("x")
    dataset = load_dataset(tmp_path)
    assert (dataset.layout, len(dataset)) == ("jaffe", 21)
    assert "the files name no split" in dataset.split_rule
    order = np.argsort(dataset.images[:, 0, 0])
    assert [dataset.names[label] for label in dataset.labels[order]] == [*CODES.values()] * 3
    assert dataset.images[order, 0, 0].tolist() == pytest.approx(range(1, 22), abs=2)
    assert read_sizes(dataset, tmp_path) == [(256, 256)] * 21


def test_classes_of_ones_own(tmp_path):
    aliases = dict.fromkeys(CODES.values(), "bad") | {"happy": "good", "neutral": "none"}
    labels = {"names": ["bad", "good", "none"], "aliases": aliases}
    counts = load_dataset(make(tmp_path), labels=labels).class_counts()
    assert counts == {"bad": 15, "good": 3, "none": 3}
    assert load_dataset(tmp_path, labels="auto").names == tuple(sorted(CODES.values()))


@pytest.mark.parametrize("name", ["KA.XX1.39.tiff", "portrait.png"])
def test_a_name_that_tells_no_class_is_named_or_skipped(tmp_path, name):
    put(make(tmp_path) / name)
    with pytest.raises(DataError, match=f"{name}: its name tells no class, expected .*KA.AN1.39"):
        load_dataset(tmp_path)
    assert len(load_dataset(tmp_path, skip_bad=True).skipped) == 1
