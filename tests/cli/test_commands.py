"""The verbs, as a user calls them."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from tests.bundles import write_bundle
from tests.conftest import TINY

from mien.bundle.bundle import Bundle
from mien.cli.main import app
from mien.data import FaceDataset, load_dataset
from mien.data.write import write_dataset

ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"
SETTINGS = [word for setting in [*TINY, "train.epochs=1"] for word in ("--set", setting)]


def verbs(group, *before):
    """Return the words of every verb of a group, those of its groups included."""
    found = [[*before, command.name] for command in group.registered_commands]
    for inner in group.registered_groups:
        words = [*before, inner.name]
        found += [words, *verbs(inner.typer_instance, *words)]
    return found


@pytest.mark.parametrize("verb", [[], *verbs(app)], ids=" ".join)
def test_every_verb_explains_itself_in_whole_lines_of_80_columns(mien, verb):
    outcome = mien(*verb, "--help")
    assert outcome.code == 0
    assert "Usage: mien" in outcome.out
    lines = [line.strip() for line in outcome.out.splitlines()]
    assert max(map(len, outcome.out.splitlines())) <= 80
    first = lines.index(next(line for line in lines if line.startswith("Usage"))) + 1
    text = lines[first : next(i for i, line in enumerate(lines) if line.startswith("╭"))]
    # A line ends early only where its paragraph does, or the next word would not fit.
    for line, following in itertools.pairwise(text):
        assert not line or not following or len(f"{line} {following.split()[0]}") > 76


def test_version(mien):
    from mien import __version__

    assert mien("--version").out == f"mien {__version__}\n"


def test_data_info(mien, layouts):
    for layout, path in layouts.items():
        outcome = mien("data", "info", path)
        assert outcome.code == 0
        assert f"({layout})" in outcome.out
        assert "happy" in outcome.out
    facts = json.loads(mien("data", "info", layouts["csv"], "--json").out)
    assert facts["images"] == 280
    counts = {split: sum(by_emotion.values()) for split, by_emotion in facts["counts"].items()}
    assert counts == load_dataset(layouts["csv"]).split_counts()


def test_data_info_lists_what_it_left_out(mien, layouts, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(layouts["csv"].read_text() + "3,1 2,Training\n" * 30)
    outcome = mien("data", "info", path, "--skip-bad")
    assert outcome.code == 0
    assert "Left out 30" in outcome.err
    assert "row 281 has 2 pixels" in outcome.err
    assert "and 10 more" in outcome.err


@pytest.mark.parametrize("layout", ["csv", "folders", "parquet"])
def test_data_synth(mien, tmp_path, layout):
    path = tmp_path / "faces"
    assert mien("data", "synth", path, "--count", "70", "--layout", layout).code == 0
    dataset = load_dataset(path)
    assert (len(dataset), dataset.layout) == (70, layout)
    again = mien("data", "synth", path, "--count", "70", "--layout", layout)
    assert again.code == 2
    assert "exists already" in again.err


def test_train_evaluate_export_predict(mien, layouts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs/quick").mkdir(parents=True)  # so that the run takes the next free name
    trained = mien("train", "quick", "--data", layouts["folders"], *SETTINGS)
    assert trained.code == 0, trained.err
    assert "1/1" in trained.err
    assert "runs/quick-2/report.html" in trained.out
    assert Path("runs/quick-2/report.html").is_file()

    bare = mien("train", "quick", "--data", layouts["folders"], *SETTINGS, "--no-report")
    assert (bare.code, "report" in bare.out) == (0, False)
    assert not Path("runs/quick-3/report.html").exists()
    assert Path("runs/quick-3/evaluations/val.json").is_file()

    measured = mien("evaluate", "runs/quick-2", "--data", layouts["csv"], "--json")
    scores = json.loads(measured.out)
    stored = json.loads(Path("runs/quick-2/evaluations/val.json").read_text())
    for name in ("accuracy", "macro_f1", "per_class", "confusion"):
        assert scores[name] == stored[name]
    shown = mien("evaluate", "runs/quick-2", "--data", layouts["csv"], "--out", "kept.json")
    assert f"{scores['accuracy']['value']:.3f}" in shown.out
    assert json.loads(Path("kept.json").read_text())["probabilities"] == stored["probabilities"]

    assert mien("export", "runs/quick-2", "--out", "mine.onnx").code == 0
    assert Bundle("mine.onnx").metadata.name == "quick"

    eight = mien("export", "runs/quick-2", "--int8")
    assert "in int8: accuracy" in eight.out
    assert Bundle("runs/quick-2/model-int8.onnx").metadata.precision == "int8"
    assert "--data is only for --int8" in mien("export", "runs/quick-2", "--data", "x.csv").err
    for name in ("x.tflite", "x.onnx.gz", "x.pt", "x", "runs"):
        for option in ([], ["--int8"]):
            other = mien("export", "runs/quick-2", "--out", name, *option)
            assert (other.code, other.err) == (
                2,
                f"mien: {name}: a Bundle is an ONNX file, and no other kind is written; expected a "
                "name that ends in .onnx\n",
            )
            assert not Path(name).is_file()

    flipped = mien("evaluate", "runs/quick-2", "--data", layouts["csv"], "--tta", "flip")
    assert "mean of the image and its mirror image" in " ".join(flipped.out.split())
    assert json.loads(Path("runs/quick-2/evaluations/val.json").read_text()) == stored

    read = mien("predict", ASTRONAUT, "--model", "mine.onnx", "--json", "--save", "read.png")
    (record,) = json.loads(read.out)
    assert set(record) == {
        "source",
        "box",
        "score",
        "emotion",
        "probabilities",
        "uncertain",
        "frame",
        "seconds",
        "track",
        "tilt_degrees",
        "item",
    }
    assert cv2.imread("read.png").shape == (512, 512, 3)


def test_bench(mien, run, tmp_path):
    kept = tmp_path / "speed.csv"
    shown = mien("bench", run.path, "--seconds", "0.05", "--out", kept)
    assert shown.code == 0, shown.err
    assert "quick (float32)" in shown.out
    assert max(map(len, shown.out.splitlines()[:-1])) <= 80
    lines = kept.read_text().splitlines()
    assert len(lines) == 5  # one and two threads, one face and 64
    assert lines[0].endswith("share_of_peak")
    speeds = json.loads(mien("bench", run.path, "--seconds", "0.05", "--json").out)
    assert [(speed["threads"], speed["batch"]) for speed in speeds] == [
        (1, 1), (1, 64), (2, 1), (2, 64),
    ]  # fmt: skip
    assert "no such run, Bundle file" in mien("bench", "nobody").err
    own = write_bundle(tmp_path / "own.onnx")
    assert "mean-colour (float32)" in mien("bench", own, "--seconds", "0.05").out


def test_predict_several_and_none(mien, tmp_path):
    blank = tmp_path / "blank.png"
    cv2.imwrite(str(blank), np.full((200, 200, 3), 128, np.uint8))
    outcome = mien("predict", ASTRONAUT, blank, "--json")
    assert outcome.code == 0
    face, nothing = json.loads(outcome.out)
    assert face["emotion"] == "happy"
    assert nothing == {
        "source": str(blank), "box": None, "score": None, "emotion": None, "probabilities": None,
        "uncertain": None, "frame": 0, "seconds": None, "track": None, "tilt_degrees": None,
        "item": 1,
    }  # fmt: skip
    table = mien("predict", ASTRONAUT, blank)
    assert "1 face" in table.out
    assert "no face found" in table.out
    note, detector = table.err.splitlines()
    assert note == f"note: {blank}: a photo of one value: every pixel is the same"
    assert "Haar" in detector


def test_predict_saves_beside_nothing_and_over_nothing(mien, tmp_path):
    photo = tmp_path / "photo.png"
    shutil.copy(ASTRONAUT, photo)
    before = photo.read_bytes()
    outcome = mien("predict", photo, "--save", photo)
    assert outcome.code == 2
    assert "photo.png: is one of the sources, which are never replaced" in outcome.err
    assert photo.read_bytes() == before
    assert mien("predict", photo, "--save", tmp_path / "read").code == 0
    assert (tmp_path / "read" / "photo-read.jpg").is_file()


def test_predict_gives_each_photo_a_name_of_its_own(mien, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(ASTRONAUT, tmp_path / folder / "photo.png")
    photos = [tmp_path / folder / "photo.png" for folder in ("a", "b")]
    assert mien("predict", *photos, "--save", tmp_path / "read").code == 0
    names = sorted(path.name for path in (tmp_path / "read").iterdir())
    assert names == ["photo-read-2.jpg", "photo-read.jpg"]


def test_predict_says_what_is_too_wide_to_save(mien, tmp_path):
    wide = tmp_path / "wide.png"
    cv2.imwrite(str(wide), np.zeros((2, 66_000), np.uint8))
    outcome = mien("predict", wide, "--save", tmp_path / "read.jpg")
    assert outcome.code == 2
    assert "66000x2 pixels are too many for .jpg; save as .png" in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["wide.png"]


def test_predict_of_nothing_but_bad_files(mien, tmp_path):
    outcome = mien("predict", tmp_path / "a.jpg", tmp_path / "b.jpg", "--json")
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.count("no such file") == 2


def test_names_in_square_brackets_are_shown_as_they_are(mien, layouts, tmp_path):
    path = tmp_path / "fer [copy] [bold].csv"
    shutil.copy(layouts["csv"], path)
    assert "fer [copy] [bold] (csv)" in mien("data", "info", path).out


def test_a_terminal_of_ascii_is_no_error(layouts):
    result = subprocess.run(
        [sys.executable, "-m", "mien", "predict", str(ASTRONAUT)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "happy" in result.stdout


def test_evaluate_lists_what_it_left_out(mien, layouts, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(layouts["csv"].read_text() + "3,1 2,Training\n")
    outcome = mien("evaluate", "mien-xs", "--data", path, "--skip-bad")
    assert "row 281 has 2 pixels" in outcome.err
    sentence = " ".join(outcome.out.split())
    assert "1 of the data set's images could not be used" in sentence
    assert "not the data set that the model was trained on" in sentence


def test_predict_goes_on_after_a_bad_file(mien, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("text")
    outcome = mien("predict", bad, ASTRONAUT, "--json")
    assert outcome.code == 1
    assert len(json.loads(outcome.out)) == 1
    assert "bad.jpg: a text file cannot be decoded" in outcome.err


def test_demo_on_own_data(mien, layouts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = mien("demo", "--data", layouts["folders"], *SETTINGS)
    assert outcome.code == 0, outcome.err
    made = ("demo/report.html", "demo/model.onnx", "demo-data/portraits-read.jpg",
            "demo-data/explore.html")  # fmt: skip
    for name in made:
        assert (tmp_path / "runs" / name).is_file()
        assert f"runs/{name}" in outcome.out
    assert "happy" in outcome.out


def test_help_answers_at_once():
    """It may import nothing heavy; how long it takes is measured in benchmarks/."""
    program = (
        "import sys; sys.argv = ['mien', '--help']\n"
        "import mien.cli.main as m\n"
        "try:\n    m.main()\nexcept SystemExit:\n    pass\n"
        "print({'numpy', 'cv2', 'torch', 'pydantic', 'onnxruntime'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "set()"


def test_compare_prints_tables_and_writes_files(mien, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run.path, "again")
    outcome = mien("compare", run.path, "again", "--out", "together")
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert "weighted F1 (95%)" in outcome.out
    names = {path.name for path in Path("together").iterdir()}
    assert names == {"compare.html", "compare.md", "compare.csv", "pairs.csv"}
    record = json.loads(mien("compare", run.path, "again", "--json").out)
    assert [row["run"] for row in record["runs"]] == [run.path.name, "again"]


def test_sweep_prints_its_table_and_says_where_all_is(mien, layouts, tmp_path):
    outcome = mien(
        "sweep", "quick", "--grid", "model.stages=1", "--data", layouts["csv"],
        "--out", tmp_path / "sweep", *SETTINGS,
    )  # fmt: skip
    assert outcome.code == 0
    assert "nothing is chosen by test" in " ".join(outcome.out.split())
    assert "1/1 trial 0: val accuracy" in outcome.err
    assert (tmp_path / "sweep" / "sweep.html").is_file()
    again = mien("sweep", "--resume", tmp_path / "sweep")
    assert again.code == 0
    assert "1 trial, 1 already done" in again.err


def test_evaluate_counts_the_measurements_on_test(mien, trained, layouts, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(trained.path, path)
    said = mien("evaluate", path, "--data", layouts["csv"], "--split", "test")
    assert "Measurement 1 of this run on a test split." in said.out
    assert "the split is no longer a test split" in " ".join(said.out.split())
    assert max(map(len, said.out.splitlines())) <= 80
    record = json.loads(mien("evaluate", path, "--data", layouts["csv"], "--split", "test",
                             "--json").out)  # fmt: skip
    assert record["test_measurements"] == 2
    assert "of this run on a test split" not in mien("evaluate", path, "--data", layouts["csv"]).out
    alone = mien("evaluate", "mien-xs", "--data", layouts["csv"], "--split", "test")
    assert "of this run on a test split" not in alone.out


def test_evaluate_says_the_overlap_and_the_score_without_it(mien, faces, tmp_path):
    images = faces.images.copy()
    (test,) = np.nonzero(faces.splits == "test")
    images[test[:4]] = faces.train.images[:4]
    data = tmp_path / "leaked.csv"
    write_dataset(FaceDataset(images, faces.labels, faces.splits, faces.ids), data, "csv")
    arguments = ("evaluate", "mien-xs", "--data", data, "--split", "test")
    record = json.loads(mien(*arguments, "--json").out)
    protocol, rest = record["protocol"], record["without_overlap"]
    duplicates = protocol["identical_in_train"] + protocol["near_in_train"]
    assert protocol["identical_in_train"] == 4
    assert rest["images"] == len(test) - duplicates
    said = " ".join(mien(*arguments).out.split())
    assert "4 images (" in said
    assert f"Without these {duplicates} images: accuracy {rest['accuracy']['value']:.3f} (" in said
    assert f"on {rest['images']} images." in said


def test_evaluate_refuses_a_test_split_that_a_run_has_learned(mien, run, layouts, tmp_path):
    lines = layouts["csv"].read_text().splitlines()
    learned = [line.replace("Training", "PrivateTest") for line in lines if "Training" in line]
    (tmp_path / "learned.csv").write_text("\n".join([lines[0], *learned]) + "\n")
    outcome = mien("evaluate", run.path, "--data", tmp_path / "learned.csv", "--split", "test")
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1
    assert "learned: its test split cannot test" in outcome.err
    assert "measure on images that the run does not know" in outcome.err


def test_evaluate_keeps_a_runs_evaluation_in_the_run(mien, run, layouts, tmp_path):
    shutil.copytree(run.path, tmp_path / "run")
    (tmp_path / "run" / "evaluations" / "test.json").unlink(missing_ok=True)
    assert mien("evaluate", tmp_path / "run", "--data", layouts["csv"], "--split", "test").code == 0
    assert (tmp_path / "run" / "evaluations" / "test.json").is_file()


def test_evaluate_shows_the_four_figures_where_faces_have_votes(mien, trained, faces, tmp_path):
    votes = np.zeros((len(faces), 10), np.int8)
    votes[:, 1] = 10  # happiness, all of them
    write_dataset(replace(faces, votes=votes), tmp_path / "faces.parquet", "parquet")
    shutil.copytree(trained.path, tmp_path / "run")
    arguments = ("evaluate", tmp_path / "run", "--data", tmp_path / "faces.parquet")
    said = mien(*arguments)
    assert max(map(len, said.out.splitlines())) <= 80
    record = json.loads(mien(*arguments, "--json").out)
    found = record["scorecard"]
    rows = {
        "agreement with the label": found["label_agreement"],
        "agreement with the FER+ majority": found["votes_agreement"],
        "mean corruption accuracy": found["corruption_accuracy"],
        "consistency": found["consistency"],
        "  mirrored": found["survives_mirror"],
    }
    for name, figure in rows.items():
        (line,) = (line for line in said.out.splitlines() if line.startswith(f"{name}  "))
        shown = [f"{figure[key]:.3f}" for key in ("value", "low", "high")]
        images = len(faces.val)
        assert line.removeprefix(name).split() == [*shown[:2], "to", shown[2], str(images)]
        assert figure["images"] == images
    assert f"mean of the four                  {found['mean']:.3f}" in said.out
    assert found["label_agreement"]["value"] == record["accuracy"]["value"]
    assert "when the face is mirrored" in " ".join(said.out.split())
    kept = json.loads((tmp_path / "run" / "evaluations" / "val.json").read_text())
    assert kept["scorecard"] == found


def test_evaluate_states_why_there_are_no_four_figures(mien, layouts):
    arguments = ("evaluate", "mien-xs", "--data", layouts["csv"])
    said = " ".join(mien(*arguments).out.split())
    assert "Not measured beyond the label: fer: no face of this split has FER+ votes" in said
    assert json.loads(mien(*arguments, "--json").out)["scorecard"] is None
    assert "beyond the label" not in mien(*arguments, "--tta", "flip").out


def test_fetch_out_of_reach_says_how_to_go_on(mien):
    outcome = mien("fetch", "--url", "http://127.0.0.1:9/yunet.onnx")
    assert outcome.code == 2
    assert "YuNet cannot be downloaded" in outcome.err
    assert "--detector-model PATH" in outcome.err
    assert len(outcome.err.splitlines()) == 1
