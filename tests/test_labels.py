from __future__ import annotations

import pytest

from mien.errors import DataError
from mien.labels import COLOURS, EMOTIONS, parse_emotion


def test_order_is_fer2013s():
    assert EMOTIONS == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert len(set(COLOURS)) == len(EMOTIONS)


@pytest.mark.parametrize(
    ("word", "emotion"),
    [("anger", "angry"), ("Happiness", "happy"), (" SADNESS ", "sad"), ("fearful", "fear"),
     ("surprised", "surprise"), ("Disgusted", "disgust"), ("neutral", "neutral"), ("3", "happy")],
)  # fmt: skip
def test_usual_names_are_understood(word, emotion):
    assert EMOTIONS[parse_emotion(word)] == emotion


@pytest.mark.parametrize("word", ["7", "-1", "", "contempt", "3.0", "hapy"])
def test_other_words_are_refused(word):
    with pytest.raises(DataError, match="unknown emotion"):
        parse_emotion(word)


def test_the_nearest_name_is_offered():
    with pytest.raises(DataError, match="did you mean 'happy'"):
        parse_emotion("hapy")
