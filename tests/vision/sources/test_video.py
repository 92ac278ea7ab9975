from __future__ import annotations

import gc
import struct
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest
from tests.vision.made import (
    shade_of,
    write_video,
)

from mien.errors import SourceError
from mien.vision.sources import Limits, Selection, open_source
from mien.vision.sources.base import never
from mien.vision.sources.video import open_video


@pytest.fixture(params=["pyav", "opencv"], autouse=True)
def decoder(request, monkeypatch):
    """The name of the package that decodes."""
    if request.param == "opencv":
        monkeypatch.setitem(sys.modules, "av", None)
    else:
        pytest.importorskip("av")
    return request.param


@pytest.mark.parametrize("name", ["film.mp4", "film.avi"])
def test_a_video_gives_every_frame_in_order(name, tmp_path):
    path = write_video(tmp_path / name)
    with open_source(path) as opened:
        assert (opened.name, opened.kind) == (str(path), "video")
        assert (opened.total, opened.fps) == (40, 20)
        for _ in range(2):
            frames = list(opened)
            assert [frame.index for frame in frames] == list(range(40))
            assert [frame.seconds for frame in frames] == pytest.approx(np.arange(40) / 20)
            shades = [frame.image.mean() for frame in frames]
            assert shades == pytest.approx([shade_of(n) for n in range(40)], abs=4)
            assert opened.failures == []


def test_the_seconds_of_a_video_are_its_own_where_its_rate_varies(tmp_path):
    path = write_video(tmp_path / "film.mp4", frames=12)
    content = bytearray(path.read_bytes())
    # The box that says how long frames last gets a second entry, and those around it 8 bytes more.
    at = content.index(b"stts")
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        start = content.index(kind) - 4
        content[start : start + 4] = struct.pack(
            ">I", int.from_bytes(content[start : start + 4]) + 8
        )
    lasts = int.from_bytes(content[at + 16 : at + 20])
    content[at + 8 : at + 20] = struct.pack(">IIIII", 2, 8, lasts, 4, 5 * lasts)
    path.write_bytes(content.replace(b"edts", b"free"))
    seconds = [frame.seconds for frame in open_source(path)]
    expected = [*np.arange(9) * 0.05, *(0.4 + np.arange(1, 4) * 0.25)]
    assert seconds == pytest.approx(expected)


def test_of_a_cut_off_video_what_there_is_is_read_and_then_said(tmp_path):
    path = write_video(tmp_path / "film.avi")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with open_source(path) as opened:
        count = len(list(opened))
        assert 5 < count < 35
        (failure,) = opened.failures
    assert f"only {count} of 40 frames" in str(failure)


def test_leaving_a_video_early_is_no_failure(tmp_path):
    path = write_video(tmp_path / "film.avi")
    with open_source(path) as opened:
        for frame in opened:
            if frame.index == 3:
                break
        assert opened.failures == []
    assert len(list(opened)) == 40  # a closed video is opened again


def test_a_video_may_be_closed_from_another_thread(tmp_path):
    opened = open_source(write_video(tmp_path / "film.avi"))
    count = 0
    for _ in opened:
        count += 1
        if count == 5:
            closing = threading.Thread(target=opened.close)
            closing.start()
            closing.join()
    assert count == 5
    assert opened.failures == []


def test_closing_from_another_thread_while_a_frame_is_read_is_no_crash(tmp_path):
    path = write_video(tmp_path / "film.mp4", frames=200)
    for delay_s in np.linspace(0, 0.03, 12):
        opened = open_source(path)
        timer = threading.Timer(delay_s, opened.close)
        timer.start()
        count = len(list(opened))
        timer.join()
        assert count <= 200
        assert opened.failures == []


def test_a_second_iteration_ends_the_first(tmp_path):
    opened = open_source(write_video(tmp_path / "film.avi"))
    first = iter(opened)
    assert [next(first).index for _ in range(3)] == [0, 1, 2]
    assert [frame.index for frame in opened] == list(range(40))
    assert list(first) == []
    assert opened.failures == []


def test_a_video_that_is_gone_at_the_second_reading_is_said(tmp_path):
    path = write_video(tmp_path / "film.avi")
    opened = open_source(path)
    assert len(list(opened)) == 40
    path.unlink()
    with pytest.raises(SourceError, match=r"film\.avi"):
        list(opened)


