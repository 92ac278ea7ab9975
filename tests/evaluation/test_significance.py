"""Comparing evaluations: who is ranked with whom, and which differences are more than chance."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bundles import write_bundle

from mien.bundle.bundle import Bundle
from mien.bundle.scores import Protocol
from mien.evaluation.evaluate import evaluate_probabilities
from mien.evaluation.significance import ComparedRun, compare, measure_latency
from mien.images.crop import DEFAULT_CROP, CropSpec
from mien.labels import FER2013

LABELS = np.random.default_rng(0).integers(0, 7, 300)


def compared(name, accuracy, *, names=FER2013.names, crop=DEFAULT_CROP, **protocol):
    """Return a network that reads the first share of the images right and the others wrong."""
    right = np.arange(len(LABELS)) < accuracy * len(LABELS)
    read = np.where(right, LABELS, (LABELS + 1) % 7)
    evaluation = evaluate_probabilities(
        LABELS,
        np.eye(7)[read] * 0.7 + 0.3 / 7,
        Protocol(
            **{
                "model": name, "data": "faces", "fingerprint": "whole", "split": "test",
                "images": len(LABELS), "split_rule": "as the files say", "split_fingerprint": "a",
                **protocol,
            }
        ),
        names=names,
    )  # fmt: skip
    return ComparedRun(name, evaluation, crop, 10, 20, 1.0, 0.1, [], 1, "quick")


def test_the_same_images_are_ranked_and_tested_in_pairs():
    comparison = compare([compared("low", 0.5), compared("high", 0.8), compared("mid", 0.79)])
    (group,) = comparison.groups
    assert [one.name for one in group.runs] == ["high", "mid", "low"]
    assert [(pair.better, pair.worse) for pair in group.pairs] == [
        ("high", "mid"), ("high", "low"), ("mid", "low"),
    ]  # fmt: skip
    close, far, _ = group.pairs
    assert (close.only_better, close.only_worse) == (3, 0)
    assert close.p_value == pytest.approx(2 / 8)
    assert (far.only_better, far.only_worse) == (90, 0)
    assert far.p_adjusted == pytest.approx(3 * 2 / 2**90)
    assert comparison.why_apart == ""


def test_other_images_are_not_ranked_together():
    comparison = compare([compared("a", 0.5), compared("b", 0.9, split_fingerprint="other")])
    assert [len(group.runs) for group in comparison.groups] == [1, 1]
    assert [group.pairs for group in comparison.groups] == [(), ()]
    assert "contain different images" in comparison.why_apart
    assert "a: test split of faces, 300 images" in comparison.why_apart


@pytest.mark.parametrize("flag", ["chosen_on_split", "trained_on_split"])
def test_a_flattered_score_is_not_ranked_with_an_honest_one(flag):
    comparison = compare([compared("a", 0.5), compared("b", 0.9, **{flag: True})])
    assert len(comparison.groups) == 2
    assert "the same images chose the weights of some of them" in comparison.why_apart


def test_latency_is_a_time(run):
    assert 0 < measure_latency(Bundle(run.bundle_path)) < 1000


def test_runs_of_other_labels_are_not_ranked_together_and_it_says_what_each_has():
    names = tuple("abcdefg")
    comparison = compare(
        [compared("ours", 0.5), compared("theirs", 0.9, names=names, split_fingerprint="other")]
    )
    assert [len(group.runs) for group in comparison.groups] == [1, 1]
    assert comparison.why_apart == (
        "Not ranked together, because their labels differ (ours: "
        f"{', '.join(FER2013.names)}; theirs: a, b, c, d, e, f, g). To rank them, train them on "
        "the same labels."
    )


def test_runs_of_other_crops_are_not_ranked_together_and_it_says_what_each_has():
    large = CropSpec(112, 3)
    comparison = compare(
        [compared("small", 0.5), compared("large", 0.9, crop=large, split_fingerprint="other")]
    )
    assert [group.pairs for group in comparison.groups] == [(), ()]
    assert comparison.why_apart == (
        "Not ranked together, because their face crops differ (small: 48×48 gray; large: 112×112 "
        "colour). To rank them, train them on crops of the same size and colours (data.size_px "
        "and data.channels)."
    )


def test_the_latency_is_measured_on_crops_of_the_bundle(tmp_path):
    path = write_bundle(tmp_path / "colours.onnx", crop=CropSpec(96, 3))
    assert 0 < measure_latency(Bundle(path)) < 1000
