from __future__ import annotations

import subprocess
import sys
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

from mien.vision.sources import open_source


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


@pytest.mark.parametrize("others", [[], [np.zeros((4, 4), np.uint8)]])
def test_a_silent_stream_asks_whether_to_stop(silent, others):
    asked = []

    def stop():
        asked.append(True)
        return len(asked) > 20

    opened = open_source([silent, *others], timeout_s=20, stop=stop)
    begun = time.monotonic()
    assert {frame.source for frame in opened} == {silent}  # and not the next of the list
    assert time.monotonic() - begun < 15
    assert opened.failures == []


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
