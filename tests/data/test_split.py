from __future__ import annotations

import numpy as np
import pytest

from mien.data.duplicates.groups import group_exact
from mien.data.split import AS_STATED, SPLITS, assign_splits, parse_fractions, split_of
from mien.errors import DataError

LABELS = np.repeat(np.arange(7), [100, 10, 100, 200, 100, 100, 100]).astype(np.int64)
UNSTATED = np.full(len(LABELS), "", "<U5")


@pytest.mark.parametrize(
    ("word", "split"),
    [("Training", "train"), ("PublicTest", "val"), ("PrivateTest", "test"), (" VALID ", "val"),
     ("Train-Set", "train"), ("training data", "train"), ("validation_images", "val"),
     ("private test", "test"), ("TestFaces", "test"), ("development", "val"),
     ("holdout", None), ("evaluation", None), ("data", None), ("data set", None),
     ("contest", None), ("_", None), ("", None)],
)  # fmt: skip
def test_words_for_splits(word, split):
    assert split_of(word) == split


def test_unstated_splits_are_70_15_15_in_every_class():
    splits, rule = assign_splits(UNSTATED, LABELS, seed=1)
    assert rule == "stratified 70/15/15, seed 1; the files name no split"
    for label, count in enumerate([100, 10, 100, 200, 100, 100, 100]):
        train = (splits[label == LABELS] == "train").sum()
        assert train == round(0.7 * count)


def test_the_seed_decides():
    first, _ = assign_splits(UNSTATED, LABELS, seed=1)
    again, _ = assign_splits(UNSTATED, LABELS, seed=1)
    other, _ = assign_splits(UNSTATED, LABELS, seed=2)
    assert (first == again).all()
    assert (first != other).any()


def test_a_train_split_without_val_gives_a_tenth_and_leaves_test_alone():
    stated = UNSTATED.copy()
    stated[:] = "train"
    stated[::10] = "test"
    splits, rule = assign_splits(stated, LABELS)
    assert ((splits == "test") == (stated == "test")).all()
    assert (splits == "val").sum() == pytest.approx(0.1 * (stated == "train").sum(), abs=7)
    assert "10% of train held out as val" in rule


def test_a_train_split_without_val_stays_whole_on_request():
    stated = np.where(np.arange(len(LABELS)) % 10, "train", "test")
    splits, rule = assign_splits(stated, LABELS, make_val=False)
    assert (splits == stated).all()
    assert rule == AS_STATED
    held_out, _ = assign_splits(stated, LABELS, validation_share=0.2, make_val=False)
    assert "val" in held_out


@pytest.mark.parametrize(
    ("text", "shares"),
    [("70,15,15", (0.7, 0.15, 0.15)), ("0.7, 0.15, 0.15", (0.7, 0.15, 0.15)),
     ("80%,20%,0%", (0.8, 0.2, 0)), ("1,0,0", (1, 0, 0)),
     ("33.3,33.3,33.4", (0.333, 0.333, 0.334))],
)  # fmt: skip
def test_fractions_are_percent_or_shares(text, shares):
    assert parse_fractions(text) == pytest.approx(shares)


@pytest.mark.parametrize(
    "text", ["", "70,15", "70,15,15,0", "70,20,20", "a,b,c", "110,-5,-5", "nan,0,1", "inf,0,0",
             "70/15/15", "0,0,0", "7,2,1"]
)  # fmt: skip
def test_fractions_that_are_neither_are_refused(text):
    with pytest.raises(DataError, match="three numbers, for train, val and test, that sum to 100"):
        parse_fractions(text)


@pytest.mark.parametrize("fractions", [(0.5, 0.5, 0.5), (1.2, -0.1, -0.1), (0.5, 0.5)])
def test_fractions_that_are_none_are_refused(fractions):
    with pytest.raises(DataError, match="three shares that sum to 1"):
        assign_splits(UNSTATED, LABELS, fractions=fractions)


def test_half_stated_splits_are_refused():
    stated = UNSTATED.copy()
    stated[:10] = "train"
    with pytest.raises(DataError, match="700 of 710 images have no split"):
        assign_splits(stated, LABELS)


def test_a_held_out_share_of_train_is_val_and_all_else_test():
    labels = np.repeat(np.arange(7), 100)
    stated = np.where(np.arange(700) % 10 < 7, "train", np.where(np.arange(700) % 2, "val", "test"))
    splits, rule = assign_splits(stated, labels, validation_share=0.2, seed=3)
    assert set(splits[stated != "train"]) == {"test"}
    for label in range(7):
        assert np.sum((splits == "val") & (labels == label)) == 14  # a fifth of 70
    assert rule == (
        "as the files say, but 20% of train held out as val, stratified, seed 3; "
        "the files' val is test"
    )


def test_identical_images_stay_together_whatever_their_labels():
    images = np.random.default_rng(0).integers(0, 256, (300, 48, 48), np.uint8)
    images[200:] = images[:100]  # a hundred duplicates, some of another label
    labels = np.random.default_rng(1).integers(0, 7, 300)
    groups = group_exact(images)
    assert len(np.unique(groups)) == 200
    assert np.array_equal(groups[200:], groups[:100])
    splits, rule = assign_splits(
        np.full(300, ""), labels, fractions=(0.7, 0.15, 0.15), groups=groups, seed=0
    )
    assert np.array_equal(splits[200:], splits[:100])
    assert "duplicates together" in rule
    shares = [np.mean(splits == split) for split in SPLITS]
    assert shares == pytest.approx([0.7, 0.15, 0.15], abs=0.03)
    apart, _ = assign_splits(np.full(300, ""), labels, fractions=(0.7, 0.15, 0.15), seed=0)
    assert not np.array_equal(apart[200:], apart[:100])  # without groups duplicates part
