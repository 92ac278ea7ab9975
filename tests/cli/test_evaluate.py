"""``mien evaluate``: groups of people, and labels and crops that are not FER-2013's."""

from __future__ import annotations

import json

import pytest
from tests.bundles import write_bundle
from tests.evaluation.test_other_labels import coloured

from mien.data import load_dataset
from mien.data.write import write_dataset
from mien.images.crop import encode_png
from mien.reports.report import write_report


@pytest.fixture
def folder(tmp_path):
    faces = coloured([0, 1, 2, 0, 1, 2], ["val", "val", "val", "train", "train", "train"])
    write_dataset(faces, tmp_path / "faces", "folders")
    return tmp_path / "faces"


def test_a_bundle_of_three_classes_in_colour_is_measured(mien, tmp_path, folder):
    bundle = write_bundle(tmp_path / "colours.onnx")
    outcome = mien("evaluate", bundle, "--data", folder)
    assert outcome.code == 0
    for name in ("red", "green", "blue"):
        assert name in outcome.out
    summary = json.loads(mien("evaluate", bundle, "--data", folder, "--json").out)
    assert [row["emotion"] for row in summary["per_class"]] == ["red", "green", "blue"]
    assert summary["accuracy"]["value"] == 1


def test_other_labels_are_left_out_with_skip_bad_and_counted(mien, tmp_path, folder):
    bundle = write_bundle(tmp_path / "two.onnx", ("red", "blue"))
    refused = mien("evaluate", bundle, "--data", folder)
    assert refused.code == 2
    assert f"images labelled green, but {bundle} tells red, blue apart" in joined(refused.err)
    assert "(mien evaluate --skip-bad)" in joined(refused.err)
    outcome = mien("evaluate", bundle, "--data", folder, "--skip-bad", "--json")
    assert json.loads(outcome.out)["protocol"]["images"] == 2
    assert "2 images of unknown classes were left out ('green' 2)" in joined(outcome.err)


@pytest.mark.parametrize("command", ["evaluate", "report"])
def test_a_bundle_of_other_labels_is_refused_in_a_line(mien, folder, command):
    outcome = mien(command, "mien-xs", "--data", folder)
    assert outcome.code == 2
    assert outcome.out == ""
    assert "its labels are blue, green, red, but mien-xs tells angry, " in joined(outcome.err)
    assert "Traceback" not in outcome.err


def test_neighbours_of_other_labels_are_refused_in_a_line(mien, run, faces, folder, tmp_path):
    (tmp_path / "face.png").write_bytes(encode_png(faces.images[0]))
    outcome = mien(
        "explain", run.path, tmp_path / "face.png", "--crops", "--nearest", folder,
        "--out", tmp_path / "page.html",
    )  # fmt: skip
    assert outcome.code == 2
    assert f"blue, green, red, but {run.bundle_path} tells angry, " in joined(outcome.err)
    assert not (tmp_path / "page.html").exists()


def joined(text: str) -> str:
    """Return the words of a text, which a terminal breaks into lines."""
    return " ".join(text.split())


def test_figures_by_group_of_people(mien, run, layouts, tmp_path):
    ids = load_dataset(layouts["csv"]).val.ids.tolist()
    rows = [f"{name},{'young' if number % 2 else 'old'}" for number, name in enumerate(ids)]
    path = tmp_path / "groups.csv"
    path.write_text("\n".join(["id,age", *rows[:-1]]), encoding="utf-8")
    options = ("--data", layouts["csv"], "--groups", path)
    assert "Groups of people" not in write_report(run.path).read_text(encoding="utf-8")
    shown = mien("evaluate", run.path, *options)
    assert shown.code == 0, shown.err
    assert "1 image is in no group" in shown.out
    assert "percentage points between the groups of age" in " ".join(shown.out.split())
    (grouping,) = json.loads(mien("evaluate", run.path, *options, "--json").out)["groups"]
    assert grouping["column"] == "age"
    assert [one["group"] for one in grouping["groups"]] == ["old", "young"]
    assert sum(one["images"] for one in grouping["groups"]) == len(ids) - 1
    page = write_report(run.path).read_text(encoding="utf-8")  # from the kept evaluation
    assert "Groups of people" in page
    for gap in grouping["gaps"]:
        assert f"{gap['highest']} being highest and {gap['lowest']} lowest" in page
    path.write_text("id,age\nnobody,old\n", encoding="utf-8")
    wrong = mien("evaluate", run.path, *options)
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "none of its 1 ids is an image of" in wrong.err
