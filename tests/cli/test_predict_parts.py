"""``mien predict`` on parts of videos, frame folders, and with the options of the search."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import typer
from tests.cli.test_predict import ASTRONAUT, write_video

from mien.cli.options import parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1:30", 90), ("00:01:30.5", 90.5), (" 2. ", 2), ("1:0:0", 3600), (0.0, 0)],
)
def test_times_are_seconds_or_have_colons(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "a", "-1", "1:2:3:4", "1:", "1h", "1,5"])
def test_other_times_are_refused(text):
    with pytest.raises(typer.BadParameter, match="expected seconds"):
        parse_time(text)


def test_every_third_frame_of_a_part(mien, tmp_path):
    video = write_video(tmp_path / "walk.avi")
    options = ("--crops", "--every", "3", "--from", "0:00.5", "--to", "0:01")
    outcome = mien("predict", video, *options, "--json")
    assert outcome.code == 0, outcome.err
    records = json.loads(outcome.out)
    assert [one["frame"] for one in records] == [10, 13, 16, 19]
    assert {one["track"] for one in records} == {1}


def test_a_part_beyond_the_end_is_said(mien, tmp_path):
    outcome = mien("predict", write_video(tmp_path / "walk.avi"), "--from", "1:00")
    assert outcome.code == 2
    assert "walk.avi" in outcome.err
    assert "Traceback" not in outcome.err
    outcome = mien("predict", ASTRONAUT, "--from", "2", "--to", "1")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)


def test_a_folder_of_frames_is_a_video(mien, tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((50, 50, 3), 60 * number, np.uint8))
    outcome = mien("predict", tmp_path, "--fps", "2", "--crops", "--json")
    assert [one["seconds"] for one in json.loads(outcome.out)] == [0, 0.5, 1]


def test_the_search_for_faces_is_narrowed(mien):
    assert "no face found" in mien("predict", ASTRONAUT, "--min-face", "200").out
    assert "1 face" in mien("predict", ASTRONAUT, "--min-face", "50", "--threads", "1").out
    assert "no face found" in mien("predict", ASTRONAUT, "--min-score", "0.999").out


def test_faces_on_their_side_are_found_when_asked(mien, tmp_path):
    path = tmp_path / "side.png"
    cv2.imwrite(str(path), cv2.rotate(cv2.imread(str(ASTRONAUT)), cv2.ROTATE_90_CLOCKWISE))
    assert "no face found" in mien("predict", path).out
    (reading,) = json.loads(mien("predict", path, "--turned", "--json").out)
    assert reading["emotion"] == "happy"
    assert reading["tilt_degrees"] == pytest.approx(90, abs=15)


def test_a_provider_that_is_not_here_is_a_line(mien):
    outcome = mien("predict", ASTRONAUT, "--provider", "openvino")
    assert outcome.code == 0
    assert "no openvino provider" in outcome.err
    assert "expected auto" in mien("predict", ASTRONAUT, "--provider", "gpu").err


def test_what_a_folder_leaves_out_is_a_note(mien, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), cv2.imread(str(ASTRONAUT)))
    (tmp_path / "notes.docx").write_text("x")
    outcome = mien("predict", tmp_path)
    assert outcome.code == 0
    assert "note: " in outcome.err
    assert ".docx" in outcome.err
