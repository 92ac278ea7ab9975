from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as theirs

from mien.evaluation import curves as ours
from mien.labels import FER2013


def test_curves_are_scikit_learns(case):
    labels, probabilities = case
    for label in np.unique(labels):
        positive, scores = labels == label, probabilities[:, label]
        false_rate, true_rate = ours.roc_curve(positive, scores)
        expected = theirs.roc_curve(positive, scores, drop_intermediate=False)
        np.testing.assert_allclose(false_rate, expected[0])
        np.testing.assert_allclose(true_rate, expected[1])
        recall, precision = ours.precision_recall_curve(positive, scores)
        their_precision, their_recall, _ = theirs.precision_recall_curve(positive, scores)
        np.testing.assert_allclose(recall, their_recall[:-1][::-1])
        np.testing.assert_allclose(precision, their_precision[:-1][::-1])
        assert ours.average_precision(recall, precision) == pytest.approx(
            theirs.average_precision_score(positive, scores)
        )


def test_areas_are_scikit_learns(case):
    labels, probabilities = case
    names = [f"class {label}" for label in range(probabilities.shape[1])]
    areas = ours.measure_areas(labels, probabilities, names)
    truth = labels[:, None] == np.arange(len(names))
    present = [label for label in range(len(names)) if truth[:, label].any()]
    for label, name in enumerate(names):
        if label not in present:
            assert areas.roc[name] is None
            assert areas.precision[name] is None
            continue
        of_class = truth[:, label], probabilities[:, label]
        assert areas.roc[name] == pytest.approx(theirs.roc_auc_score(*of_class))
        expected = theirs.average_precision_score(*of_class)
        assert areas.precision[name] == pytest.approx(expected)
    seen, scores = truth[:, present], probabilities[:, present]
    assert areas.roc_macro == pytest.approx(theirs.roc_auc_score(seen, scores, average="macro"))
    assert areas.precision_macro == pytest.approx(
        theirs.average_precision_score(seen, scores, average="macro")
    )
    pooled = truth.ravel(), probabilities.ravel()
    assert areas.roc_micro == pytest.approx(theirs.roc_auc_score(*pooled))
    assert areas.precision_micro == pytest.approx(theirs.average_precision_score(*pooled))


def test_one_image_has_what_can_be_had():
    areas = ours.measure_areas(np.array([3]), np.eye(7)[[3]], FER2013.names)
    assert set(areas.roc.values()) == {None}
    assert areas.roc_macro is None
    assert areas.roc_micro == 1.0
    assert areas.precision["happy"] == 1.0


def test_the_macro_curve_lies_between_the_classes(case):
    labels, probabilities = case
    false_rates, means = ours.macro_roc_curve(labels, probabilities)
    assert (false_rates[0], means[0], false_rates[-1], means[-1]) == (0, 0, 1, 1)
    assert (np.diff(false_rates) >= 0).all()
    curves = [
        ours.roc_curve(labels == label, probabilities[:, label]) for label in np.unique(labels)
    ]
    at_half = [np.interp(0.5, *curve) for curve in curves]
    assert min(at_half) <= np.interp(0.5, false_rates, means) <= max(at_half)
