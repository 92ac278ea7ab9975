from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.vision.sinks.made import (
    HEIGHT,
    READER,
    SIZE,
    WIDTH,
    Given,
    context,
    frame,
    names,
    read_video,
    reading,
)

from mien.errors import MienError
from mien.vision.places import SourceFiles
from mien.vision.sinks.base import SinkContext
from mien.vision.sinks.video import VideoSink
from mien.vision.sources import open_source
from mien.vision.sources.base import Frame

PYAV_ONLY = (".webm", ".mov", ".mkv")


@pytest.fixture(params=["pyav", "opencv"], autouse=True)
def writer(request, monkeypatch):
    """The name of the package that writes."""
    if request.param == "opencv":
        monkeypatch.setitem(sys.modules, "av", None)
    else:
        pytest.importorskip("av")
    return request.param


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
    with pytest.raises(MienError, match=r"expected \.mp4, \.webm, \.mov, \.mkv or \.avi"):
        VideoSink(tmp_path / "out.gif", 30, SIZE)
    assert names(tmp_path) == []


def test_one_video_cannot_show_several_cameras(tmp_path):
    with open_source(["0", "1"]) as source:
        given = SinkContext(source, READER, SourceFiles())
        with pytest.raises(MienError, match=r"one video cannot show several cameras \(0, 1\)"):
            VideoSink.open(str(tmp_path / "a.mp4"), given)
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", PYAV_ONLY)
def test_formats_that_opencv_does_not_write_well(suffix, writer, tmp_path):
    path = tmp_path / f"out{suffix}"
    if writer == "opencv":
        with pytest.raises(MienError, match=r"needs PyAV \(pip install 'mien\[video\]'\)"):
            VideoSink(path, 10, SIZE)
        assert names(tmp_path) == []
        return
    with VideoSink(path, 10) as sink:
        for index in range(5):
            sink.add(frame(index, index / 10, shade=40 * index), [])
    assert shades(path) == [40 * index for index in range(5)]
    assert sink.saved == [path]
    assert sink.notes == []


def test_a_video_plays_in_browsers_or_a_note_says_that_it_may_not(writer, tmp_path):
    path = tmp_path / "out.mp4"
    with VideoSink(path, 10) as sink:
        for index in range(5):
            sink.add(frame(index, index / 10, size=(161, 91)), [])
    content = path.read_bytes()
    if writer == "opencv":
        (note,) = sink.notes
        assert f"{path}: written as MPEG-4 without sound" in note
        assert "pip install 'mien[video]'" in note
        return
    assert sink.notes == []
    assert content.index(b"moov") < content.index(b"mdat")  # it plays before all has arrived
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.codec.canonical_name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width, stream.height) == (162, 92)
    with VideoSink(tmp_path / "out.webm", 10) as sink:
        sink.add(frame(0, 0.0), [])
    with av.open(str(tmp_path / "out.webm")) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == "vp9"


def test_colours_stay_as_they_are(tmp_path):
    image = np.empty((96, 128, 3), np.uint8)
    for number, colour in enumerate(((30, 60, 200), (220, 120, 40), (40, 200, 90), (120,) * 3)):
        image[:, number * 32 : number * 32 + 32] = colour
    with VideoSink(tmp_path / "out.mp4", 10) as sink:
        for index in range(3):
            sink.add(Frame(image, "a", index, index / 10), [])
    copies = [*read_video(tmp_path / "out.mp4")[0]]
    copies += [one.image for one in open_source(tmp_path / "out.mp4")]
    assert len(copies) == 6
    for copy in copies:
        for x in (16, 48, 80, 112):
            assert copy[48, x] == pytest.approx(image[48, x], abs=8)


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
@pytest.mark.parametrize(
    "name", [b"caf\xe9", b"a%03d", b"file:a", b"~a", b"caf\xe9 %d/\xff", b"a\nb", b"-a"]
)
def test_a_video_is_saved_under_any_name(name, suffix, tmp_path, monkeypatch):
    relative = Path(os.fsdecode(name + suffix.encode()))
    monkeypatch.chdir(tmp_path)
    (tmp_path / relative).parent.mkdir(exist_ok=True)
    for path in (tmp_path / relative, relative):
        with VideoSink(path, 10) as sink:
            for index in range(4):
                sink.add(frame(index, index / 10), [])
        assert sink.saved == [path]
        assert names((tmp_path / relative).parent) == [relative.name]
        assert len(list(open_source(tmp_path / relative))) == 4
        (tmp_path / relative).unlink()


FULL = """
import resource, sys
import numpy as np
from mien.errors import MienError
from mien.vision.sinks.video import VideoSink
from mien.vision.sources.base import Frame

path, size, has_pyav = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "pyav"
if not has_pyav:
    sys.modules["av"] = None
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
noise = np.random.default_rng(0)
try:
    with VideoSink(path, 10) as sink:
        for index in range(30):
            image = noise.integers(0, 255, (120, 160, 3), np.uint8)
            sink.add(Frame(image, "a", index, index / 10), [])
except MienError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["out.mp4", "out.webm", "out.avi"])
@pytest.mark.parametrize("size", [1_000, 90_000])
def test_a_full_disk_leaves_no_half_of_a_video(name, size, writer, tmp_path):
    pytest.importorskip("resource")
    if writer == "opencv" and name == "out.webm":
        return
    (tmp_path / name).write_bytes(b"older")
    result = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / name), str(size), writer],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert f"{name}: cannot be written" in result.stdout
    assert result.stderr == ""
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"older"


def test_a_source_that_is_no_file_has_no_sound(tmp_path):
    with VideoSink.open(str(tmp_path / "out.mp4"), context(Given())) as sink:
        sink.add(frame(0, 0.0), [])
    assert len(read_video(tmp_path / "out.mp4")[0]) == 1
