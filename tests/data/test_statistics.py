"""A data set in figures: each is computed by hand here."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mien.data import FaceDataset
from mien.data.fer2013 import FERPLUS_VOTES
from mien.data.statistics import (
    SizeCount,
    Spread,
    count_sizes,
    explore,
    gray_levels,
    mean_faces,
    sample_classes,
    spread,
)
from mien.data.votes import NO_MAJORITY, find_majorities, measure_agreement
from mien.errors import DataError
from mien.images.crop import CropSpec
from mien.labels import BUILT_IN, FER2013, LabelSet

ANGRY, HAPPY, NEUTRAL = 0, 3, 6


def dataset_of(levels, labels, splits=None, votes=None, **others):
    """A data set of flat images."""
    count = len(levels)
    crop = others.get("crop", CropSpec())
    images = np.empty((count, *crop.shape), np.uint8)
    images[:] = np.array(levels, np.uint8).reshape(count, *(1 for _ in crop.shape))
    return FaceDataset(
        images=images,
        labels=np.array(labels, np.int64),
        splits=np.array(splits or ["train"] * count),
        ids=np.array([f"row {number}" for number in range(1, count + 1)]),
        votes=votes,
        **others,
    )


def votes_of(**counts):
    return [counts.get(name, 0) for name in FERPLUS_VOTES]


def test_gray_levels_are_mean_and_standard_deviation():
    images = np.zeros((1500, 2, 2), np.uint8)  # more than one block
    images[0] = [[0, 0], [255, 255]]
    images[1499] = [[10, 20], [30, 40]]
    means, deviations = gray_levels(images)
    assert (means[0], deviations[0]) == (127.5, 127.5)
    assert (means[1499], deviations[1499]) == (25, pytest.approx(125**0.5))
    assert means[1:1499].any() == deviations[1:1499].any() == False  # noqa: E712


def test_spread_takes_percentiles():
    assert spread(np.arange(101)) == Spread(101, 5, 25, 50, 75, 95)
    assert spread(np.array([7.0])) == Spread(1, 7, 7, 7, 7, 7)
    assert spread(np.array([])) is None


def test_figures_of_a_small_data_set():
    found = explore(dataset_of([0, 100, 200], [HAPPY, HAPPY, ANGRY], ["train", "train", "val"]))
    assert list(found.counts) == ["train", "val"]
    assert found.counts["train"]["happy"] == 2
    assert found.class_counts() == {**dict.fromkeys(FER2013.names, 0), "angry": 1, "happy": 2}
    assert found.intensity["happy"] == Spread(2, 5, 25, 50, 75, 95)
    assert found.intensity["angry"].median == 200
    assert found.intensity["fear"] is found.contrast["fear"] is None
    assert found.intensity_of_all.median == 100
    assert found.contrast_of_all == Spread(3, 0, 0, 0, 0, 0)
    assert found.sizes == (SizeCount(48, 48, 3),)
    assert found.votes is None


def test_nothing_to_explore_is_an_error(faces):
    with pytest.raises(DataError, match="has no images"):
        explore(faces.take(np.array([], int)))


def test_the_mean_face_is_the_mean_of_its_class_alone():
    means = mean_faces(dataset_of([10, 21, 250], [HAPPY, HAPPY, ANGRY]))
    assert list(means) == ["angry", "happy"]
    assert np.unique(means["happy"]).tolist() == [16]  # 15.5, rounded
    assert np.unique(means["angry"]).tolist() == [250]


def test_samples_are_of_their_class_without_repeats_and_by_seed(faces):
    drawn = sample_classes(faces, 10, np.random.default_rng(0))
    for label, rows in enumerate(drawn.values()):
        assert set(faces.labels[rows]) == {label}
        assert len(set(rows)) == len(rows) == min(10, np.count_nonzero(faces.labels == label))
    assert drawn == sample_classes(faces, 10, np.random.default_rng(0))
    assert drawn != sample_classes(faces, 10, np.random.default_rng(1))
    assert sample_classes(dataset_of([1], [HAPPY]), 10, np.random.default_rng(0)) == {
        **{emotion: [] for emotion in FER2013.names}, "happy": [0],
    }  # fmt: skip


def test_a_majority_is_the_vote_with_the_most_counts_and_a_tie_is_none():
    votes = np.array(
        [
            votes_of(happiness=4, neutral=3, sadness=3),
            votes_of(happiness=5, neutral=5),
            votes_of(NF=10),
            votes_of(),
        ],
        np.int8,
    )
    assert find_majorities(votes).tolist() == [1, NO_MAJORITY, 9, NO_MAJORITY]


def test_agreement_leaves_out_ties_and_what_names_no_expression():
    votes = np.array(
        [
            votes_of(happiness=10),
            votes_of(contempt=6, happiness=4),  # compared, and agrees with no label
            votes_of(happiness=5, neutral=5),
            votes_of(unknown=8, happiness=2),
            votes_of(NF=9),
            votes_of(),  # no votes
            votes_of(neutral=7, anger=3),
            votes_of(neutral=7, anger=2),
        ],
        np.int8,
    )
    labels = np.array([HAPPY] * 6 + [ANGRY, NEUTRAL])
    found = measure_agreement(votes, labels)
    happy = found.by_label["happy"]
    assert (happy.images, happy.compared, happy.agreeing, happy.share) == (5, 2, 1, 0.5)
    named = {name: count for name, count in happy.majorities.items() if count}
    assert named == {"happiness": 1, "contempt": 1, "unknown": 1, "NF": 1, "tie": 1}
    assert (found.by_label["angry"].share, found.by_label["neutral"].share) == (0, 1)
    assert found.by_label["fear"].share is None
    assert (found.overall.images, found.overall.compared, found.overall.agreeing) == (7, 4, 2)
    assert found.overall.majorities["neutral"] == 2
    assert found.mean_voters == pytest.approx((10 * 5 + 9 * 2) / 7)
    assert found.mean_agreeing_voters == pytest.approx((10 + 6 + 5 + 8 + 9 + 7 + 7) / 7)


def test_every_expression_that_most_voted_for_agrees_with_its_label():
    names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    votes = np.array([votes_of(**{name: 10}) for name in names], np.int8)
    assert measure_agreement(votes, np.arange(7)).overall.share == 1


def test_no_votes_at_all():
    dataset = dataset_of([1, 2], [HAPPY, ANGRY], votes=np.zeros((2, 10), np.int8))
    assert explore(dataset).votes is None


def test_sizes_are_counted_the_most_frequent_first():
    assert count_sizes([(48, 48), (9, 30), (9, 30), (20, 20)]) == (
        SizeCount(9, 30, 2), SizeCount(48, 48, 1), SizeCount(20, 20, 1),
    )  # fmt: skip


def test_plain_figures_only(faces):
    votes = np.tile(np.array(votes_of(happiness=10), np.int8), (len(faces), 1))
    kinds = set()

    def walk(value):
        if isinstance(value, dict | list | tuple):
            for part in value.values() if isinstance(value, dict) else value:
                walk(part)
        else:
            kinds.add(type(value))

    walk(dataclasses.asdict(explore(dataclasses.replace(faces, votes=votes))))
    assert kinds <= {str, int, float, type(None)}


TWENTY = LabelSet(tuple(f"kind {number}" for number in range(20)))


def test_gray_levels_of_colour_are_its_luminance():
    images = np.zeros((300, 48, 48, 3), np.uint8)
    images[7] = (255, 0, 0)
    images[299, :24] = (0, 200, 0)
    means, deviations = gray_levels(images)
    assert (means[7], deviations[7]) == (76, 0)  # 0.299 * 255
    assert means[299] == pytest.approx(0.587 * 200 / 2, abs=0.5)
    assert deviations[299] == pytest.approx(0.587 * 200 / 2, abs=0.5)


def test_figures_of_other_classes_and_crops():
    """Twenty classes, most of them without images and one with a single one."""
    dataset = dataset_of(
        [0, 100, 200], [3, 3, 19], label_set=TWENTY, crop=CropSpec(112, 3), votes=None
    )
    found = explore(dataset)
    assert list(found.counts["train"]) == list(TWENTY.names)
    assert found.class_counts()["kind 3"] == 2
    assert found.intensity["kind 19"] == Spread(1, 200, 200, 200, 200, 200)
    assert found.intensity["kind 0"] is None
    assert found.sizes == (SizeCount(112, 112, 3),)
    assert found.crop == CropSpec(112, 3)
    assert list(sample_classes(dataset, 1, np.random.default_rng(0))) == list(TWENTY.names)


def test_the_mean_face_of_a_class_in_colour():
    dataset = dataset_of([0, 0, 0], [0, 0, 1], label_set=TWENTY, crop=CropSpec(24, 3))
    images = dataset.images.copy()
    images[0], images[1], images[2] = (10, 20, 30), (20, 40, 61), 9
    means = mean_faces(dataclasses.replace(dataset, images=images))
    assert list(means) == ["kind 0", "kind 1"]
    assert means["kind 0"].shape == (24, 24, 3)
    assert means["kind 0"][0, 0].tolist() == [15, 30, 46]  # 45.5, rounded


def test_blocks_of_a_mapped_file_give_what_one_array_gives(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (1200, 48, 48), np.uint8)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert np.array_equal(gray_levels(mapped), [images.mean((1, 2)), images.std((1, 2))])
    dataset = dataclasses.replace(dataset_of([0] * 1200, [0] * 600 + [1] * 600), images=mapped)
    expected = np.rint(images[:600].mean(0)).astype(np.uint8)
    assert np.array_equal(mean_faces(dataset)["angry"], expected)


def test_agreement_with_votes_is_measured_of_fer2013s_labels_alone():
    votes = np.zeros((2, 10), np.int8)
    votes[:, 0] = 10
    of_fer2013 = dataset_of([1, 2], [HAPPY, NEUTRAL], votes=votes)
    assert explore(of_fer2013).votes.overall.share == 0.5
    others = dataclasses.replace(of_fer2013, label_set=BUILT_IN["ferplus"])
    assert explore(others).votes is None
