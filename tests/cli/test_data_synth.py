from __future__ import annotations

import pytest

from mien.data import load_dataset
from mien.images.crop import CropSpec


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["faces.csv"],
            "ends in .csv, but the layout is folders; choose another name, or --layout csv",
        ),
        (["faces.csv", "--layout", "parquet"], "ends in .csv, but the layout is parquet; choose"),
    ],
)
def test_a_name_that_ends_as_another_layout_is_refused(
    mien, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    outcome = mien("data", "synth", *arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_unknown_layout_is_answered_with_all_that_there_are(mien, tmp_path):
    outcome = mien("data", "synth", tmp_path / "faces", "--layout", "foldrs")
    assert outcome.code == 2
    said = " ".join(outcome.err.replace("│", " ").split())
    assert "no layout is called 'foldrs' (did you mean 'folders'?); there are: csv," in said
    assert not list(tmp_path.iterdir())


def test_faces_of_other_classes_and_the_options_that_read_them(mien, tmp_path):
    path = tmp_path / "faces"
    options = ("--labels", "negative,neutral,positive", "--size", "64", "--channels", "3")
    outcome = mien("data", "synth", path, *options, "--count", "60")
    assert outcome.code == 0
    said = outcome.out.splitlines()[-1]
    assert said == "To read them: --labels negative,neutral,positive --size 64 --channels 3"
    read = said.removeprefix("To read them: ").split()
    shown = mien("data", "info", path, *read)
    assert (shown.code, shown.err) == (0, "")
    dataset = load_dataset(path, labels="negative,neutral,positive", size_px=64, channels=3)
    assert dataset.class_counts() == {"negative": 20, "neutral": 20, "positive": 20}
    assert dataset.crop == CropSpec(64, 3)


def test_a_built_in_set_is_named_by_its_title(mien, tmp_path):
    outcome = mien("data", "synth", tmp_path / "faces", "--labels", "rafdb", "--count", "14")
    assert "To read them: --labels rafdb --size 48 --channels 1" in outcome.out
    assert mien("data", "info", tmp_path / "faces", "--labels", "rafdb").code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--labels", "a,b,c", "--count", "2"], "2 faces, expected at least 3, one for each class"),
        (["--count", "6"], "6 faces, expected at least 7"),
        (["--labels", "a,a"], "'a' is given twice"),
        (["--labels", "rafbd"], "no label set is called that (did you mean 'rafdb'?)"),
        (["--labels", "auto"], "no files to take names from; give the names"),
        (["--size", "0"], "size_px = 0: expected 24 to 224 pixels"),
        (["--channels", "2"], "channels = 2: expected 1 for gray or 3 for colour"),
        (["--labels", ",".join(map(str, range(21)))], "21 classes that are no emotions"),
        (["--layout", "csv", "--channels", "3"], "the layout csv stores gray pixels"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(mien, tmp_path, options, said):
    count = () if "--count" in options else ("--count", "30")
    outcome = mien("data", "synth", tmp_path / "faces", *options, *count)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
