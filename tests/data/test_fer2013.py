from __future__ import annotations

from mien.data.fer2013 import (
    CLASS_COUNTS,
    FERPLUS_VOTES,
    NUM_ROWS,
    SPLIT_SIZES,
    USAGES,
)
from mien.data.split import SPLITS, split_of
from mien.data.votes import vote_columns
from mien.labels import FER2013


def test_published_sizes():
    assert SPLIT_SIZES == {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589}
    assert NUM_ROWS == 35_887
    assert {len(counts) for counts in CLASS_COUNTS.values()} == {len(FER2013)}


def test_every_split_has_a_usage_that_names_it():
    assert tuple(USAGES) == SPLITS
    assert {split: split_of(usage) for split, usage in USAGES.items()} == {s: s for s in SPLITS}
    assert set(USAGES.values()) == set(CLASS_COUNTS)


def test_every_emotion_has_the_vote_of_its_name():
    votes = [FERPLUS_VOTES[vote] for vote in vote_columns(FER2013)]
    assert [FER2013.parse(vote) for vote in votes] == list(range(len(FER2013)))
    assert set(FERPLUS_VOTES) - set(votes) == {"contempt", "unknown", "NF"}
