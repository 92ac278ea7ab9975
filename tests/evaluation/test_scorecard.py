"""The four figures, of readers whose answers are known beforehand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mien.bundle.bundle import Bundle
from mien.data.fer2013 import FERPLUS_VOTES
from mien.data.synthetic.faces import synthetic_faces
from mien.errors import DataError
from mien.evaluation import Evaluation, evaluate_bundle, scorecard
from mien.evaluation.robustness import STRENGTHS, measure_robustness
from mien.evaluation.scorecard import Scorecard, measure_scorecard
from mien.labels import FER2013

HAPPY, NEUTRAL = FER2013.names.index("happy"), FER2013.names.index("neutral")
FIGURES = (
    "label_agreement",
    "votes_agreement",
    "corruption_accuracy",
    "consistency",
    "survives_mirror",
    "survives_crop",
    "survives_shift",
)


class Reader:
    """A Bundle in all but name, which says happy where a rule holds and neutral elsewhere."""

    def __init__(self, rule):
        self.rule = rule

    def predict(self, images):
        probabilities = np.zeros((len(images), 7), np.float32)
        answers = np.where(self.rule(images), HAPPY, NEUTRAL)
        probabilities[np.arange(len(images)), answers] = 1
        return probabilities, probabilities


ALWAYS_HAPPY = Reader(lambda images: np.ones(len(images), bool))
BRIGHTER_LEFT = Reader(
    lambda images: images[:, :, :24].mean((1, 2)) > images[:, :, 24:].mean((1, 2))
)


def voted(faces, word="happiness", rows=slice(None)):
    """The faces, some of which all ten voters called the same."""
    votes = np.zeros((len(faces), 10), np.int8)
    votes[rows, FERPLUS_VOTES.index(word)] = 10
    return replace(faces, votes=votes)


def sided(count):
    """Faces that are bright on one side: those labelled happy on the left, the others right."""
    faces = synthetic_faces(count, seed=3)
    images, labels = np.full((count, 48, 48), 60, np.uint8), np.full(count, NEUTRAL)
    images[::2, :, :24] = 200
    images[1::2, :, 24:] = 200
    labels[::2] = HAPPY
    return voted(replace(faces, images=images, labels=labels))


def test_one_answer_for_all_is_consistent_and_as_right_as_it_is_common(faces):
    found = measure_scorecard(ALWAYS_HAPPY, voted(faces, rows=slice(0, 60)))
    happy = (faces.labels == HAPPY).mean()
    assert found.label_agreement.value == pytest.approx(happy)
    assert found.corruption_accuracy.value == pytest.approx(happy)
    assert found.label_agreement.images == found.consistency.images == len(faces)
    assert (found.votes_agreement.value, found.votes_agreement.images) == (1, 60)
    for name in ("consistency", "survives_mirror", "survives_crop", "survives_shift"):
        figure = getattr(found, name)
        assert (figure.low, figure.value, figure.high) == (1, 1, 1)
    assert found.mean == pytest.approx((2 * happy + 2) / 4)


def test_an_answer_that_depends_on_the_side_does_not_survive_the_mirror():
    found = measure_scorecard(BRIGHTER_LEFT, sided(40))
    assert found.label_agreement.value == 1
    assert found.votes_agreement.value == 0.5
    assert found.survives_mirror.value == 0
    assert found.survives_crop.value == found.survives_shift.value == 1
    assert found.consistency.value == pytest.approx(2 / 3)


def test_crops_and_shifts_move_the_face_as_stated():
    square = np.full((1, 48, 48), 20, np.uint8)
    square[:, 14:34, 14:34] = 220  # 10 px to each side of the centre; 9 px in the wider crop
    crops = [scorecard._crop(square, side) for side in (1.1, 1.0, 0.9)]
    assert [int((crop[0, 24] > 120).sum()) for crop in crops] == [18, 20, 22]
    assert np.array_equal(crops[1], square)
    dot = np.zeros((1, 48, 48), np.uint8)
    dot[0, 24, 20] = 255
    places = [tuple(np.argwhere(image[0])[0].tolist()) for image in scorecard._shifts(dot)]
    assert places == [(24, 17), (24, 23), (21, 20), (27, 20)]


def test_intervals_hold_their_value_and_seeds_repeat(run, faces):
    bundle, val = Bundle(run.bundle_path), voted(faces, rows=slice(0, None, 2)).val
    found = measure_scorecard(bundle, val)
    for name in FIGURES:
        figure = getattr(found, name)
        assert 0 <= figure.low <= figure.value <= figure.high <= 1
    assert found.consistency.value == pytest.approx(
        np.mean([getattr(found, name).value for name in FIGURES[4:]])
    )
    assert found.mean == pytest.approx(np.mean([one.value for one in found.four().values()]))
    assert measure_scorecard(bundle, val) == found
    assert measure_scorecard(bundle, val, seed=1) != found
    predictions = bundle.predict(val.images)[1].argmax(1)
    assert measure_scorecard(bundle, val, predictions=predictions) == found
    assert Scorecard.model_validate_json(found.model_dump_json()) == found


def test_corruption_accuracy_is_that_of_the_robustness_suite_on_the_drawn_faces(monkeypatch):
    monkeypatch.setattr(scorecard, "FACES", 15)
    faces = sided(40)
    found = measure_scorecard(BRIGHTER_LEFT, faces)
    suite = measure_robustness(BRIGHTER_LEFT, faces.images, faces.labels, faces=15)
    assert found.robustness == suite
    assert found.corruption_accuracy.value == pytest.approx(suite.mean)
    assert found.corruption_accuracy.images == found.consistency.images == 15
    assert found.label_agreement.images == 40
    assert {len(row) for row in found.robustness.accuracy.values()} == {STRENGTHS}


def test_one_face_is_enough():
    found = measure_scorecard(ALWAYS_HAPPY, sided(8).take(np.array([0])))
    assert all(getattr(found, name).images == 1 for name in FIGURES)
    assert found.mean == 1


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        (None, "no face of this split has FER+ votes, expected a Parquet file with the column"),
        (np.zeros((40, 10), np.int8), "no face of this split has FER+ votes"),
        (np.ones((40, 10), np.int8), "no face of this split has a FER+ majority among the labels"),
    ],
    ids=["no votes", "zeros", "ties"],
)
def test_without_a_majority_there_is_no_scorecard_and_the_reason_is_stated(run, votes, reason):
    faces = replace(sided(40), votes=votes)
    with pytest.raises(DataError) as error:
        measure_scorecard(ALWAYS_HAPPY, faces)
    assert str(error.value).startswith(f"{faces.name}: {reason}")
    assert "\n" not in str(error.value)
    faces = replace(faces, splits=np.full(40, "val"))
    evaluation = evaluate_bundle(Bundle(run.bundle_path), faces, "val", scorecard=True)
    assert evaluation.scorecard is None
    assert reason in evaluation.no_scorecard


def test_an_evaluation_carries_it_where_it_is_asked_for(run, faces, tmp_path):
    bundle, faces = Bundle(run.bundle_path), voted(faces)
    evaluation = evaluate_bundle(bundle, faces, "val", scorecard=True)
    assert evaluation.no_scorecard == ""
    assert evaluation.scorecard == measure_scorecard(bundle, faces.val)
    headline, figure = evaluation.accuracy, evaluation.scorecard.label_agreement
    assert (figure.value, figure.low, figure.high) == (headline.value, headline.low, headline.high)
    evaluation.save(tmp_path / "kept.json")
    assert Evaluation.load(tmp_path / "kept.json") == evaluation
    summary = evaluation.summary().model_dump(mode="json")["scorecard"]
    assert summary["consistency"]["images"] == len(faces.val)
    assert json.dumps(summary)
    assert evaluate_bundle(bundle, faces, "val").scorecard is None
    flipped = evaluate_bundle(bundle, faces, "val", tta="flip", scorecard=True)
    assert flipped.scorecard is None
    assert "without test-time augmentation" in flipped.no_scorecard


def test_an_evaluation_that_was_stored_before_can_be_read(run, tmp_path):
    old = json.loads(run.evaluation_path("val").read_text())
    old.pop("scorecard")
    old.pop("no_scorecard")
    (tmp_path / "old.json").write_text(json.dumps(old))
    assert Evaluation.load(tmp_path / "old.json").scorecard is None
