from __future__ import annotations

import numpy as np
import pytest
from tests.vision.made import encoded, picture

from mien.errors import SourceError
from mien.vision.sources import Frame, open_source


def write_frames(folder, count, suffix=".png"):
    folder.mkdir()
    for number in range(count):
        path = folder / f"frame{number}{suffix}"
        path.write_bytes(encoded(np.full((8, 8, 3), number, np.uint8), suffix))
    return folder


def test_pictures_with_times_are_frames_of_a_stream():
    source = open_source((picture(shade), shade / 100) for shade in (100, 150, 200))
    assert (source.kind, source.reads_ahead) == ("live", False)
    frames = list(source)
    assert [(one.index, one.seconds) for one in frames] == [(0, 1.0), (1, 1.5), (2, 2.0)]
    with pytest.raises(SourceError, match="make a new iterator"):
        list(source)


def test_pictures_without_times_and_frames_are_taken():
    own = Frame(picture(), "mine", 5, 0.5)
    frames = list(open_source(iter([picture(), own, encoded(picture(), ".png")])))
    assert [one.seconds for one in frames] == [None, 0.5, None]
    assert frames[1] is own
    assert frames[2].image.shape == picture().shape


@pytest.mark.parametrize(
    ("element", "said"),
    [
        ("a.png", "for paths use a list"),
        ((picture(), "now"), "a time of type str"),
        ((picture(), True), "a time of type bool"),
        (np.zeros((4, 4), float), "float64"),
        (b"nothing", "picture"),
    ],
)
def test_an_element_that_is_no_picture_is_left_out_and_said(element, said):
    source = open_source(iter([picture(), element, picture()]))
    assert [one.index for one in source] == [0, 2]
    (failure,) = source.failures
    assert str(failure).startswith("frame 1: ")
    assert said in str(failure)


def test_every_nth_frame_and_a_part():
    frames = list(
        open_source(((picture(), n / 10) for n in range(20)), every=3, start_s=0.5, end_s=1.25)
    )
    assert [one.index for one in frames] == [5, 8, 11]


def test_a_folder_of_frames_is_a_video_in_the_order_of_its_numbers(tmp_path):
    folder = write_frames(tmp_path / "frames", 12)
    source = open_source(folder, fps=4)
    assert (source.kind, source.total, source.fps) == ("video", 12, 4)
    for _ in range(2):
        frames = list(source)
        assert [int(one.image.max()) for one in frames] == list(range(12))
        assert [one.seconds for one in frames] == [n / 4 for n in range(12)]
        assert {one.source for one in frames} == {str(folder)}


def test_a_damaged_frame_of_a_folder_is_said(tmp_path):
    folder = write_frames(tmp_path / "frames", 3)
    (folder / "frame1.png").write_bytes(b"nothing")
    source = open_source(folder, fps=4)
    assert [one.index for one in source] == [0, 2]
    (failure,) = source.failures
    assert "frame1.png" in str(failure)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_frame_rate_is_a_number_above_zero(fps, tmp_path):
    with pytest.raises(SourceError, match="fps"):
        open_source(write_frames(tmp_path / "frames", 1), fps=fps)


def test_only_photos_are_frames(tmp_path):
    folder = write_frames(tmp_path / "frames", 1)
    (folder / "b.mp4").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"b\.mp4: expected photos only"):
        open_source(folder, fps=4)
    with pytest.raises(SourceError, match="fps is for a folder"):
        open_source(folder / "frame0.png", fps=4)


@pytest.mark.parametrize("wrong", [{"every": 0}, {"start_s": -1}, {"start_s": 2, "end_s": 2}])
def test_an_empty_part_is_refused(wrong):
    with pytest.raises(SourceError, match="expected"):
        open_source(picture(), **wrong)
