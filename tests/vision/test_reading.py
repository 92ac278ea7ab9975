from __future__ import annotations

from dataclasses import replace

import pytest

from mien.vision import Reading

READING = Reading("a.jpg", (1, 2, 30, 40), 0.9, "happy", {"happy": 0.75, "sad": 0.25})


def test_a_reading_is_hashable_and_equal_readings_are_one():
    same = replace(READING, probabilities=dict(READING.probabilities))
    assert len({READING, same, replace(READING, item=1), replace(READING, frame=3)}) == 3


def test_the_probability_is_that_of_the_emotion():
    assert READING.probability == 0.75


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "<Reading happy 0.75, box=(1, 2, 30, 40), source='a.jpg'>"),
        ({"source": "", "uncertain": True}, "<Reading happy 0.75, uncertain, box=(1, 2, 30, 40)>"),
        (
            {"source": "", "seconds": 1.5, "track": 2},
            "<Reading happy 0.75, box=(1, 2, 30, 40), seconds=1.50, track=2>",
        ),
    ],
)
def test_a_reading_is_shown_in_a_line(changes, shown):
    assert repr(replace(READING, **changes)) == shown


def test_the_plain_data_can_be_changed_without_changing_the_reading():
    plain = READING.as_dict()
    plain["probabilities"]["happy"] = 0
    assert READING.probability == 0.75
    assert plain["item"] == 0
