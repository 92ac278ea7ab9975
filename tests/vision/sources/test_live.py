from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.vision.made import (
    send,
    send_mjpeg,
    serving,
    silent_stream,
)
from tests.waiting import wait_until

from mien.errors import SourceError
from mien.vision.sources import Limits, Selection, expected_kind, open_source
from mien.vision.sources._interlaced import is_affected
from mien.vision.sources.base import never
from mien.vision.sources.live import open_stream


def test_a_stream_gives_the_newest_frame_and_counts_those_it_drops():
    with serving(lambda handler: send_mjpeg(handler, range(10_000))) as address:
        with open_source(f"{address}/live", timeout_s=10) as opened:
            assert (opened.kind, opened.total) == ("live", None)
            frames, dropped = [], []
            begun = time.monotonic()
            for frame in opened:
                assert 0 <= frame.seconds <= time.monotonic() - begun
                frames.append(frame)
                if len(frames) == 5:
                    break
                dropped.append(opened.dropped)
                wait_until(lambda: opened.dropped >= dropped[-1] + 3)  # slower than they come
        indices = [frame.index for frame in frames]
        assert min(np.diff(indices)) >= 4
        assert opened.dropped >= indices[-1] + 1 - len(frames)
        assert min(np.diff([frame.seconds for frame in frames])) > 0
        assert opened.failures == []
        assert not [one for one in threading.enumerate() if one.name.startswith("mien")]
        with opened:  # it is opened again
            assert next(iter(opened)).image.shape == (48, 64, 3)
        assert opened.failures == []


def test_a_stream_that_breaks_is_opened_again_and_its_end_is_said():
    calls = []

    def answer(handler):
        calls.append(handler.path)
        if len(calls) <= 4:  # two connections: each is asked first what it has
            send_mjpeg(handler, range(len(calls), len(calls) + 15))
        else:
            send(handler, b"", "text/plain", 503)

    with serving(answer) as address:
        with open_source(f"{address}/live", timeout_s=10, retries=1) as opened:
            seconds = [frame.seconds for frame in opened]
    assert len(seconds) + opened.dropped > 15  # of more than the first connection
    assert seconds == sorted(seconds)
    assert max(np.diff(seconds)) >= 0.5  # the pause before it was opened again
    (failure,) = opened.failures
    assert "broke off" in str(failure)


@pytest.fixture
def silent():
    """The address of a stream that gives ten frames, and then nothing."""
    with silent_stream() as address:
        yield address


def test_closing_ends_a_wait_for_a_silent_stream(silent):
    opened = open_source(silent, timeout_s=20)
    begun = time.monotonic()
    frames = iter(opened)
    assert next(frames).index >= 0
    threading.Timer(0.5, opened.close).start()
    list(frames)
    assert time.monotonic() - begun < 10  # long before the silence times out
    assert opened.failures == []


@pytest.mark.parametrize("others", [[], [np.zeros((4, 4), np.uint8)]])
def test_a_silent_stream_asks_whether_to_stop(silent, others):
    asked = []

    def stop():
        asked.append(True)
        return len(asked) > 20

    opened = open_source([silent, *others], timeout_s=20, stop=stop)
    begun = time.monotonic()
    expected = {silent, *(f"item {number + 1}" for number, _ in enumerate(others))}
    assert {frame.source for frame in opened} == expected
    assert time.monotonic() - begun < 15
    assert opened.failures == []


def test_a_stream_that_begins_again_with_the_same_picture_is_read_once():
    """A clip, or a picture, that is served without its length."""
    calls = []

    def answer(handler):
        calls.append(handler.path)
        send_mjpeg(handler, range(15))

    with serving(answer) as address:
        begun = time.monotonic()
        with open_source(f"{address}/live", timeout_s=10) as opened:
            frames = list(opened)
        assert time.monotonic() - begun < 10
    assert frames[-1].index == 14
    assert opened.failures == []
    (note,) = opened.notes
    assert "it was read once" in note
    assert len(calls) <= 4


def test_a_stream_that_ends_at_once_each_time_is_not_asked_for_ever():
    """A camera that answers with one picture at a time, which differs each time."""
    calls = []

    def answer(handler):
        calls.append(handler.path)
        send_mjpeg(handler, [3 * len(calls) + number for number in range(3)])

    with serving(answer) as address:
        with open_source(f"{address}/live", timeout_s=10, retries=2) as opened:
            frames = list(opened)
    assert len(frames) + opened.dropped <= 9
    (failure,) = opened.failures
    assert "broke off" in str(failure)
    assert len(calls) <= 6


def test_every_nth_frame_of_a_part_of_a_stream():
    with serving(lambda handler: send_mjpeg(handler, range(10_000))) as address:
        with open_source(f"{address}/live", timeout_s=10) as opened:
            opened.select(Selection(every=5, start_s=0.1, end_s=0.6))
            frames = list(opened)
    indices = [frame.index for frame in frames]
    assert frames[0].seconds >= 0.1
    assert frames[-1].seconds < 0.6
    assert all((index - indices[0]) % 5 == 0 for index in indices)
    assert len(frames) > 2
    assert opened.failures == []


def test_several_streams_are_polled_without_waiting():
    news = threading.Condition()
    with serving(lambda handler: send_mjpeg(handler, range(40))) as address:
        sources = [open_source(f"{address}/{name}", timeout_s=10) for name in "ab"]
        assert not any(source.reads_ahead for source in sources)
        assert [source.poll() for source in sources] == [None, None]
        for source in sources:
            source.news = news
            source.start()
        last = dict.fromkeys("ab", -1)
        begun = time.monotonic()
        while not all(source.has_ended for source in sources):
            assert time.monotonic() - begun < 20
            with news:
                frames = [source.poll() for source in sources]
                if not any(frames):
                    news.wait(0.2)
            for frame in filter(None, frames):
                assert frame.index > last[frame.source[-1]]
                last[frame.source[-1]] = frame.index
        assert last == {"a": 39, "b": 39}
        for source in sources:
            source.close()
            assert source.poll() is None
            assert source.has_ended


