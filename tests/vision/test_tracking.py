from __future__ import annotations

import math

import numpy as np
import pytest

from mien.vision.tracking import Smoother, Tracker

SIZE = 100


def face(x: float, y: float = 200, size: float = SIZE) -> tuple[int, int, int, int]:
    """Return the box of a face about a centre."""
    return tuple(round(edge) for edge in (x - size / 2, y - size / 2, x + size / 2, y + size / 2))


def follow(positions, times, tracker=None):
    """Track the faces that ``positions`` gives at each time; None is one that is not seen."""
    tracker = tracker or Tracker()
    followed: dict[int, list[int]] = {}
    for order, seconds in enumerate(times):
        there = [(key, box) for key, box in enumerate(positions(seconds)) if box]
        if order % 2:  # detectors sort by size or score, not by person
            there.reverse()
        numbers = tracker.update([box for _, box in there], seconds)
        for (key, _), number in zip(there, numbers, strict=True):
            followed.setdefault(key, []).append(number)
    return {key: sorted(set(numbers)) for key, numbers in followed.items()}


def at_rate(fps: float, duration_s: float) -> np.ndarray:
    return np.arange(round(fps * duration_s)) / fps


def test_still_faces_keep_their_numbers_from_one():
    tracker = Tracker()
    boxes = [face(100), face(400), face(400, 400)]
    assert all(tracker.update(boxes, frame / 30) == [1, 2, 3] for frame in range(60))
    assert tracker.update(boxes[::-1], 2) == [3, 2, 1]


@pytest.mark.parametrize("fps", [5, 10, 30])
@pytest.mark.parametrize("hidden_px", [0, 60])
def test_two_faces_that_cross_keep_their_numbers(fps, hidden_px):
    def positions(seconds):
        left, right = 60 + 200 * seconds, 580 - 160 * seconds
        behind = None if abs(left - right) < hidden_px else face(right, 220, 90)
        return face(left), behind

    assert follow(positions, at_rate(fps, 2.8)) == {0: [1], 1: [2]}


def test_a_jittering_detector_and_dropped_frames_keep_the_numbers():
    rng = np.random.default_rng(0)

    def positions(seconds):
        jitter = rng.normal(0, 5, 2)
        return face(80 + 150 * seconds + jitter[0]), face(500, 210 + jitter[1], 120)

    times = np.cumsum(rng.choice([1 / 30, 1 / 15, 0.3], 120, p=[0.7, 0.2, 0.1]))
    times = times[times < 2]
    assert follow(positions, times) == {0: [1], 1: [2]}


@pytest.mark.parametrize(
    ("away_s", "numbers"), [(0.5, [1]), (0.9, [1]), (1.2, [1, 2]), (3, [1, 2])]
)
def test_a_hidden_face_has_its_number_back_within_a_second(away_s, numbers):
    times = [*at_rate(30, 2), *(2 + away_s + at_rate(30, 2))]
    assert follow(lambda _: [face(300)], times) == {0: numbers}


def test_how_long_a_face_may_be_away_can_be_chosen():
    times = [*at_rate(10, 1), *(5 + at_rate(10, 1))]
    assert follow(lambda _: [face(300)], times, Tracker(lost_after_s=5)) == {0: [1]}


@pytest.mark.parametrize("stops", [False, True])
def test_a_face_that_moves_on_or_stops_while_hidden_is_found_again(stops):
    def positions(seconds):
        if 1 < seconds < 1.5:
            return [None]
        walked = min(seconds, 1.1) if stops else seconds
        return [face(100 + 200 * walked)]

    assert follow(positions, at_rate(30, 2.5)) == {0: [1]}


def test_one_enters_as_another_leaves():
    def positions(seconds):
        leaving = face(300 - 300 * seconds) if seconds < 1 else None
        entering = face(640 - 200 * (seconds - 1)) if seconds >= 1 else None
        return leaving, entering, face(330, 420)

    assert follow(positions, at_rate(30, 2)) == {0: [1], 1: [3], 2: [2]}


