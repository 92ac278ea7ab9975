"""``mien data`` with other labels and crops than FER-2013's."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from mien.data import load_dataset
from mien.data.synthetic.faces import synthetic_faces
from mien.data.write import write_dataset
from mien.images.crop import CropSpec
from mien.labels import FER2013, LabelSet

CLASSES = {count: LabelSet(tuple(f"kind {number}" for number in range(count))) for count in (3, 20)}
CROP = CropSpec(64, 3)
READ = {"size_px": 64, "channels": 3}


@pytest.fixture(params=CLASSES)
def labels(request) -> LabelSet:
    return CLASSES[request.param]


@pytest.fixture
def source(labels, tmp_path) -> Path:
    """Drawn faces in colour, in folders."""
    faces = synthetic_faces(12 * len(labels), seed=3, label_set=labels, crop=CROP)
    write_dataset(faces, tmp_path / "faces", "folders")
    return tmp_path / "faces"


@pytest.fixture
def options(labels) -> tuple[str, ...]:
    return ("--labels", ",".join(labels.names), "--size", "64", "--channels", "3")


@pytest.mark.parametrize("verb", ["info", "explore", "audit"])
def test_every_table_shows_these_classes_in_80_columns(
    mien, source, labels, options, verb, tmp_path
):
    out = () if verb == "info" else ("--out", tmp_path / "out")
    outcome = mien("data", verb, source, *options, *out)
    assert outcome.code in (0, 1), outcome.err
    shown = outcome.out.replace(str(tmp_path), "")
    assert max(map(len, shown.splitlines())) <= 80
    assert verb == "audit" or all(name in shown for name in labels.names)
    assert not [name for name in FER2013.names if name in shown]
    assert "FER" not in shown


def test_info_as_json_says_classes_and_crop(mien, source, labels, options):
    found = json.loads(mien("data", "info", source, *options, "--json").out)
    assert list(found["counts"]["train"]) == list(labels.names)
    assert found["crop"] == {"size_px": 64, "channels": 3}


def test_clean_and_split_write_what_they_read(mien, source, labels, options, tmp_path):
    read = load_dataset(source, labels=labels, **READ)
    assert mien("data", "split", source, *options, "--out", tmp_path / "copy").code == 0
    assert load_dataset(tmp_path / "copy", labels=labels, **READ).fingerprint == read.fingerprint
    outcome = mien("data", "clean", source, *options, "--out", tmp_path / "clean")
    assert outcome.code == 0, outcome.err
    assert " ".join(options[2:]) in outcome.out  # in the line that undoes it
    assert load_dataset(tmp_path / "clean", labels=labels, **READ).names == labels.names
    with (tmp_path / "clean" / "manifest.csv").open(encoding="utf-8") as handle:
        assert all(row["label"] in labels.names for row in csv.DictReader(handle))


def test_colour_into_csv_is_refused_before_the_search(mien, source, options, tmp_path):
    target = tmp_path / "new.csv"
    for verb in ("clean", "split"):
        outcome = mien("data", verb, source, *options, "--layout", "csv", "--out", target)
        assert outcome.code == 2
        assert "the layout csv stores gray pixels" in outcome.err
        assert outcome.err.count("\n") == 1
    assert not target.exists()


@pytest.mark.parametrize("verb", ["info", "explore", "audit", "clean", "split"])
def test_classes_that_are_left_out_are_counted_once(mien, source, labels, verb, tmp_path):
    others = ("--labels", ",".join(labels.names[:-1]))
    arguments = () if verb == "info" else ("--out", tmp_path / "out")
    if verb != "audit":  # which finds what it leaves out
        refused = mien("data", verb, source, *others, *arguments)
        assert refused.code == 2
        assert labels.names[-1] in refused.err
        assert refused.err.count("\n") == 1
        arguments += ("--skip-bad",)
    outcome = mien("data", verb, source, *others, *arguments)
    assert outcome.code in (0, 1)
    line = f"12 images of unknown classes were left out ('{labels.names[-1]}' 12)"
    assert outcome.err.count(line) == 1


def test_a_bundle_of_other_classes_is_refused_before_the_search(mien, source, options, tmp_path):
    outcome = mien("data", "audit", source, *options, "--model", "mien-xs", "--out", tmp_path / "a")
    assert outcome.code == 2
    assert "but mien-xs tells" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("mien: ")
    assert not (tmp_path / "a").exists()


def test_gray_files_in_colour_are_said(mien, layouts, tmp_path):
    outcome = mien("data", "info", layouts["csv"], "--channels", "3")
    assert outcome.code == 0
    assert "the images are gray" in outcome.err


@pytest.mark.parametrize("verb", ["info", "explore", "audit", "clean", "split"])
def test_the_help_names_the_default_crop(mien, verb):
    said = " ".join(mien("data", verb, "--help").out.replace("│", " ").split())
    assert f"[default: ({CropSpec().size_px}, as in FER-2013)]" in said
    assert "--labels" in said
    assert "--channels" in said
