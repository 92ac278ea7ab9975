from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from sklearn import metrics as theirs
from tests.evaluation.conftest import make_up

from mien.evaluation import metrics as ours
from mien.labels import FER2013


def test_confusion_accuracy_and_f1_are_scikit_learns(case):
    labels, probabilities = case
    classes = probabilities.shape[1]
    predictions = probabilities.argmax(1)
    confusion = ours.confusion_matrix(labels, predictions, classes)
    present = np.unique(labels)
    np.testing.assert_array_equal(
        confusion, theirs.confusion_matrix(labels, predictions, labels=range(classes))
    )
    assert ours.accuracy(confusion) == pytest.approx(theirs.accuracy_score(labels, predictions))
    for name, ours_of in (("macro", ours.macro_f1), ("weighted", ours.weighted_f1)):
        expected = theirs.f1_score(labels, predictions, labels=present, average=name)
        assert ours_of(confusion) == pytest.approx(expected)


def test_class_scores_are_scikit_learns(case):
    labels, probabilities = case
    classes = probabilities.shape[1]
    predictions = probabilities.argmax(1)
    present = np.unique(labels)
    scores = ours.class_scores(ours.confusion_matrix(labels, predictions, classes))
    precision, recall, f1, support = theirs.precision_recall_fscore_support(
        labels, predictions, labels=present, zero_division=0
    )
    for got, expected in (
        (scores.precision, precision), (scores.recall, recall), (scores.f1, f1),
        (scores.support, support),
    ):  # fmt: skip
        np.testing.assert_allclose(got[present], expected)
    absent = sorted(set(range(classes)) - set(present.tolist()))
    assert np.isnan(scores.f1[absent]).all()


def test_auc_is_scikit_learns(case):
    labels, probabilities = case
    classes = probabilities.shape[1]
    areas = ours.class_auc(labels, probabilities)
    for label in range(classes):
        if label in labels:
            expected = theirs.roc_auc_score(labels == label, probabilities[:, label])
            assert areas[label] == pytest.approx(expected)
        else:
            assert np.isnan(areas[label])
    assert ours.macro_auc(labels, probabilities) == pytest.approx(np.nanmean(areas))


def test_weighted_auc_is_that_of_the_images_repeated():
    labels, probabilities = make_up(60, decimals=1)
    weights = np.random.default_rng(1).multinomial(60, np.full(60, 1 / 60), 3)
    areas = ours._weighted_auc(labels, probabilities, weights)
    for row, counts in zip(areas, weights, strict=True):
        rows = np.repeat(np.arange(60), counts)
        np.testing.assert_allclose(row, ours.class_auc(labels[rows], probabilities[rows]))


def test_the_interval_is_that_of_drawing_images():
    labels, probabilities = make_up(500)
    predictions = probabilities.argmax(1)
    low, high = ours.bootstrap_interval(
        ours.confusion_matrix(labels, predictions, len(FER2013)), ours.macro_f1
    )
    generator, drawn = np.random.default_rng(1), []
    for _ in range(800):
        rows = generator.integers(0, 500, 500)
        confusion = ours.confusion_matrix(labels[rows], predictions[rows], len(FER2013))
        drawn.append(float(ours.macro_f1(confusion)))
    assert (low, high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.012)


def test_the_interval_of_the_area_is_that_of_drawing_images():
    labels, probabilities = make_up(300)
    low, high = ours.macro_auc_interval(labels, probabilities)
    generator, drawn = np.random.default_rng(1), []
    for _ in range(400):
        rows = generator.integers(0, 300, 300)
        drawn.append(ours.macro_auc(labels[rows], probabilities[rows]))
    assert (low, high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.012)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """Forty samples from a classifier of known accuracy: 95% of them is 38."""
    generator, covered = np.random.default_rng(1), 0
    for _ in range(40):
        labels = generator.integers(0, len(FER2013), 400)
        wrong = generator.random(400) > 0.7
        predictions = np.where(wrong, (labels + 1) % len(FER2013), labels)
        confusion = ours.confusion_matrix(labels, predictions, len(FER2013))
        low, high = ours.bootstrap_interval(confusion, ours.accuracy)
        covered += low <= 0.7 <= high
    assert covered >= 34