def test_oblong_pixels_of_a_stream_are_square(tmp_path):
    pytest.importorskip("av")
    from tests.vision.clips import make

    content = make(tmp_path / "a.ts", "mpeg4", pixel_aspect=Fraction(2)).read_bytes()

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "video/mp2t")
        handler.end_headers()
        handler.wfile.write(content)

    limits = Limits(timeout_s=10)
    with serving(answer) as address:
        opened = open_stream(f"{address}/a.ts", "a", limits=limits, stop=never)
        with opened:
            assert next(iter(opened)).image.shape == (64, 192, 3)


def test_an_interlaced_stream_is_refused_instead_of_black(tmp_path):
    pytest.importorskip("av")
    if not is_affected():
        pytest.skip("this OpenCV reads interlaced video")
    from tests.vision.clips import make

    options = {"flags": "+ildct+ilme"}
    content = make(tmp_path / "a.ts", "mpeg2video", frames=60, options=options).read_bytes()

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "video/mp2t")
        handler.end_headers()
        for start in range(0, len(content), 188 * 20):
            handler.wfile.write(content[start : start + 188 * 20])
            time.sleep(0.02)

    with serving(answer) as address:
        opened = open_stream(f"{address}/a.ts", "a", limits=Limits(timeout_s=10), stop=never)
        try:
            list(opened)
            said = [str(failure) for failure in opened.failures]
        except SourceError as error:
            said = [str(error)]
    assert "interlaced" in said[0]


@pytest.mark.parametrize("is_interlaced", [True, False])
def test_a_playlist_is_a_video_whose_frames_are_its_own(is_interlaced, tmp_path):
    pytest.importorskip("av")
    from tests.vision.clips import make, number_of

    options = {"flags": "+ildct+ilme"} if is_interlaced else {}
    content = make(tmp_path / "a.ts", "mpeg2video", options=options).read_bytes()
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.4,\na.ts\n#EXT-X-ENDLIST\n"

    def answer(handler):
        if handler.path.endswith(".ts"):
            send(handler, content, "video/mp2t")
        else:
            send(handler, playlist.encode(), "application/vnd.apple.mpegurl")

    with serving(answer) as address:
        place, limits = f"{address}/a.m3u8", Limits(timeout_s=10)
        if is_interlaced and is_affected():
            with pytest.raises(SourceError, match="a: an interlaced video"):
                open_stream(place, "a", limits=limits, stop=never)
            return
        opened = open_stream(place, "a", limits=limits, stop=never)
        assert opened.kind == "video"
        for _ in range(2):
            assert [number_of(frame.image) for frame in opened] == list(range(10))


@pytest.mark.parametrize("spec", ["/dev/video987", Path("/dev/video987"), "98"])
def test_a_camera_that_is_not_there_is_said(spec):
    with pytest.raises(SourceError, match=rf"camera {spec}: cannot be opened"):
        open_source(spec)
    assert expected_kind(spec) == "live"


@pytest.mark.skipif(not hasattr(os, "mknod"), reason="needs devices")
def test_a_device_is_a_camera_and_other_devices_are_not(tmp_path):
    path = tmp_path / os.fsdecode(b"my caf\xe9 camera.mp4")
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(81, 250))
    except PermissionError:
        pytest.skip("needs the right to make a device")
    assert expected_kind(path) == "live"
    with pytest.raises(SourceError, match=r"cannot be opened \(is it connected"):
        open_source(path)
    with pytest.raises(SourceError, match="not a file"):
        open_source("/dev/null")


def test_addresses_that_are_not_utf8_are_asked_for_by_their_bytes():
    asked = []

    def answer(handler):
        asked.append(handler.path)
        send_mjpeg(handler, range(3))

    with serving(answer) as address:
        for path in (os.fsdecode(b"caf\xe9?a=%20\xff"), "caf\u00e9"):
            open_stream(f"{address}/{path}", "a", limits=Limits(timeout_s=10), stop=never).close()
    assert set(asked) == {"/caf%E9?a=%20%FF", "/caf%C3%A9"}
    with pytest.raises(SourceError, match="not a valid address"):
        open_stream(os.fsdecode(b"http://h\xff/a"), "a", limits=Limits(), stop=never)


SCRIPT = """
import sys, time
from mien.vision.sources import open_source

address, timeout_s, silent_s = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
source = open_source(address, timeout_s=timeout_s)
for frame in source:
    last = time.monotonic()
    if frame.index >= 9 or frame.index + source.dropped >= 9:
        break
while time.monotonic() - last < silent_s:
    time.sleep(0.001)
print("ended", flush=True)
"""


@pytest.mark.parametrize(
    ("timeout_s", "silent_s", "longest_s"),
    [
        (20, 0.5, 3),  # the process does not wait for the stream
        *((1.5, silent_s, 5) for silent_s in (1.40, 1.44, 1.46, 1.48, 1.50)),
    ],
)
def test_python_ends_at_once_and_in_peace_while_a_stream_is_silent(
    silent, timeout_s, silent_s, longest_s
):
    """OpenCV, coming back from a wait that times out while Python exits, would abort it."""
    command = [sys.executable, "-c", SCRIPT, silent, str(timeout_s), str(silent_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ended\n"
        begun = time.monotonic()
        assert process.wait(60) == 0
        assert time.monotonic() - begun < longest_s
