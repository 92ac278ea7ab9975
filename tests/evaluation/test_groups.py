from __future__ import annotations

import numpy as np
import pytest

from mien.evaluation import metrics
from mien.evaluation.groups import FEWEST, describe_gap, measure_groups

NAMES = ("calm", "cross", "keen")


def answers(count: int, accuracy: np.ndarray, seed: int = 0):
    """Labels, and probabilities that are right with the accuracy given for each image."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count)
    read = np.where(generator.random(count) < accuracy, labels, (labels + 1) % 3)
    return labels, np.eye(3)[read] * 0.7 + 0.1


def test_the_figures_of_a_group_are_those_of_its_images():
    labels, probabilities = answers(300, np.full(300, 0.7))
    groups = np.array(["a", "b", ""] * 100)
    (found,) = measure_groups(labels, probabilities, {"age": groups}, names=NAMES)
    assert [(one.group, one.images) for one in found.groups] == [("a", 100), ("b", 100)]
    assert found.ungrouped == 100
    for one in found.groups:
        mask = groups == one.group
        right = probabilities[mask].argmax(1) == labels[mask]
        assert one.accuracy.value == pytest.approx(right.mean())
        assert one.accuracy.low < one.accuracy.value < one.accuracy.high
        error = metrics.calibration_error(labels[mask], probabilities[mask])
        assert one.calibration_error.value == error
        for label, name in enumerate(NAMES):
            assert one.recall[name] == pytest.approx(right[labels[mask] == label].mean())


def test_a_gap_that_is_there_is_found():
    groups = np.repeat(["young", "old"], 400)
    labels, probabilities = answers(800, np.where(groups == "young", 0.8, 0.6))
    (found,) = measure_groups(labels, probabilities, {"age": groups}, names=NAMES)
    accuracy, macro_f1 = found.gaps
    assert (accuracy.figure, accuracy.highest, accuracy.lowest) == ("accuracy", "young", "old")
    values = {one.group: one.accuracy.value for one in found.groups}
    assert accuracy.value == pytest.approx(values["young"] - values["old"])
    assert accuracy.more_than_chance
    assert macro_f1.more_than_chance
    assert "young being highest and old lowest, which chance hardly explains" in describe_gap(
        "age", accuracy
    )


def test_groups_that_do_not_differ_are_called_different_as_rarely_as_promised():
    flagged = 0
    for seed in range(12):
        labels, probabilities = answers(120, np.full(120, 0.7), seed)
        groups = np.random.default_rng(1000 + seed).choice(["a", "b", "c"], 120)
        (found,) = measure_groups(labels, probabilities, {"x": groups}, names=NAMES)
        flagged += any(gap.more_than_chance for gap in found.gaps)
    assert flagged <= 3  # of 12; more have a probability of 0.2%


def test_p_values_are_adjusted_for_all_columns():
    labels, probabilities = answers(200, np.full(200, 0.7))
    generator = np.random.default_rng(3)
    columns = {name: generator.choice(["a", "b"], 200) for name in "pqr"}
    found = measure_groups(labels, probabilities, columns, names=NAMES)
    gaps = [gap for one in found for gap in one.gaps]
    assert len(gaps) == 6
    assert [gap.p_adjusted for gap in gaps] == metrics.holm([gap.p_value for gap in gaps])


def test_small_groups_are_shown_but_have_no_part_in_a_gap():
    groups = np.array(["large"] * 100 + ["small"] * (FEWEST - 1))
    labels, probabilities = answers(len(groups), np.full(len(groups), 0.7))
    (found,) = measure_groups(labels, probabilities, {"age": groups}, names=NAMES)
    assert [one.group for one in found.groups] == ["large", "small"]
    assert found.gaps == ()
