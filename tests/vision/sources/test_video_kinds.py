"""Videos of many kinds, read by PyAV and by OpenCV alone."""

from __future__ import annotations

import os
import re
import shutil
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("av")

import av
from tests.vision.clips import FPS, MATRICES, SIZE, hide_pyav, make, number_of, picture, set_matrix

from mien.errors import SourceError
from mien.vision.sources import open_source

OPENCV = tuple(map(int, re.findall(r"\d+", cv2.__version__)[:2]))
INTERLACED = {
    "h264.mp4": {"codec": "libx264", "options": {"x264-params": "tff=1"}},
    "h264.mkv": {"codec": "libx264", "options": {"x264-params": "bff=1"}},
    "mpeg2.ts": {"codec": "mpeg2video", "options": {"flags": "+ildct+ilme"}},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"flags": "+ildct+ilme"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"flags": "+ildct+ilme"}},
    "dv.avi": {"codec": "dvvideo", "size": (720, 576)},
    "dnxhd.mov": {  # whose header is not read
        "codec": "dnxhd", "size": (1920, 1080), "pixels": "yuv422p",
        "options": {"flags": "+ildct", "b": "120M"},
    },
    "prores.mov": {
        "codec": "prores_ks", "pixels": "yuv422p10le", "options": {"flags": "+ildct"}
    },
}  # fmt: skip
PROGRESSIVE = {
    "h264.mp4": {"codec": "libx264"},
    "h264.ts": {"codec": "libx264"},
    "ten bits.mp4": {"codec": "libx264", "pixels": "yuv420p10le"},
    "lossless.mkv": {"codec": "libx264", "pixels": "yuv444p", "options": {"qp": "0"}},
    "mpeg1.mpg": {"codec": "mpeg1video"},
    "mpeg2.ts": {"codec": "mpeg2video"},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "2"}},
    "motion jpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "prores.mov": {"codec": "prores_ks", "pixels": "yuv422p10le"},
    "dnxhd.mov": {
        "codec": "dnxhd",
        "size": (1920, 1080),
        "pixels": "yuv422p",
        "options": {"b": "115M"},
    },
    "ffv1.mkv": {"codec": "ffv1"},
    "vp8.webm": {"codec": "libvpx", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "flv.flv": {"codec": "flv"},
    "wmv.wmv": {"codec": "wmv2"},
}


@pytest.fixture(params=["pyav", "opencv"])
def decoder(request, monkeypatch):
    """The name of the package that decodes."""
    if request.param == "opencv":
        hide_pyav(monkeypatch)
    return request.param


