"""Data that a run or a Bundle reads: with its own labels and crops, whatever the files name."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from tests.bundles import RED_GREEN_BLUE, write_bundle
from tests.evaluation.test_other_labels import COLOUR, coloured

from mien.bundle.bundle import Bundle
from mien.data.write import write_dataset
from mien.errors import DataError
from mien.images.crop import CropSpec
from mien.labels import BUILT_IN, FER2013
from mien.runs.data import load_as_run, load_as_trained, load_run_data
from mien.runs.run import Run

SPLITS = ["train", "val", "test"]


@pytest.fixture
def folder(tmp_path):
    """Red and blue crops in class folders: the labels of the Bundle, but one."""
    faces = coloured([2, 0, 2, 0, 2, 0], SPLITS * 2)
    write_dataset(faces, tmp_path / "faces", "folders")
    return tmp_path / "faces"


def bundle_of(tmp_path, names=RED_GREEN_BLUE, **data):
    path = write_bundle(tmp_path / "model.onnx", names, recipe={"data": data})
    return Bundle(path)


@pytest.mark.parametrize("labels", [None, "auto", list(RED_GREEN_BLUE)])
def test_data_without_a_class_keeps_the_labels_of_the_bundle(tmp_path, folder, labels):
    """Natural order is blue, red; the Bundle's is red, green, blue."""
    bundle = bundle_of(tmp_path, labels=labels)
    faces = load_as_trained(bundle, folder)
    assert faces.names == RED_GREEN_BLUE
    assert faces.crop == bundle.crop == COLOUR
    assert faces.class_counts() == {"red": 3, "green": 0, "blue": 3}
    assert (bundle.predict(faces.images)[1].argmax(1) == faces.labels).all()


def test_crops_are_those_of_the_bundle(tmp_path, folder):
    path = write_bundle(tmp_path / "gray.onnx", RED_GREEN_BLUE, CropSpec(96))
    faces = load_as_trained(Bundle(path), folder)
    assert faces.images.shape == (6, 96, 96)


def test_spellings_and_numbers_of_the_recipe_count(tmp_path):
    faces = coloured([0, 1, 2], ["test"] * 3, ("1", "2", "azure"))
    write_dataset(faces, tmp_path / "numbered", "folders")
    table = {
        "names": list(RED_GREEN_BLUE),
        "numbering": {"1": "red", "2": "green", "3": "blue"},
        "aliases": {"azure": "blue"},
    }
    read = load_as_trained(bundle_of(tmp_path, labels=table), tmp_path / "numbered")
    assert read.class_counts() == {"red": 1, "green": 1, "blue": 1}
    # Without them a number is none of the labels that the files of the training used.
    with pytest.raises(DataError, match=r"it has images labelled|its labels are"):
        load_as_trained(bundle_of(tmp_path, labels="auto"), tmp_path / "numbered")


def test_data_of_other_labels_is_refused_in_a_line(tmp_path, folder):
    bundle = bundle_of(tmp_path, ("cold", "mild", "warm"), labels="auto")
    with pytest.raises(DataError) as error:
        load_as_trained(bundle, folder)
    assert str(error.value) == (
        f"{folder}: its labels are blue, red, but {bundle.path} tells cold, mild, warm apart; give "
        "data with these labels"
    )
    bundle = bundle_of(tmp_path, ("red", "yellow"), labels=["red", "yellow"])
    said = f"it has images labelled blue, but {bundle.path} tells red, "
    with pytest.raises(DataError, match=said):
        load_as_trained(bundle, folder)


def test_a_bundle_of_fer2013_says_which_labels_it_has(tmp_path, folder):
    with pytest.raises(DataError, match=r"its labels are blue, red, but mien-x?s tells angry, "):
        load_as_trained(Bundle("mien-xs"), folder)


def test_ferplus_needs_votes_and_says_so(tmp_path, layouts):
    bundle = bundle_of(tmp_path, BUILT_IN["ferplus"].names, labels="ferplus")
    with pytest.raises(DataError, match=r"ferplus takes its labels from FER\+ votes"):
        load_as_trained(bundle, layouts["csv"])


def test_a_runs_data_has_the_labels_and_crops_of_its_record(run, layouts, tmp_path):
    faces, _ = load_run_data(run)
    assert faces.names == FER2013.names
    shutil.copytree(run.path, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    record["data"]["crop"] = {"size_px": 64, "channels": 3}
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    assert load_as_run(Run(tmp_path / "run"), layouts["csv"]).crop == COLOUR
    record["data"]["train_class_counts"] = dict.fromkeys(RED_GREEN_BLUE, 5)
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=r"its labels are .* tells red, green, blue apart"):
        load_as_run(Run(tmp_path / "run"), layouts["folders"])
    assert np.array_equal(load_as_run(run, layouts["folders"]).labels, faces.labels)
