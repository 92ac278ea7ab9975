from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from mien.data import load_dataset
from mien.errors import RunError
from mien.evaluation import Evaluation
from mien.evaluation.calibrate import calibrate
from mien.evaluation.looks import log_look
from mien.evaluation.result import Score, WithoutOverlap
from mien.recipes import load_recipe
from mien.reports.faces import augment_examples, most_confident_mistakes
from mien.reports.report import write_report
from mien.runtime.bundle import Bundle
from mien.runtime.export import update_metadata
from mien.training.run import Run


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


@pytest.fixture(scope="module")
def text(copied) -> str:
    return write_report(copied).read_text(encoding="utf-8")


def test_it_is_one_file_that_needs_no_other(text):
    page = Page(text)
    assert page.scripts == 0
    assert all(a.startswith(("data:image/png", "#")) for a in page.addresses)
    assert "@import" not in text
    assert len(text) < 1_000_000


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
    assert f"temperature ({found.temperature:.3f})" in page
    sure = np.array(evaluation.probabilities).max(1) >= threshold
    wrong = 1 - evaluation.right()[sure].mean()
    assert f"sure: {sure.mean():.0%} of faces, {wrong:.0%} wrong" in page


def test_overlap_and_looks_are_said_where_there_are_any(copied, text, tmp_path):
    evaluation = Evaluation.load(copied.evaluation_path("val"))
    assert evaluation.protocol.overlap() in text
    assert evaluation.overlap_sentence() in text
    path = tmp_path / "run"
    shutil.copytree(copied.path, path)
    (path / "looks.csv").unlink(missing_ok=True)
    assert "looks.csv" not in write_report(Run(path)).read_text()
    score = Score(value=0.5, low=0.4, high=0.6)
    rest = WithoutOverlap(images=20, accuracy=score, macro_f1=score)
    evaluation.model_copy(update={"without_overlap": rest}).save(path / "evaluations" / "val.json")
    for times in ("once", "2 times"):
        log_look(path, evaluation.protocol, 0.5)
        changed = write_report(Run(path)).read_text()
        assert f"measured on a test split {times}" in changed
    assert "accuracy 0.500 (0.400 to 0.600)" in changed
    assert "on 20 images" in changed


def test_its_sample_shows_what_is_in_the_evaluation(text):
    right, wrong = text.count('class="right"'), text.count('class="wrong"')
    assert right + wrong == 24
    assert f"{right} read as labelled" in text
    assert text.count("<br>label: ") == wrong + text.count('class="mistake wrong"')


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


def test_without_the_data_it_says_so(copied, layouts, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(copied.path, path)
    run = Run(path)
    data = run.record.data.model_copy(update={"paths": (str(tmp_path / "gone.csv"),)})
    run.update(data=data)
    text = write_report(run).read_text()
    assert "no longer where it was" in text
    assert "data:image/png" not in text


def test_a_name_cannot_smuggle_markup_in(copied, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(copied.path, path)
    run = Run(path)
    run.update(data=run.record.data.model_copy(update={"name": "<script>alert(1)</script>"}))
    assert Page(write_report(run).read_text()).scripts == 0


def test_a_run_without_an_evaluation_is_said(copied, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(copied.path, path)
    shutil.rmtree(path / "evaluations")
    with pytest.raises(RunError, match="cannot be read"):
        write_report(Run(path))