def is_close(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two pictures are the same but for what the codec loses."""
    return one.shape == other.shape and np.abs(one.astype(int) - other).mean() < 12


@pytest.mark.parametrize("name", PROGRESSIVE)
def test_every_frame_is_read_in_order(name, decoder, tmp_path):
    path = make(tmp_path / name, **PROGRESSIVE[name])
    with open_source(path) as opened:
        frames = list(opened)
        assert opened.failures == []
        assert opened.notes == []
    assert [number_of(frame.image) for frame in frames] == list(range(10))
    size = PROGRESSIVE[name].get("size", SIZE)
    assert all(is_close(frame.image, picture(frame.index, size)) for frame in frames)
    since = np.array([frame.seconds for frame in frames]) - frames[0].seconds
    assert since == pytest.approx(np.arange(10) / FPS, abs=1e-3)


@pytest.mark.parametrize("name", INTERLACED)
def test_an_interlaced_video_is_woven_right_or_refused(name, decoder, tmp_path):
    settings = INTERLACED[name]
    path, size = make(tmp_path / name, **settings), settings.get("size", SIZE)
    if decoder == "opencv" and OPENCV >= (4, 13):
        with pytest.raises(SourceError, match=r"interlaced video.*pip install 'mien\[video\]'"):
            open_source(path)
        return
    frames = list(open_source(path))
    assert [number_of(frame.image) for frame in frames] == list(range(10))
    for frame in frames:
        expected = picture(frame.index, size)
        if name == "dv.avi":  # its pixels are 16/15 as wide as high
            expected = cv2.resize(expected, (768, 576))
        assert is_close(frame.image, expected)


@pytest.mark.parametrize("name", [name for name in PROGRESSIVE if name != "ffv1.mkv"])
def test_a_still_picture_is_a_video_like_any_other(name, tmp_path, monkeypatch):
    hide_pyav(monkeypatch)
    path = make(tmp_path / name, **PROGRESSIVE[name], draw=lambda _, size: picture(5, size))
    assert [number_of(frame.image) for frame in open_source(path)] == [5] * 10


@pytest.mark.parametrize("turn", MATRICES)
def test_a_video_is_turned_and_mirrored_as_it_says(turn, decoder, tmp_path):
    matrix, expected = MATRICES[turn]
    path = set_matrix(make(tmp_path / "a.mp4"), matrix)
    frames = list(open_source(path))
    assert len(frames) == 10
    assert all(is_close(frame.image, expected(picture(frame.index))) for frame in frames)
    assert frames[0].image.flags.writeable


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
@pytest.mark.parametrize(
    ("pixel_aspect", "width"), [(Fraction(2), 192), (Fraction(1, 2), 48), (Fraction(16, 11), 140)]
)
def test_pixels_are_square(suffix, pixel_aspect, width, decoder, tmp_path):
    path = make(tmp_path / f"a{suffix}", "mpeg4", pixel_aspect=pixel_aspect)
    frame = next(iter(open_source(path)))
    assert is_close(frame.image, cv2.resize(picture(0), (width, SIZE[1])))


def test_oblong_pixels_are_stretched_before_they_are_turned(decoder, tmp_path):
    path = make(tmp_path / "a.mp4", pixel_aspect=Fraction(2))
    matrix, turned = MATRICES["90"]
    frame = next(iter(open_source(set_matrix(path, matrix))))
    assert is_close(frame.image, turned(cv2.resize(picture(0), (192, 64))))


def test_a_picture_is_as_large_as_it_is_seen(decoder, tmp_path):
    path = make(tmp_path / "a.mkv", pixel_aspect=Fraction(40))
    with pytest.raises(SourceError, match=r"0\.2 million pixels.*--max-pixels 245760"):
        open_source(path, max_pixels=50_000)
    assert next(iter(open_source(path))).image.shape == (64, 3840, 3)


@pytest.mark.parametrize("size", [(97, 65), (33, 64), (130, 47)])
def test_odd_sizes_and_padded_rows(size, decoder, tmp_path):
    path = make(tmp_path / "a.mp4", size=size, pixels="yuv444p")
    image = next(iter(open_source(path))).image
    assert is_close(image, picture(0, size))
    assert image.flags.c_contiguous


NAMES = [
    b"caf\xe9.mp4", b"\xff\xfe.mkv", b"a%03d.mp4", b"%d.avi", b"file:a.mp4", b"http:a.mp4",
    b"~a.mp4", b"-a.mp4", b"a b\n.mp4", b"\xe5\xb0\x8f.mp4", b"a.\xe9.mkv", b"pipe:.mp4",
]  # fmt: skip


@pytest.mark.parametrize("folder", [b"plain", b"f\xe9 %02d"])
@pytest.mark.parametrize("name", NAMES)
def test_files_of_any_name(name, folder, decoder, tmp_path, monkeypatch):
    place = tmp_path / os.fsdecode(folder)
    place.mkdir()
    made = make(tmp_path / f"made{Path(os.fsdecode(name)).suffix}", "mpeg4", frames=3)
    path = place / os.fsdecode(name)
    shutil.copy(made, path)
    with open_source(path) as opened:
        for _ in range(2):
            assert [number_of(frame.image) for frame in opened] == [0, 1, 2]
        assert opened.name == str(path)
    monkeypatch.chdir(place)
    assert len(list(open_source(Path(path.name)))) == 3


def test_a_rate_that_varies_and_times_that_begin_late(decoder, tmp_path):
    times = [0.0, 0.04, 0.5, 0.54, 2.0, 2.01]
    for name, start_s in (("a.mkv", 0.0), ("b.mkv", 1.5)):
        path = make(tmp_path / name, frames=6, times=[start_s + time for time in times])
        seconds = [frame.seconds for frame in open_source(path)]
        assert np.array(seconds) - seconds[0] == pytest.approx(times, abs=2e-3)
    path = make(tmp_path / "c.mp4", frames=6, times=[time - 1.0 for time in times])
    seconds = [frame.seconds for frame in open_source(path)]
    assert seconds[0] >= 0
    assert seconds == sorted(seconds)
    assert len(seconds) == 2  # the file says that it begins at 0


def test_a_video_of_one_frame(decoder, tmp_path):
    with open_source(make(tmp_path / "a.mp4", frames=1)) as opened:
        (frame,) = opened
        assert (opened.total, frame.index, frame.seconds) == (1, 0, 0)


def test_sound_alone_is_no_video(decoder, tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(SourceError, match=r"the file contains .*expected a video"):
        open_source(path)


def test_the_cover_of_a_sound_file_is_no_video(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic.value
        container.mux(cover.encode(av.VideoFrame.from_ndarray(picture(0, (64, 64)), "bgr24")))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(SourceError, match="sound only"):
        open_source(path)


def test_titles_that_are_not_utf8_are_no_hindrance(tmp_path):
    path = tmp_path / "a.mkv"
    make(path)
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.mkv"), "w") as target:
        target.metadata["title"] = "TITLE-TITLE"
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None or packet.size:
                packet.stream = stream
                target.mux(packet)
    content = (tmp_path / "b.mkv").read_bytes()
    (tmp_path / "b.mkv").write_bytes(content.replace(b"TITLE-TITLE", b"caf\xe9-caf\xe9--"))
    assert len(list(open_source(tmp_path / "b.mkv"))) == 10


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"I am text", "a text file, expected MP4"),
        (b"PK\x03\x04" + bytes(60), "a ZIP archive, expected MP4"),
        (bytes(range(7, 200)) * 9, "an unknown format, expected MP4"),
    ],
)
def test_what_is_no_video_is_named(content, said, decoder, tmp_path):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(SourceError, match=f"a.mp4: cannot be opened as a video: {said}"):
        open_source(tmp_path / "a.mp4")


def test_a_file_without_its_index_is_said_in_a_line(decoder, tmp_path):
    content = make(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(content[: content.index(b"moov") - 4])
    with pytest.raises(SourceError, match="an MP4 video that is damaged or cut off"):
        open_source(tmp_path / "a.mp4")


def test_a_file_whose_frames_are_damaged_does_not_end_in_an_error_of_the_decoder(decoder, tmp_path):
    path = make(tmp_path / "a.mp4", frames=60, options={"g": "10"})
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    middle = start + (content.index(b"moov") - start) // 2
    content[middle : middle + 400] = np.random.default_rng(0).bytes(400)
    path.write_bytes(content)
    opened = open_source(path)
    frames = list(opened)
    assert 10 < len(frames) <= 60
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert bool(opened.failures) == (len(frames) < 57)


def test_without_pyav_nothing_of_it_is_imported(tmp_path, monkeypatch):
    path = make(tmp_path / "a.mp4")
    hide_pyav(monkeypatch)
    monkeypatch.delitem(__import__("sys").modules, "mien.vision.sources._pyav", raising=False)
    assert len(list(open_source(path))) == 10
