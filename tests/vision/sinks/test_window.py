"""The window's sink. The window itself needs a screen, which test machines do not have."""

from __future__ import annotations

import time

import pytest
from tests.vision.sinks.made import Given, context, frame

from mien.errors import MienError
from mien.vision.sinks import window
from mien.vision.sinks.window import Window, WindowSink


class FakeWindow:
    """Stands for a window, which the user closes after some updates."""

    def __init__(self, title):
        self.title, self.shown, self.updates = title, [], 0

    @property
    def is_open(self):
        return self.updates < 3

    def show(self, image):
        self.shown.append(image)

    def update(self):
        self.updates += 1

    def close(self):
        self.updates = 3


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(window, "Window", FakeWindow)


def test_a_window_needs_a_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(MienError, match="leave out --show"):
        Window("mien")


def test_it_is_done_once_the_user_closes_it(fake):
    with WindowSink.open("", context(Given())) as sink:
        assert sink._window.title == Given().name
        assert [sink.done for _ in range(4)] == [False, False, True, True]
    assert sink.saved == []


@pytest.mark.parametrize(("kind", "waits"), [("video", True), ("live", False)])
def test_a_video_takes_its_own_time_and_a_camera_does_not(fake, kind, waits):
    with WindowSink.open("", context(Given(kind))) as sink:
        sink._window.updates = -100  # it stays open
        began = time.monotonic()
        sink.add(frame(0, 0.0), [])
        sink.add(frame(1, 0.3), [])
        assert (time.monotonic() - began >= 0.3) is waits
        assert len(sink._window.shown) == 2


def test_a_wait_for_a_frame_ends_when_the_run_is_stopped(fake):
    with WindowSink.open("", context(Given(), stop=lambda: True)) as sink:
        sink._window.updates = -100
        sink.add(frame(0, 0.0), [])
        began = time.monotonic()
        sink.add(frame(1, 60.0), [])
        assert time.monotonic() - began < 10