def test_one_image_and_one_class_give_no_nonsense():
    labels, probabilities = np.array([3]), np.full((1, len(FER2013)), 1 / len(FER2013))
    confusion = ours.confusion_matrix(labels, np.array([3]), len(FER2013))
    assert ours.accuracy(confusion) == ours.macro_f1(confusion) == 1
    assert np.isnan(ours.macro_auc(labels, probabilities))
    assert np.isnan(ours.macro_auc_interval(labels, probabilities)).all()


def test_log_loss_is_scikit_learns():
    labels, probabilities = make_up(700)
    expected = theirs.log_loss(labels, probabilities, labels=range(7))
    assert ours.log_loss(labels, probabilities) == pytest.approx(expected, rel=1e-6)


def test_calibration_error_of_a_known_case():
    # bin 12 of 15 (0.8 to 0.867): confidence 0.85, 3 of 4 right; bin 7: confidence 0.5, 1 of 1
    probabilities = np.full((5, 7), 0.025)
    probabilities[:4, 0], probabilities[4, 0] = 0.85, 0.5
    probabilities[4, 1:] = 0.5 / 6
    labels = np.array([0, 0, 0, 3, 0])
    expected = (4 * abs(0.85 - 0.75) + 1 * abs(0.5 - 1)) / 5
    assert ours.calibration_error(labels, probabilities) == pytest.approx(expected)


def test_calibration_error_of_a_sure_network_is_its_error():
    probabilities = np.eye(7)[[0, 1, 2, 3]]  # confidence 1, which is in the last bin
    assert ours.calibration_error(np.array([0, 1, 2, 6]), probabilities) == pytest.approx(0.25)


@pytest.mark.parametrize(("only_ours", "only_theirs"), [(0, 0), (5, 5), (1, 9), (310, 262), (0, 7)])
def test_mcnemar_is_the_exact_binomial_test(only_ours, only_theirs):
    first_right = np.repeat([True, False, True, False], [only_ours, only_theirs, 40, 3])
    second_right = np.repeat([False, True, True, False], [only_ours, only_theirs, 40, 3])
    first, second, p_value = ours.mcnemar(first_right, second_right)
    assert (first, second) == (only_ours, only_theirs)
    discordant, fewer = only_ours + only_theirs, min(only_ours, only_theirs)
    tail = sum(math.comb(discordant, count) for count in range(fewer + 1))  # of a fair coin
    assert p_value == pytest.approx(min(1.0, 2 * tail / 2**discordant))


def test_holm_against_a_case_by_hand():
    # sorted: 0.01 × 4, 0.02 × 3, 0.03 × 2 (= 0.06), 0.5 × 1; never smaller than the one before
    assert ours.holm([0.02, 0.5, 0.01, 0.03]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert ours.holm([0.9, 0.8]) == [1.0, 1.0]
    assert ours.holm([]) == []


def test_what_needs_scipy_says_how_to_get_it():
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "import numpy as np\n"
        "from mien.errors import MienError\n"
        "from mien.evaluation.metrics import mcnemar\n"
        "try:\n    mcnemar(np.array([True]), np.array([False]))\n"
        "except MienError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "comparing runs needs scipy: pip install 'mien[report]'\n"


def test_the_interval_of_a_paired_difference_covers_the_truth_about_95_times_in_100():
    generator = np.random.default_rng(0)
    images, first, second = 200, 0.15, 0.10  # shares of images that only one reads correctly
    covered = 0
    for _ in range(2000):
        only_ours, only_theirs, _ = generator.multinomial(
            images, [first, second, 1 - first - second]
        )
        difference, low, high = ours.paired_difference(only_ours, only_theirs, images)
        assert low <= difference <= high
        covered += low <= first - second <= high
    assert 0.93 < covered / 2000 < 0.97


def test_a_paired_difference_swaps_its_sign_with_its_sides():
    difference, low, high = ours.paired_difference(30, 10, 100)
    assert difference == 0.2
    assert ours.paired_difference(10, 30, 100) == (-difference, -high, -low)
