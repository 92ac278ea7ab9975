from __future__ import annotations

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from mien.bundle.bundle import Bundle
from mien.bundle.export import update_metadata
from mien.data import load_dataset
from mien.data.formats.csv import write_csv
from mien.errors import MienError, RunError
from mien.evaluation import Evaluation
from mien.evaluation.calibration import calibrate
from mien.evaluation.result import WithoutOverlap
from mien.evaluation.score import Score
from mien.labels import EMOTIONS
from mien.recipes import load_recipe
from mien.reports.context import known_scores
from mien.reports.faces import augment_examples, doubt_labels, most_confident_mistakes
from mien.reports.report import figures_folder, write_report
from mien.runs.run import Run
from mien.runs.test_log import count_measurements, log_measurement


class Page(HTMLParser):
    """Collects what a test asks about a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.scripts = 0
        self.images_without_words = 0
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if "id" in values:
            self.ids.append(values["id"])
        for name in ("src", "href", "xlink:href"):
            if name in values:
                self.addresses.append(values[name])
        self.scripts += tag == "script"
        self.images_without_words += tag == "img" and not values.get("alt")


@pytest.fixture(scope="module")
def copied(run, tmp_path_factory) -> Run:
    """A copy of the shared run, to be written to."""
    path = tmp_path_factory.mktemp("report") / "run"
    shutil.copytree(run.path, path)
    return Run(path)


def copy_of(run: Run, folder: Path) -> Path:
    """Copy a run, to be damaged."""
    shutil.copytree(run.path, folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def text(copied) -> str:
    return write_report(copied).read_text(encoding="utf-8")


def test_it_is_one_file_that_needs_no_other(text):
    page = Page(text)
    assert page.scripts == 0
    assert all(a.startswith(("data:image/png", "#")) for a in page.addresses)
    assert "@import" not in text
    assert len(text) < 6_000_000


def test_it_can_be_read_by_anybody(text):
    page = Page(text)
    assert page.images_without_words == 0
    assert len(page.ids) == len(set(page.ids))
    assert text.count('role="img" aria-label=') == text.count("<svg")
    assert "prefers-color-scheme: dark" in text
    assert "#010203" not in text  # figures take the page's ink


def test_its_figures_are_the_evaluations(text, copied):
    evaluation = Evaluation.load(copied.evaluation_path("val"))
    values = re.findall(r'<span class="value">([\d.–]+)</span>', text)
    scores = (evaluation.accuracy, evaluation.macro_f1, evaluation.weighted_f1, evaluation.roc_auc)
    assert values == [f"{score.value:.3f}" for score in scores]
    for row in evaluation.per_class:
        scores = (row.precision, row.recall, row.f1, row.roc_auc)
        cells = ["–" if score is None else f"{score:.3f}" for score in scores]
        expected = "".join(f"<td>{c}</td>" for c in (row.emotion, f"{row.images:,}", *cells))
        assert expected in text
    assert evaluation.protocol.sentence() in text


# What Bundles of 0.1 do not have.
NEW_IN_CALIBRATION = ("mapped", "votes_share", "prior_share", "offset", "temperature")


def test_calibration_is_told_where_there_is_any(copied, text, tmp_path):
    assert "Nothing was calibrated" in text
    evaluation = Evaluation.load(copied.evaluation_path("val"))
    assert f"Expected calibration error: {evaluation.calibration_error:.3f}" in text
    path = tmp_path / "run"
    shutil.copytree(copied.path, path)
    threshold = float(np.median(np.array(evaluation.probabilities).max(1)))
    found = calibrate(np.log(np.array(evaluation.probabilities)), np.array(evaluation.labels))
    bundle = Bundle(path / "model.onnx")
    update = {"uncertain_below": threshold, "calibration": found.model_dump(mode="json")}
    update_metadata(bundle, bundle.metadata.model_copy(update=update))
    page = write_report(Run(path)).read_text(encoding="utf-8")
    assert "Nothing was calibrated" not in page
    assert f"the threshold ({found.uncertain_below:.2f})" in page
    sure = np.array(evaluation.probabilities).max(1) >= threshold
    wrong = 1 - evaluation.right()[sure].mean()
    assert f"sure: {sure.mean():.0%} of faces, {wrong:.0%} wrong" in page
    mixed = {**found.model_dump(mode="json"), "votes_share": 0.35, "prior_share": 0.25}
    older = {name: mixed[name] for name in mixed if name not in NEW_IN_CALIBRATION}
    for calibration, said in ((mixed, True), (older, False)):
        update = {"calibration": calibration}
        update_metadata(bundle, bundle.metadata.model_copy(update=update))
        page = write_report(Run(path)).read_text(encoding="utf-8")
        assert ("with a share of 0.35 for the votes; a share of 0.25" in page) == said


def test_overlap_and_looks_are_said_where_there_are_any(copied, text, tmp_path):
    evaluation = Evaluation.load(copied.evaluation_path("val"))
    assert evaluation.protocol.overlap() in text
    assert evaluation.overlap_sentence() in text
    path = tmp_path / "run"
    shutil.copytree(copied.path, path)
    (path / "test_log.csv").unlink(missing_ok=True)
    assert "test_log.csv" not in write_report(Run(path)).read_text()
    score = Score(value=0.5, low=0.4, high=0.6)
    rest = WithoutOverlap(images=20, accuracy=score, macro_f1=score)
    evaluation.model_copy(update={"without_overlap": rest}).save(path / "evaluations" / "val.json")
    for times in ("once", "2 times"):
        log_measurement(path, evaluation.protocol, 0.5)
        changed = write_report(Run(path)).read_text()
        assert f"measured on a test split {times}" in changed
    assert "accuracy 0.500 (0.400 to 0.600)" in changed
    assert "on 20 images" in changed


def test_its_sample_shows_what_is_in_the_evaluation(text):
    right, wrong = text.count('class="drawn right"'), text.count('class="drawn wrong"')
    assert right + wrong == 24
    assert f"{right} read as labelled" in text
    assert text.count("<br>label: ") == len(re.findall(r'class="(\w+ )wrong"', text))
    assert text.count('class="unsure wrong"') == 0
    shown = len(re.findall(r'class="(drawn|mistake|unsure|doubt|small|seen) ', text))
    plain = text.count('alt="a training face') + text.count('alt="the same face, augmented"')
    assert f"This file holds {shown + plain} faces" in text


def test_the_mistakes_are_the_surest(copied):
    evaluation = Evaluation.load(copied.evaluation_path("val"))
    dataset = load_dataset(*copied.record.data.paths)
    mistakes = most_confident_mistakes(dataset, evaluation)
    assert 0 < len(mistakes) <= 12
    assert not any(sample.right for sample in mistakes)
    sure = [sample.probability for sample in mistakes]
    assert sure == sorted(sure, reverse=True)
    wrong = np.array(evaluation.probabilities)[~evaluation.right()].max(1)
    assert sure[0] == wrong.max()


def test_augmented_faces_are_shown_where_a_recipe_augments(copied):
    dataset = load_dataset(*copied.record.data.paths)
    examples = augment_examples(dataset, copied.recipe)
    assert [example.label for example in examples] == ["fear", "happy", "surprise"]
    for example in examples:
        assert len({example.png, *example.changed}) == 5  # each drawn anew
    assert augment_examples(dataset, copied.recipe) == examples
    assert augment_examples(dataset, load_recipe("csv-cnn")) == []
    assert augment_examples(dataset.test, copied.recipe) == []  # it has no training face


def test_without_the_data_it_says_so(copied, tmp_path):
    path = copy_of(copied, tmp_path)
    run = Run(path)
    data = run.record.data.model_copy(update={"paths": (str(tmp_path / "gone.csv"),)})
    run.update(data=data)
    text = write_report(path).read_text()
    assert "no longer where it was" in text
    assert "data:image/png" not in text
    assert 'class="value"' in text  # what the run has measured is still told
    again = write_report(path, data=copied.record.data.paths, out=tmp_path / "again.html")
    assert "data:image/png" in again.read_text()


def test_a_name_cannot_smuggle_markup_in(copied, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(copied.path, path)
    run = Run(path)
    run.update(data=run.record.data.model_copy(update={"name": "<script>alert(1)</script>"}))
    assert Page(write_report(run).read_text()).scripts == 0


def test_what_was_never_measured_is_measured_now(copied, tmp_path):
    path = copy_of(copied, tmp_path)
    kept = Run(path).evaluation_path("val")
    kept.unlink()
    assert 'class="value"' in write_report(path).read_text()
    assert Evaluation.load(kept) == Evaluation.load(copied.evaluation_path("val"))
    kept.write_text("{")
    with pytest.raises(RunError, match="damaged, not an evaluation"):
        write_report(path)


def test_a_look_at_a_test_split_is_logged_once(copied, tmp_path):
    path = copy_of(copied, tmp_path)
    page = write_report(path, split="test")
    assert page == path / "report-test.html"
    assert "test split of" in page.read_text()
    assert count_measurements(path) == 1
    write_report(path, split="test")
    assert count_measurements(path) == 1


def test_a_run_with_nothing_but_its_record_says_what_is_missing(copied, tmp_path):
    path = copy_of(copied, tmp_path)
    for name in ("evaluations", "checkpoints"):
        shutil.rmtree(path / name)
    for name in ("model.onnx", "history.csv"):
        (path / name).unlink()
    text = write_report(path).read_text()
    assert "no Bundle that can be opened" in text
    assert "There is no evaluation on val" in text
    assert "No epoch has ended yet" in text
    assert Page(text).images_without_words == 0
    assert 'class="value"' not in text


def test_numbers_that_are_none_in_the_history_are_said_and_left_out(copied, tmp_path):
    path = copy_of(copied, tmp_path)
    lines = (path / "history.csv").read_text().splitlines()
    cells = lines[2].split(",")
    cells[1] = "nan"
    (path / "history.csv").write_text("\n".join([*lines[:2], ",".join(cells)]) + "\n")
    text = write_report(path).read_text()
    assert "values that are no numbers, in 1 of 2 epochs (the first is epoch 2)" in text
    words = re.sub(r'base64,[^"]*', "", text)
    assert not re.search(r"\bnan\b", words, re.IGNORECASE)


def test_an_emotion_that_the_split_has_not_is_said(copied, faces, tmp_path):
    rows = np.nonzero((faces.splits != "val") | ~np.isin(faces.labels, [1, 4]))[0]
    write_csv(faces.take(rows), tmp_path / "fewer.csv")
    page = write_report(copied, data=[tmp_path / "fewer.csv"], out=tmp_path / "page.html")
    text = page.read_text()
    assert "has no face labelled disgust or sad" in text
    assert "<td>disgust</td><td>0</td><td>–</td>" in text


def test_a_single_image_gets_a_report(copied, faces, tmp_path):
    train, val = (np.nonzero(faces.splits == split)[0] for split in ("train", "val"))
    rows = np.append(train, val[:1])
    write_csv(faces.take(rows), tmp_path / "one.csv")
    page = write_report(copied, data=[tmp_path / "one.csv"], out=tmp_path / "page.html")
    text = page.read_text()
    assert "1 image" in text
    assert Page(text).images_without_words == 0


def test_a_bundle_alone_gets_one_on_data_that_is_named(copied, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bundle = tmp_path / "mine.onnx"
    shutil.copy(copied.bundle_path, bundle)
    with pytest.raises(MienError, match="a Bundle does not say where its data is"):
        write_report(bundle)
    page = write_report(bundle, data=copied.record.data.paths)
    assert page.resolve() == tmp_path / "report-mine.html"  # not report-quick: its file's name
    text = page.read_text()
    assert f"mien report {bundle} --data PATH" in text
    assert "How it was trained" not in text
    assert "no float weights lie beside it" in text
    assert "What it stands" in text


def test_the_files_hold_what_the_page_says(copied, text, tmp_path):
    page = write_report(copied, out=tmp_path / "report.html", with_files=True)
    folder = figures_folder(page)
    assert folder == tmp_path / "figures"
    drawn = {path.stem for path in folder.glob("*.svg")}
    assert drawn == {path.stem for path in folder.glob("*.png")}
    assert len(drawn) == page.read_text().count("<svg")
    for svg in folder.glob("*.svg"):
        ElementTree.parse(svg)
    for png in folder.glob("*.png"):
        assert cv2.imread(str(png)).shape[1] > 800
    numbers = json.loads((folder / "report.json").read_text())
    evaluation = Evaluation.load(copied.evaluation_path("val"))
    assert numbers["evaluation"] == json.loads(json.dumps(evaluation.summary()))
    page_text = page.read_text()
    robustness = numbers["robustness"]
    assert f"accuracy {robustness['clean']:.3f} on them as they are" in page_text
    assert f"{robustness['mean']:.3f} on average over all changes" in page_text
    assert f"by {numbers['sanity']['correlation']:.2f} (Spearman" in page_text
    for pair in numbers["most_confused"]:
        said = f"<b>{pair['label']}</b> read as <b>{pair['read']}</b>: {pair['images']:,} faces"
        assert said in page_text
    for one in numbers["importance"]:
        words = f"eyes {round(100 * one['eyes'])}, mouth {round(100 * one['mouth'])}"
        assert (
            f"mean face labelled {one['emotion']}, under the places that matter: {words}"
            in page_text
        )
    areas = numbers["evaluation"]["areas"]["precision"]
    for name, area in areas.items():
        assert area is None or f"{name} {area:.3f}" in page_text
    with (folder / "confusion.csv").open() as file:
        counts = [[int(row[emotion]) for emotion in EMOTIONS] for row in csv.DictReader(file)]
    assert counts == [list(row) for row in evaluation.confusion]
    with (folder / "robustness.csv").open() as file:
        mean = np.mean([float(row["accuracy"]) for row in csv.DictReader(file)])
    assert mean == pytest.approx(robustness["mean"])


def test_the_surest_doubts_are_labels_that_were_changed(copied, faces):
    evaluation = Evaluation.load(copied.evaluation_path("val"))
    labels = np.array(evaluation.labels)
    probabilities = np.full((len(labels), 7), 0.02)
    probabilities[np.arange(len(labels)), labels] = 0.88
    probabilities[5] += np.eye(7)[labels[5]] * 0.05  # surer than the mean of its class
    wrong = labels.copy()
    wrong[5] = (wrong[5] + 1) % 7
    sure = evaluation.model_copy(
        update={"labels": tuple(wrong), "probabilities": tuple(map(tuple, probabilities))}
    )
    doubts = doubt_labels(load_dataset(*copied.record.data.paths), sure)
    assert doubts.images == 1
    assert doubts.samples[0].label == EMOTIONS[wrong[5]]
    assert doubts.samples[0].emotion == EMOTIONS[labels[5]]
    assert doubts.voters_agree is None


def test_others_scores_are_marked_and_kept_apart(copied):
    evaluation = Evaluation.load(copied.evaluation_path("val"))
    assert known_scores(evaluation) is None  # these are no faces of FER-2013

    def on(split: str):
        protocol = evaluation.protocol.model_copy(update={"images": 3589, "split": split})
        return known_scores(evaluation.model_copy(update={"protocol": protocol}))

    assert on("test").same
    assert not on("val").same
    assert all(known.theirs for known in on("test").scores)
