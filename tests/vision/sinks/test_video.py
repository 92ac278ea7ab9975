from __future__ import annotations

import numpy as np
import pytest
from tests.vision.sinks.made import HEIGHT, SIZE, WIDTH, frame, names, read_video, reading

from mien.errors import MienError
from mien.vision.sinks.video import VideoSink
from mien.vision.sources.base import Frame


def shades(path) -> list[int]:
    """Return each frame's shade in its lower corner, where nothing is drawn, to the nearest ten."""
    return [10 * round(picture[-8:, -8:].mean() / 10) for picture in read_video(path)[0]]


@pytest.mark.parametrize("name", ["видео 写真.mp4", "out.avi", "OUT.MP4"])
@pytest.mark.parametrize("size", [SIZE, (162, 90)])
def test_a_video_has_every_frame_at_its_size(name, size, tmp_path):
    with VideoSink(tmp_path / name, 29.97, size) as sink:
        for index in range(12):
            shown = frame(index, index / 29.97, shade=20 * index, size=size)
            sink.add(shown, [reading(shown)])
    pictures, fps = read_video(tmp_path / name)
    assert len(pictures) == 12
    assert fps == pytest.approx(29.97, abs=0.01)
    assert pictures[0].shape == (size[1], size[0], 3)
    assert shades(tmp_path / name) == [20 * index for index in range(12)]
    assert np.ptp(pictures[0][35:85, 15:65]) > 60  # the box is drawn


@pytest.mark.parametrize("begins", [0.0, 1_000.0])
def test_a_video_is_as_long_as_what_it_shows(begins, tmp_path):
    times = [0.0, 0.1, 0.2, 0.5, 0.52, 0.54, 1.0]
    with VideoSink(tmp_path / "out.mp4", 10, SIZE) as sink:
        for index, seconds in enumerate(times):
            sink.add(frame(index, begins + seconds, shade=30 + 30 * index), [])
    expected = [30, 60, 90, 90, 90, 120, 120, 120, 120, 120, 210]
    assert shades(tmp_path / "out.mp4") == expected


def test_a_video_goes_on_after_another_source_a_set_clock_and_a_long_pause(tmp_path):
    steps = [("a", 5.0), ("a", 5.1), ("b", 0.0), ("b", 0.1), ("b", 9_000.0), ("b", 2.0)]
    with VideoSink(tmp_path / "out.mp4", 10, SIZE) as sink:
        for index, (source, seconds) in enumerate(steps):
            sink.add(frame(index, seconds, source, 40 * index), [])
        sink.add(frame(shade=240), [])
    assert shades(tmp_path / "out.mp4") == [0, 40, 80, 120, 160, 200, 240]


def test_pictures_of_another_size_are_fitted_into_a_video(tmp_path):
    with VideoSink(tmp_path / "out.avi", 10, SIZE) as sink:
        sink.add(frame(size=(320, 120), shade=200), [])
        sink.add(Frame(np.full((30, 40), 200, np.uint8)), [])
    wide, small = read_video(tmp_path / "out.avi")[0]
    assert wide.shape == small.shape == (HEIGHT, WIDTH, 3)
    assert wide[HEIGHT // 2].mean() == pytest.approx(200, abs=5)
    assert wide[:20].mean() < 10
    assert small.mean() == pytest.approx(200, abs=5)


def test_a_video_takes_the_first_frames_size_where_none_is_given(tmp_path):
    with VideoSink(tmp_path / "out.mp4", 10) as sink:
        sink.add(frame(0, 0.0, size=(200, 100)), [])
        sink.add(frame(1, 0.1), [])
    assert [picture.shape for picture in read_video(tmp_path / "out.mp4")[0]] == [(100, 200, 3)] * 2
    with VideoSink(tmp_path / "wide.mp4", 10) as sink:
        for index in range(2):
            with pytest.raises(MienError, match="1x9000 pixels cannot be written"):
                sink.add(frame(index, 0.0, size=(1, 9000)), [])
    assert sink.saved == []
    assert names(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 90_000])
def test_a_rate_that_cannot_be_used_becomes_thirty(fps, tmp_path):
    with VideoSink(tmp_path / "out.mp4", fps, SIZE) as sink:
        sink.add(frame(0, 0.0), [])
        sink.add(frame(1, 0.5), [])
    pictures, written = read_video(tmp_path / "out.mp4")
    assert (len(pictures), written) == (16, 30)


@pytest.mark.parametrize("size", [(1, 1), (0, 100), (20_000, 20_000)])
def test_a_video_that_cannot_be_is_said_before_any_frame(size, tmp_path):
    with pytest.raises(MienError, match="pixels cannot be written"):
        VideoSink(tmp_path / "out.mp4", 30, size)
    with pytest.raises(MienError, match=r"expected \.mp4 or \.avi"):
        VideoSink(tmp_path / "out.mkv", 30, SIZE)
    assert names(tmp_path) == []
