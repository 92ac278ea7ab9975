from __future__ import annotations

import numpy as np
import pytest

from mien.errors import MienError
from mien.evaluation import metrics
from mien.evaluation.calibration import (
    AnswerSettings,
    calibrate,
    choose_threshold,
    fit_map,
    fit_temperature,
    risk_coverage,
    softmax,
)


def honest(count, seed, temperature=1.0, *, classes=7):
    """Logits whose probabilities at `temperature` are true: labels are drawn by them."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (count, classes))
    labels = np.array([generator.choice(classes, p=row) for row in softmax(logits)])
    return (logits * temperature).astype(np.float32), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_is_found_again(temperature):
    logits, labels = honest(20_000, 0, temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


def test_calibrating_corrects_overconfidence():
    logits, labels = honest(4_000, 1, temperature=2.5)
    found = calibrate(logits, labels)
    assert found.error_before > 0.1
    assert found.error_after < 0.03
    assert found.images == 4_000
    assert found.accuracy == pytest.approx((logits.argmax(1) == labels).mean(), abs=0.01)


def test_a_map_corrects_what_no_temperature_can():
    true, labels = honest(20_000, 4)
    true -= true.mean(1, keepdims=True)
    skew = np.array([2.0, 0, 0, 0, 0, 0, -1])  # one emotion given too often, one too rarely
    logits = true * np.array([1, 1, 1, 1.5, 1, 1, 0.7]) + skew
    matrix, bias = fit_map(logits, labels)
    least = metrics.log_loss(labels, softmax(true))
    tempered = softmax(logits / fit_temperature(logits, labels))
    assert metrics.log_loss(labels, tempered) > least + 0.05
    assert metrics.log_loss(labels, softmax(logits @ matrix + bias)) < least + 0.002


def test_of_few_images_a_temperature_is_what_comes_out():
    logits, labels = honest(12, 5, temperature=2)
    matrix, bias = fit_map(logits, labels)
    expected = softmax(logits / fit_temperature(logits, labels))
    assert np.abs(softmax(logits @ matrix + bias) - expected).mean() < 0.03


def test_a_constant_added_to_all_the_logits_of_an_image_changes_nothing():
    logits, labels = honest(500, 6)
    matrix, bias = fit_map(logits, labels)
    shifted = logits + np.random.default_rng(0).normal(0, 5, (500, 1))
    again = softmax(shifted @ matrix + bias)
    np.testing.assert_allclose(again, softmax(logits @ matrix + bias), atol=1e-6)
    matrix, bias = fit_map(shifted, labels)
    np.testing.assert_allclose(softmax(logits @ matrix + bias), again, atol=1e-3)


def test_what_is_answered_reaches_the_target_on_other_images():
    logits, labels = honest(6_000, 2)
    found = calibrate(logits, labels, target=0.85)
    assert found.answered_accuracy == pytest.approx(0.85, abs=0.02)
    assert 0.05 < found.coverage < 0.95
    others, their_labels = honest(6_000, 3)
    sure = softmax(others).max(1) >= found.uncertain_below
    assert (others.argmax(1) == their_labels)[sure].mean() == pytest.approx(0.85, abs=0.03)


def test_the_threshold_answers_as_many_as_it_can():
    probabilities = np.zeros((4, 7))
    probabilities[:, 0] = (0.9, 0.8, 0.7, 0.6)
    labels = np.array([0, 1, 0, 0])  # accuracies from above: 1, 1/2, 2/3, 3/4
    assert choose_threshold(probabilities, labels, 0.75) == pytest.approx(0.6)
    assert choose_threshold(probabilities, labels, 0.9) == pytest.approx(0.9)


def test_where_nothing_reaches_the_target_only_certainty_is_answered():
    probabilities = np.full((10, 7), 0.1)
    probabilities[:, 2] = 0.4
    assert choose_threshold(probabilities, np.zeros(10, np.int64), 0.85) == 1.0


def test_risk_and_coverage_by_hand():
    probabilities = np.zeros((4, 7))
    probabilities[:, 3] = (0.5, 0.9, 0.5, 0.7)
    labels = np.array([3, 3, 0, 0])
    thresholds, coverage, risk = risk_coverage(probabilities, labels)
    assert thresholds.tolist() == [0.9, 0.7, 0.5]  # the two of 0.5 go together
    assert coverage.tolist() == [0.25, 0.5, 1.0]
    assert risk.tolist() == [0.0, 0.5, 0.5]


def test_reliability_and_the_calibration_error_agree():
    logits, labels = honest(3_000, 4, temperature=2)
    probabilities = softmax(logits)
    found = metrics.reliability(labels, probabilities)
    assert found.images.sum() == 3_000
    filled = found.images > 0
    gaps = np.abs(found.confidence - found.accuracy)[filled]
    error = (gaps * found.images[filled]).sum() / 3_000
    assert metrics.calibration_error(labels, probabilities) == pytest.approx(error)


def test_a_gate_moves_the_threshold_and_no_answer():
    logits, labels = honest(2_000, 5)
    gate = np.where(np.arange(2_000) % 4, 1.0, 0.1)
    plain, gated = calibrate(logits, labels), calibrate(logits, labels, gate=gate)
    assert (gated.matrix, gated.bias) == (plain.matrix, plain.bias)
    assert (gated.accuracy, gated.error_before) == (plain.accuracy, plain.error_before)
    assert gated.coverage < plain.coverage
    assert gated.error_after > plain.error_after
    assert calibrate(logits, labels, gate=np.ones(2_000)) == plain


def test_a_prior_that_is_taken_out_lifts_rare_classes_and_is_part_of_the_map():
    logits, labels = honest(4_000, 7)
    shares = np.array([0.4, 0.3, 0.1, 0.1, 0.05, 0.03, 0.02])
    plain = calibrate(logits, labels)
    found = calibrate(
        logits, labels, settings=AnswerSettings(prior_share=0.5, log_prior=np.log(shares))
    )
    before, after = (
        (logits @ np.array(one.matrix) + np.array(one.bias)).argmax(1) for one in (plain, found)
    )
    assert (after == 6).mean() > (before == 6).mean()
    assert (after == 0).mean() < (before == 0).mean()
    assert (found.offset, found.temperature, found.votes_share) == ((), 1.0, 0.0)
    assert found.prior_share == 0.5


def test_mixed_answers_are_calibrated_as_a_whole():
    logits, labels = honest(4_000, 8)
    votes = 3 * honest(4_000, 9)[0]  # of other images, and surer than they should be
    settings = AnswerSettings(votes_share=0.4)
    found = calibrate(logits, labels, votes_logits=votes, settings=settings)
    assert found.votes_share == 0.4
    assert found.temperature != 1
    mapped = logits @ np.array(found.matrix) + np.array(found.bias)
    mixed = 0.6 * softmax(mapped) + 0.4 * softmax(votes)
    answer = softmax(np.log(mixed) / found.temperature)
    error = metrics.calibration_error(labels, answer)
    assert error == pytest.approx(found.error_after, abs=0.02)
    assert metrics.log_loss(labels, answer) < metrics.log_loss(labels, mixed)


def test_too_few_images_are_refused():
    with pytest.raises(MienError, match="the calibration split has 3 images, expected at least 10"):
        calibrate(np.zeros((3, 7)), np.zeros(3, np.int64))


@pytest.mark.parametrize("classes", [2, 8])
def test_other_numbers_of_classes_are_calibrated_one_without_images_too(classes):
    logits, labels = honest(1_500, 6, temperature=2.5, classes=classes)
    kept = labels != 1 if classes > 2 else np.full(len(labels), True)
    found = calibrate(logits[kept], labels[kept])
    assert np.shape(found.matrix) == (classes, classes)
    assert np.shape(found.bias) == (classes,)
    assert found.error_after < found.error_before
    settings = AnswerSettings(votes_share=0.3)
    mixed = calibrate(logits, labels, votes_logits=logits, settings=settings)
    assert mixed.offset == (0,) * classes
