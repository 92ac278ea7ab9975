"""A protocol in words: what is said, and what is left unsaid where it says nothing."""

from __future__ import annotations

import pytest

from mien.bundle.scores import Protocol
from mien.data.split import AS_STATED
from mien.evaluation.describe import describe_overlap, describe_protocol, show_score
from mien.evaluation.tta import TTA


def protocol(**changes) -> Protocol:
    facts = {
        "model": "mien-s", "data": "faces", "fingerprint": "a", "split": "val", "images": 1000,
        "split_rule": AS_STATED, "same_data": True,
    }  # fmt: skip
    return Protocol(**{**facts, **changes})


def test_the_line_begins_with_what_was_measured():
    line = describe_protocol(protocol())
    assert line.startswith("val split of faces, 1,000 images, no test-time augmentation; ")
    assert line.endswith("; duplicates in the train split: not counted")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split_rule": "made here"}, "splits: made here"),
        ({"checkpoint": "epoch 3"}, "weights: epoch 3"),
        ({"skipped": 1200}, "1,200 of the data set's images could not be used"),
        ({"trained_on_split": True}, "the model was trained on these images"),
        ({"chosen_on_split": True}, "the weights were chosen by these images"),
        ({"chosen_by": 5}, "the weights were chosen by 5 images (0.5%) of these"),
        ({"same_data": False}, "unknown how many of these images it was trained on"),
        (
            {"same_data": False, "trained_on": 10, "chosen_by": 0},
            "trained on 10 (1.0%) of these images and chosen by 0 (0.0%)",
        ),
    ],
)
def test_each_fact_is_said_where_it_holds(changes, said):
    assert said in describe_protocol(protocol(**changes))
    assert said not in describe_protocol(protocol())


def test_a_split_that_chose_as_a_whole_is_not_counted_as_well():
    line = describe_protocol(protocol(chosen_on_split=True, chosen_by=1000))
    assert line.count("chosen by") == 1


def test_train_has_no_overlap_with_itself():
    assert "duplicates" not in describe_protocol(protocol(split="train"))


@pytest.mark.parametrize(
    ("identical", "near", "said"),
    [
        (None, None, "duplicates in the train split: not counted"),
        (2, None, "duplicates in the train split: 2 images (0.2%) exact (near duplicates: not cou"),
        (0, 0, "no duplicates in the train split, exact or near"),
        (1, 20, "duplicates in the train split: 1 image (0.1%) exact, 20 (2.0%) near"),
    ],
)
def test_the_overlap(identical, near, said):
    found = describe_overlap(protocol(identical_in_train=identical, near_in_train=near))
    assert found.startswith(said)


@pytest.mark.parametrize("tta", [*TTA, "of-a-newer-version"])
def test_every_tta_has_words(tta):
    assert "test-time augmentation" in describe_protocol(protocol(tta=tta))


def test_scores():
    assert [show_score(value) for value in (0.70345, 1.0, None)] == ["0.703", "1.000", "–"]
