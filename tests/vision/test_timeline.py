from __future__ import annotations

import numpy as np
import pytest

from mien.labels import FER2013
from mien.vision.reading import Reading
from mien.vision.sources.base import Frame
from mien.vision.timeline import BIN_S, Timeline

BLANK = np.zeros((4, 4), np.uint8)


def seen(name, track=1, uncertain=False, names=FER2013.names):
    rest = dict.fromkeys(names, 0.3 / (len(names) - 1))
    return Reading("v", (0, 0, 4, 4), 1.0, name, {**rest, name: 0.7}, uncertain, track=track)


def timeline(frames):
    made = Timeline()
    for index, (seconds, readings) in enumerate(frames):
        made.add(Frame(BLANK, "v", index, seconds), readings)
    return made


def test_shares_are_of_time_not_of_frames():
    # One second of happy in four frames, one second of sad in a single one.
    frames = [(0.25 * i, [seen("happy")]) for i in range(4)] + [(1.0, [seen("sad")]), (2.0, [])]
    (person,) = timeline(frames).people()
    assert person.seconds == pytest.approx(2)
    shares = person.shares()
    assert shares["happy"] == pytest.approx(0.5)
    assert shares["sad"] == pytest.approx(0.5)
    assert sum(shares.values()) == pytest.approx(1)


def test_uncertain_time_is_counted_as_such():
    frames = [(0, [seen("happy", uncertain=True)]), (0.5, [seen("happy")]), (1.0, [])]
    (person,) = timeline(frames).people()
    assert person.shares()["uncertain"] == pytest.approx(0.5)
    assert person.shares()["happy"] == pytest.approx(0.5)


def test_the_classes_are_those_of_the_readings():
    names = ("calm", "uncertain", "tense")
    one, unsure = seen("tense", names=names), seen("tense", uncertain=True, names=names)
    found = timeline([(0, [one]), (0.5, [unsure]), (1.0, [seen("uncertain", names=names)])])
    (person,) = found.people()
    assert found.names == names
    assert found.columns == (*names, "no answer")  # a class is called uncertain
    assert list(person.shares().values()) == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])
    assert person.curve()[1].shape == (3, 3)
    assert timeline([(0, [])]).names == ()
    assert timeline([(0, [seen("happy")])]).columns == (*FER2013.names, "uncertain")


def test_a_frozen_frame_does_not_stand_for_minutes():
    (person,) = timeline([(0, [seen("happy")]), (600, [])]).people()
    assert person.seconds == 1


def test_people_are_sorted_by_time_on_screen_and_curves_sum_to_one():
    frames = [(0.1 * i, [seen("happy", 1)] + ([seen("fear", 2)] * (i < 10))) for i in range(40)]
    found = timeline(frames)
    assert [person.track for person in found.people()] == [1, 2]
    times, shares = found.people()[0].curve()
    assert np.allclose(shares.sum(1), 1)
    assert np.allclose(np.diff(times), BIN_S)
    assert (shares.argmax(1) == FER2013.names.index("happy")).all()
    assert found.people()[1].last_s == pytest.approx(0.9)


def test_of_several_videos_the_longest_says_how_long_it_was():
    assert timeline([(0, []), (3.5, []), (0, []), (1.0, [])]).seconds == 3.5


def test_photos_have_no_timeline():
    made = Timeline()
    made.add(Frame(BLANK, "photo.jpg"), [seen("happy", track=None)])
    assert made.people() == []
    assert made.frames == 0


def test_the_last_frame_stands_as_long_as_the_one_before():
    found = timeline([(0, [seen("happy")]), (0.25, [seen("happy")]), (0.5, [seen("sad", 2)])])
    assert [(one.track, one.seconds) for one in found.people()] == [(1, 0.5), (2, 0.25)]
    assert [one.seconds for one in found.people()] == [0.5, 0.25]  # a second time, too
    (only,) = timeline([(0, [seen("happy")])]).people()
    assert 0 < only.seconds < 0.1
    videos = timeline([(0, []), (0.2, [seen("happy")]), (0, [seen("sad", 2)])])
    assert [one.seconds for one in videos.people()] == [0.2, 0.2]