def test_a_neighbour_does_not_take_a_lost_number():
    tracker = Tracker()
    for frame in range(30):
        tracker.update([face(300)], frame / 30)
    assert tracker.update([face(430)], 1) == [2]
    assert tracker.update([face(300, size=300)], 1.03) == [3]
    assert tracker.update([face(301), face(430)], 1.07) == [1, 2]


def test_speed_is_measured_by_the_clock_and_not_by_the_frames():
    times = [*at_rate(30, 1), 1.4, 1.43, 1.8, 1.83, 1.87, 2.3]
    crossing = follow(lambda s: (face(50 + 250 * s), face(650 - 250 * s, 230)), times)
    assert crossing == {0: [1], 1: [2]}


def test_a_clock_that_is_set_back_begins_new_tracks():
    tracker = Tracker()
    assert tracker.update([face(100)], 100) == [1]
    assert tracker.update([face(100)], 99.98) == [1]
    assert tracker.update([face(100)], 0) == [2]
    assert tracker.update([face(100)], 0.1) == [2]


def test_frames_without_faces_and_faces_without_size_are_taken():
    tracker = Tracker()
    assert tracker.update([], 0) == []
    assert tracker.update([(5, 5, 5, 5), (300, 300, 400, 400)], 0.1) == [1, 2]
    assert tracker.update([(5, 5, 5, 5)], 0.1) == [1]
    assert tracker.update([], 0.2) == []


SMILE = np.array([0, 0, 0, 1, 0, 0, 0], np.float32)
CALM = np.array([0, 0, 0, 0, 0, 0, 1], np.float32)


def smooth(times, read, time_constant_s=0.3):
    smoother = Smoother(time_constant_s)
    return np.array([smoother.update(1, read(seconds), seconds) for seconds in times])


@pytest.mark.parametrize("fps", [5, 12.5, 30])
def test_a_change_is_shown_by_the_closed_form_at_any_frame_rate(fps):
    times = at_rate(fps, 3)
    shown = smooth(times, lambda seconds: SMILE if seconds > 0 else CALM)
    np.testing.assert_allclose(shown[:, 3], 1 - np.exp(-times / 0.3), atol=1e-5)
    np.testing.assert_allclose(shown.sum(1), 1, atol=1e-6)


def test_a_slow_change_is_shown_nearly_alike_at_thirty_and_at_five_frames_a_second():
    def read(seconds):
        share = np.float32(0.5 - 0.5 * math.cos(2 * math.pi * seconds / 5))
        return share * SMILE + (1 - share) * CALM

    fast, slow = smooth(at_rate(30, 5), read), smooth(at_rate(5, 5), read)
    assert np.abs(fast[::6] - slow).max() < 0.07


def test_dropped_frames_leave_no_trace():
    times = np.array([0, 0.03, 0.07, 0.5, 0.53, 1.4])
    shown = smooth(times, lambda seconds: SMILE if seconds > 0 else CALM)
    np.testing.assert_allclose(shown[:, 3], 1 - np.exp(-times / 0.3), atol=1e-5)


def test_what_comes_first_is_shown_as_it_is_and_a_constant_stays():
    read = np.full(7, 1 / 7, np.float32)
    np.testing.assert_allclose(smooth(at_rate(30, 1), lambda _: read), 1 / 7, atol=1e-6)


def test_zero_switches_off():
    rows = np.random.default_rng(0).dirichlet(np.ones(7), 10).astype(np.float32)
    np.testing.assert_array_equal(smooth(range(10), lambda seconds: rows[seconds], 0), rows)


def test_tracks_are_smoothed_apart_and_forgotten():
    smoother = Smoother(0.3)
    smoother.update(1, CALM, 0)
    np.testing.assert_array_equal(smoother.update(2, SMILE, 0.1), SMILE)
    assert smoother.update(1, SMILE, 0.1)[6] > 0.7
    np.testing.assert_array_equal(smoother.update(1, SMILE, 60), SMILE)


def test_frames_at_one_time_change_nothing_more():
    smoother = Smoother(0.3)
    smoother.update(1, CALM, 1)
    np.testing.assert_array_equal(smoother.update(1, SMILE, 1), CALM)
    np.testing.assert_array_equal(smoother.update(1, SMILE, 0.9), CALM)
