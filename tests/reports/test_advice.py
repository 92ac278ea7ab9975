from __future__ import annotations

import re
from dataclasses import replace

import pytest

from mien.bundle.scores import Score, WithoutOverlap
from mien.evaluation.robustness import CORRUPTIONS
from mien.reports.advice import advise
from mien.reports.content import Content
from mien.reports.sections.summary import SummarySection


@pytest.fixture(scope="module")
def measured(content) -> Content:
    """A report's content in which nothing stands out."""
    assert content.evaluation
    assert content.robustness
    probabilities = [[0.0] * 7 for _ in content.evaluation.labels]
    for row, label in zip(probabilities, content.evaluation.labels, strict=True):
        row[label] = 1.0
    perfect = Score(value=1.0, low=1.0, high=1.0)
    evaluation = content.evaluation.model_copy(
        update={
            "accuracy": perfect,
            "per_class": tuple(
                row.model_copy(update={"recall": 1.0}) for row in content.evaluation.per_class
            ),
            "probabilities": tuple(map(tuple, probabilities)),
            "without_overlap": None,
        }
    )
    for computed in ("areas", "calibration_error", "log_loss"):  # once, and copied along
        evaluation.__dict__.pop(computed, None)
    steady = dict.fromkeys(CORRUPTIONS, (1.0,) * 5)
    robustness = content.robustness.model_copy(update={"clean": 1.0, "accuracy": steady})
    row = dict(content.history[0], train_accuracy=0.5)
    history = [{**row, "val_accuracy": 0.5}, {**row, "val_accuracy": 0.45}]
    return replace(content, evaluation=evaluation, robustness=robustness, history=history)


def test_where_nothing_stands_out_nothing_is_said(measured):
    assert advise(measured) == []


def test_overfitting(measured):
    last = {**measured.history[1], "train_accuracy": 0.9}
    (said,) = advise(replace(measured, history=[measured.history[0], last]))
    assert "training accuracy was 0.45 above validation accuracy" in said.sentence


def test_an_end_that_came_too_soon(measured):
    (said,) = advise(replace(measured, history=measured.history[::-1]))
    assert f"--set train.epochs={2 * measured.run.recipe.train.epochs}" in said.command
    assert said.command.startswith(f"mien train {measured.run.path}/recipe.toml --data ")


def test_a_rare_emotion_that_is_overlooked(measured):
    rows = [
        row.model_copy(update={"recall": 0.2, "images": 1}) if row.emotion == "disgust" else row
        for row in measured.evaluation.per_class
    ]
    evaluation = measured.evaluation.model_copy(update={"per_class": tuple(rows)})
    (said,) = advise(replace(measured, evaluation=evaluation))
    assert "misses disgust" in said.sentence
    assert "--set train.class_weights=balanced" in said.command


def test_confidence_that_is_off(measured):
    timid = tuple(
        tuple(0.4 if label == own else 0.1 for label in range(7))
        for own in measured.evaluation.labels
    )
    evaluation = measured.evaluation.model_copy(update={"probabilities": timid})
    evaluation.__dict__.pop("calibration_error", None)  # computed once, and copied along
    (said,) = advise(replace(measured, evaluation=evaluation))
    assert "off by 0.600 on average" in said.sentence
    assert "--set train.calibration_share=0.05" in said.command


def test_a_change_that_can_be_shown_in_training(measured):
    worse = dict.fromkeys(CORRUPTIONS, (1.0, 0.9, 0.8, 0.7, 0.6))
    robustness = measured.robustness.model_copy(update={"accuracy": worse})
    said = advise(replace(measured, robustness=robustness))
    commands = [one.command for one in said]
    assert [line for line in commands if "augment.rotation_degrees=15" in line]
    assert sum("augment.erasing" in line for line in commands) == 1  # eyes and mouth want the same
    assert not [one for one in said if "noise" in one.sentence or "JPEG" in one.sentence]


def test_duplicates_that_flatter(measured):
    rest = Score(value=0.9, low=0.8, high=1.0)
    without = WithoutOverlap(images=20, accuracy=rest, macro_f1=rest)
    evaluation = measured.evaluation.model_copy(update={"without_overlap": without})
    (said,) = advise(replace(measured, evaluation=evaluation))
    assert "raise its accuracy by 0.100" in said.sentence


def test_a_network_that_has_learned_nothing_is_only_told_to_learn(measured):
    bad = Score(value=0.3, low=0.1, high=0.5)
    evaluation = measured.evaluation.model_copy(update={"accuracy": bad})
    rare = [row.model_copy(update={"recall": 0.0, "images": 1}) for row in evaluation.per_class[:1]]
    evaluation = evaluation.model_copy(update={"per_class": (*rare, *evaluation.per_class[1:])})
    content = replace(measured, evaluation=evaluation)
    (said,) = advise(content)
    assert "Train longer" in said.sentence
    assert "--set train.epochs=20" in said.command
    assert SummarySection(content).verdict.startswith("Hardly better than guessing (0.300 against")


def test_the_verdict_names_the_best_and_the_weakest_class(measured):
    verdict = SummarySection(measured).verdict
    assert re.fullmatch(
        r"\w+ reads 100 of 100 faces as labelled; it is best on \w+, and \w+ is its weakness\.",
        verdict,
    )
