from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from tests.vision.made import (
    send,
    send_mjpeg,
    serving,
    silent_stream,
)
from tests.waiting import wait_until

from mien.vision.sources.open import open_source


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
        assert list(opened) == []


def test_a_stream_that_breaks_is_opened_again_and_its_end_is_said():
    calls = []

    def answer(handler):
        calls.append(handler.path)
        if len(calls) <= 4:  # two connections: each is asked first what it has
            send_mjpeg(handler, range(15))
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


def test_a_silent_stream_asks_whether_it_is_over(silent):
    opened = open_source([silent, np.zeros((4, 4), np.uint8)], timeout_s=20)
    asked = []
    opened.over = lambda: asked.append(True) or len(asked) > 20
    begun = time.monotonic()
    *_, last = opened
    assert time.monotonic() - begun < 15
    assert last.source == ""  # the next of the list
    assert opened.failures == []
    assert opened.lingers  # the thread that still waits
