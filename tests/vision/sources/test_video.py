from __future__ import annotations

import struct
import threading

import numpy as np
import pytest
from tests.vision.made import (
    shade_of,
    write_video,
)

from mien.vision.sources import open_source


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
    assert list(opened) == []  # closed is closed


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
