from __future__ import annotations

import re
from dataclasses import replace

import pytest
from markupsafe import escape

from mien.bundle.bundle import Bundle, shipped_bundles
from mien.bundle.scores import Score, WithoutOverlap
from mien.data import fer2013
from mien.evaluation import Evaluation
from mien.labels import FER2013
from mien.reports.sections import SECTIONS
from mien.runs.run import Run
from mien.runs.test_log import log_measurement

SummarySection = SECTIONS["summary"]


def test_its_scores_are_the_evaluations(text, reported):
    evaluation = Evaluation.load(reported.evaluation_path("val"))
    values = re.findall(r'<span class="value">([\d.–]+)</span>', text)
    scores = (evaluation.accuracy, evaluation.macro_f1, evaluation.weighted_f1, evaluation.roc_auc)
    assert values == [f"{score.value:.3f}" for score in scores]
    assert evaluation.describe_protocol() in text


def test_the_overlap_is_said_where_there_is_any(content, text):
    evaluation = content.evaluation
    assert evaluation.describe_overlap() in text
    assert evaluation.describe_without_overlap() in text
    score = Score(value=0.5, low=0.4, high=0.6)
    rest = WithoutOverlap(images=20, accuracy=score, macro_f1=score)
    changed = evaluation.model_copy(update={"without_overlap": rest})
    page = str(SummarySection(replace(content, evaluation=changed)).render({}))
    assert "accuracy 0.500 (0.400 to 0.600)" in page
    assert "on 20 images" in page


def test_measurements_on_a_test_split_are_counted(own_run, content, text):
    assert "test_log.csv" not in text
    (own_run / "test_log.csv").unlink(missing_ok=True)
    section = SummarySection(replace(content, run=Run(own_run)))
    for times in ("once", "2 times"):
        log_measurement(own_run, content.evaluation.protocol, 0.5)
        assert f"measured on a test split {times}" in str(section.render({}))


@pytest.fixture
def on(content):
    """The section for an evaluation on data with some numbers of images per class."""

    def make(counts, **protocol):
        evaluation = content.evaluation
        rows = [
            row.model_copy(update={"images": count})
            for row, count in zip(evaluation.per_class, counts, strict=True)
        ]
        update = {
            "per_class": tuple(rows),
            "protocol": evaluation.protocol.model_copy(update=protocol),
        }
        photographs = replace(content.dataset, drawn=False)
        measured = evaluation.model_copy(update=update)
        return SummarySection(replace(content, dataset=photographs, evaluation=measured))

    return make


def test_facts_of_fer2013_are_shown_for_fer2013_only(content, on, text):
    for section in (SummarySection(content), on([100] * len(FER2013))):
        assert section.human_accuracy == ""
        assert section.references == []
    assert "People agree with" not in text
    assert "on FER-2013" not in text
    for usage in ("PublicTest", "PrivateTest"):
        section = on(fer2013.CLASS_COUNTS[usage])
        assert section.human_accuracy == "0.65 ± 0.05"
        page = str(section.render({}))
        assert "People agree with FER-2013's labels on 0.65 ± 0.05" in page
        assert "mini-Xception" in page
        same = usage == "PrivateTest"
        assert all(one.same_images == same for one in section.references)
        assert ("were measured on other images" in page) != same
        drawn = replace(section.content, dataset=content.dataset)
        assert SummarySection(drawn).human_accuracy == ""
    assert on(fer2013.CLASS_COUNTS["Training"]).references == []


def test_shipped_models_are_compared_on_the_same_images_only(on):
    counts = fer2013.CLASS_COUNTS["PublicTest"]
    others = len(on(counts).references)
    bundle = Bundle(shipped_bundles()["mien-s"])
    score = next(one for one in bundle.metadata.scores if one.protocol.split == "val")
    section = on(counts, fingerprint=score.protocol.fingerprint)
    ours = [one for one in section.references if one.model.startswith("mien's ")]
    assert len(section.references) == others + len(ours)
    named = {one.model: one for one in ours}["mien's mien-s"]
    assert named.same_images
    assert named.accuracy == score.accuracy.value


def test_the_advice_stands_in_the_page(text, content):
    section = SummarySection(content)
    assert len(section.advice) > 0
    for sentence, command in section.advice:
        assert f"<li>{escape(sentence)}" in text
        assert f"<pre>{escape(command)}</pre>" in text or not command