@pytest.mark.parametrize(
    ("selection", "indices"),
    [
        (Selection(every=7), range(0, 40, 7)),
        (Selection(start_s=0.5), range(10, 40)),
        (Selection(end_s=0.5), range(10)),
        (Selection(every=3, start_s=0.51, end_s=1.0), [11, 14, 17]),
        (Selection(every=100, start_s=1.95), [39]),
        (Selection(start_s=1.9, end_s=9), [38, 39]),
    ],
)
@pytest.mark.parametrize("name", ["film.mp4", "film.avi"])
def test_selected_frames_keep_their_numbers_and_times(name, selection, indices, tmp_path):
    with open_source(write_video(tmp_path / name)) as opened:
        opened.select(selection)
        for _ in range(2):
            frames = list(opened)
            assert [frame.index for frame in frames] == list(indices)
            assert [frame.seconds for frame in frames] == pytest.approx(np.array(indices) / 20)
            shades = [frame.image.mean() for frame in frames]
            assert shades == pytest.approx([shade_of(n) for n in indices], abs=4)
            assert opened.total == len(frames)
        assert opened.failures == []
        opened.select(Selection())
        assert opened.total == len(list(opened)) == 40


def test_a_part_without_a_frame_is_said(tmp_path):
    opened = open_source(write_video(tmp_path / "film.mp4"))
    opened.select(Selection(start_s=7))
    with pytest.raises(SourceError, match=r"no frame from 7 s on; the video ends at 2\.0 s"):
        list(opened)
    opened.select(Selection(start_s=0.51, end_s=0.52))
    with pytest.raises(SourceError, match=r"no frame from 0\.51 s to 0\.52 s; select a longer"):
        list(opened)


def test_the_end_of_a_part_is_no_missing_frame_but_a_cut_off_video_is(tmp_path):
    path = write_video(tmp_path / "film.avi")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    opened = open_source(path)
    opened.select(Selection(end_s=0.25))
    assert len(list(opened)) == 5
    assert opened.failures == []
    opened.select(Selection(start_s=0.1))
    assert len(list(opened)) >= 5
    (failure,) = opened.failures
    assert "of 40 frames could be read" in str(failure)


def test_frames_of_one_colour_are_read_and_noted(tmp_path):
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (64, 48))
    for number in range(12):
        image = np.zeros((48, 64, 3), np.uint8)
        if number >= 5:
            image[7:15, 9:17] = 255  # beside the pixels that are sampled
        writer.write(image)
    writer.release()
    with open_source(path) as opened:
        for _ in range(2):
            assert len(list(opened)) == 12
            (note,) = opened.notes
            assert f"{path}: 5 of 12 frames are of a single colour" in note
            assert opened.failures == []


def test_a_file_that_is_no_longer_needed_is_told_once(tmp_path):
    closed = []
    path = write_video(tmp_path / "film.avi")
    opened = open_video(path, "", limits=Limits(), stop=never, on_close=lambda: closed.append(True))
    for _ in range(2):
        with opened:
            assert {frame.source for frame in opened} == {""}
    assert closed == []
    del opened
    gc.collect()
    assert closed == [True]
    path.write_bytes(b"I am text")
    with pytest.raises(SourceError, match="the video: cannot be opened"):
        open_video(path, "", limits=Limits(), stop=never, on_close=lambda: closed.append(True))
    assert closed == [True, True]


MEMORY = """
import resource, sys

if sys.argv[2] == "opencv":
    sys.modules["av"] = None
from mien.vision.sources import open_source

peaks = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss for _ in open_source(sys.argv[1])]
print(peaks[299] - peaks[50])
"""


def test_the_memory_of_a_video_does_not_grow_with_its_length(decoder, tmp_path):
    pytest.importorskip("resource")
    path = write_video(tmp_path / "film.mp4", frames=300, size=(640, 480))
    command = [sys.executable, "-c", MEMORY, str(path), decoder]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(result.stdout) < 20_000  # kB; 250 frames have 230,000


def test_stop_is_asked_before_each_frame(tmp_path):
    started = time.monotonic()
    asked = iter([False] * 3 + [True] * 9)
    opened = open_source(write_video(tmp_path / "film.avi"), stop=lambda: next(asked))
    assert len(list(opened)) == 3
    assert opened.failures == []
    assert time.monotonic() - started < 20
