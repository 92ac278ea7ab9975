from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from tests.reports.page import Page
from tests.vision.test_timeline import seen, timeline

from mien.labels import FER2013
from mien.reports.timeline import draw_areas, show_time, time_marks, write_timeline


def page(made, tmp_path, name="party.mp4"):
    write_timeline(made, name, tmp_path / "timeline.html")
    return (tmp_path / "timeline.html").read_text(encoding="utf-8")


def spans(path):
    """Return the start and the end of each rectangle of a path."""
    return [(float(start), float(end)) for start, end in re.findall(r"M(\S+) \S+?H([\d.]+)", path)]


def test_the_page_has_the_timelines_figures_and_needs_nothing_else(tmp_path):
    frames = [(0.2 * i, [seen("happy", 1), seen("sad", 2)]) for i in range(30)]
    frames += [(30 + 0.2 * i, [seen("neutral", 1)]) for i in range(30)]
    made = timeline(frames)
    text = page(made, tmp_path, "<b>party</b>.mp4")
    parsed = Page(text)
    assert parsed.scripts == 0
    assert all(address.startswith("#") for address in parsed.addresses)
    assert "<b>party" not in text
    assert text.count("<svg") == text.count('role="img" aria-label=') == 2
    assert "2 faces were followed in 36 s of video" in text
    assert "#1, is read as" in text
    for face in made.people():
        assert f"<td>#{face.track}</td><td>{face.seconds:.1f} s</td>" in text
        assert f"<td>{100 * face.shares()['happy']:.0f}%</td>" in text
    assert "person" not in text.replace("one person may be followed", "")


def test_a_video_without_faces_says_so(tmp_path):
    assert "No face was found" in page(timeline([(0, []), (1, [])]), tmp_path)


def test_faces_that_are_followed_for_a_moment_are_folded(tmp_path):
    frames = [(0.1 * i, [seen("happy", 1)] + [seen("sad", 9)] * (i == 3)) for i in range(20)]
    text = page(timeline(frames), tmp_path)
    assert "One face was followed" in text
    shown, folded = text.split("<details>")
    assert "<td>#1</td>" in shown
    assert "<td>#9" not in shown
    assert "1 face followed for less than 0.3 seconds" in folded
    assert "<td>#9</td>" in folded
    only = timeline([(0.1 * i, [seen("sad", 9)] * (i == 3)) for i in range(20)])
    assert "No face could be followed for 0.3 seconds" in page(only, tmp_path)


@pytest.mark.parametrize("step_s", [0.1, 1, 3])
@pytest.mark.parametrize("hours", [0.01, 1, 3])
def test_a_gap_is_a_gap_in_a_video_of_any_length(hours, step_s):
    length = int(3600 * hours)
    times = np.arange(0, length, step_s)
    there = [(t, [seen("happy", 1)] if not 15 <= t < 27 else []) for t in times.tolist()]
    (face,) = timeline(there).people()
    areas = draw_areas(face, length, step_s)
    assert len(areas) == len(FER2013)
    drawn = spans(areas[FER2013.names.index("happy")])
    assert len(drawn) <= 240
    assert all(end <= start for (_, end), (start, _) in pairwise(drawn))
    assert sum(end - start for start, end in drawn) == pytest.approx(length - 12, abs=0.5)


def test_probabilities_are_stacked_to_the_top():
    (face,) = timeline([(0.1 * i, [seen("sad", 1)]) for i in range(20)]).people()
    areas = draw_areas(face, 2, 0.1)
    levels = [re.findall(r"M\S+ (\S+?)H\S+?V([\d.]+)", area)[0] for area in areas]
    assert levels[0][0] == "100.0"
    assert levels[-1][1] == "0.0"
    assert all(below[1] == above[0] for below, above in pairwise(levels))


@pytest.mark.parametrize("seconds", [0.5, 0.9, 3, 59, 61, 3599, 4000, 40_000, 1e6])
def test_a_scale_has_few_marks_within_the_video(seconds):
    marks = time_marks(seconds)
    assert 1 <= len(marks) <= 5
    assert marks[0] == 0
    assert marks[-1] < seconds


def test_times_in_a_video():
    shown = [show_time(seconds) for seconds in (0, 0.5, 65.9, 600, 3600, 7325)]
    assert shown == ["0:00", "0:00", "1:05", "10:00", "1:00:00", "2:02:05"]
