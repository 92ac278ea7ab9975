"""A sink that shows annotated frames in a window on the screen.

It uses tkinter, which comes with Python: mien uses OpenCV without windows, which also installs on
servers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final, Self

import cv2
import numpy as np

from mien.errors import MienError
from mien.types import Image
from mien.vision.reading import Reading
from mien.vision.sinks._drawing import draw_readings
from mien.vision.sinks._pacing import Pacing
from mien.vision.sinks.base import SINKS, Sink, SinkContext
from mien.vision.sources.base import Frame, Stop, never

_MAX_WIDTH_PX, _MAX_HEIGHT_PX = 1600, 900
_QUIT_KEYS = ("q", "Q", "<Escape>")
_BETWEEN_KEYS_S: Final = 0.05


@SINKS.register("window")
class WindowSink(Sink):
    """A window in which a video file plays at its own speed; it is done once it is closed.

    Each of several cameras has a window of its own, and closing one of them ends all.

    Args:
        title: title of the window.
        is_live: whether frames are shown immediately, instead of at the speed at which they were
            taken.
        stop: condition that ends the wait until a frame is due.

    Raises:
        MienError: if there is no screen, or Python has no tkinter.
    """

    target = "nothing"

    def __init__(self, title: str = "mien", *, is_live: bool = False, stop: Stop = never) -> None:
        super().__init__()
        self._title = title
        self._window = Window(title)  # opened now, to fail before any work
        self._of_cameras: dict[str, Window] = {}
        self._pacing = None if is_live else Pacing()
        self._stop = stop

    @classmethod
    def open(cls, target: str, context: SinkContext) -> Self:  # noqa: ARG003
        """Return a sink that shows the source; `target` is empty (see `Sink.open`)."""
        source = context.source
        return cls(source.name or "mien", is_live=source.kind == "live", stop=context.stop)

    @property
    def done(self) -> bool:
        """Return whether the user has closed the window; keys and clicks are handled now."""
        for window in self._windows():
            window.update()
        return not all(window.is_open for window in self._windows())

    def add(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Show a frame with its readings, when it is due."""
        picture = draw_readings(frame.image, readings)
        if self._pacing:
            due = self._pacing.due(frame, time.monotonic())
            while (left_s := due - time.monotonic()) > 0 and not (self.done or self._stop()):
                time.sleep(min(_BETWEEN_KEYS_S, left_s))
        self._window_of(frame).show(picture)

    def close(self) -> None:
        """Close the windows."""
        for window in self._windows():
            window.close()

    def _windows(self) -> list[Window]:
        return list({self._window, *self._of_cameras.values()})

    def _window_of(self, frame: Frame) -> Window:
        """Return the window of a frame: one for all photos and videos, and one for each camera."""
        if self._pacing:
            return self._window
        if frame.source not in self._of_cameras:
            window = Window(f"{self._title} {frame.source}") if self._of_cameras else self._window
            self._of_cameras[frame.source] = window
        return self._of_cameras[frame.source]


class Window:
    """A window that is open until the user closes it, or presses q or Esc.

    Args:
        title: title of the window.

    Attributes:
        is_open: whether the user has not closed it.

    Raises:
        MienError: if there is no screen, or Python has no tkinter.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter
        except ImportError:
            raise MienError(
                "a window needs tkinter, which this Python does not have (on Debian: install "
                "python3-tk); leave out --show, and save an annotated copy with --save"
            ) from None
        self._photo_image = tkinter.PhotoImage
        try:
            self._root: tkinter.Tk | None = tkinter.Tk()
        except tkinter.TclError as error:
            raise MienError(
                f"no window can be opened here ({error}); leave out --show, and save an annotated "
                f"copy with --save"
            ) from None
        self._root.title(title)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._picture: Any = None
        self.is_open = True
        self._root.protocol("WM_DELETE_WINDOW", self._quit)
        for key in _QUIT_KEYS:
            self._root.bind(key, self._quit)

    def show(self, image: Image) -> None:
        """Show a picture, unless the window is closed.

        Shape: uint8 (height, width, 3), blue-green-red.
        """
        if not self.is_open:
            return
        height, width = image.shape[:2]
        scale = min(1.0, _MAX_WIDTH_PX / width, _MAX_HEIGHT_PX / height)
        if scale < 1:
            shrunk = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            image = np.asarray(shrunk, np.uint8)
        height, width = image.shape[:2]
        pixels = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).tobytes()
        # Kept: tkinter would free a picture that nothing else refers to, though it still shows it.
        self._picture = self._photo_image(data=f"P6 {width} {height} 255\n".encode() + pixels)
        self._label.configure(image=self._picture)
        self.update()

    def update(self) -> None:
        """Handle keys and clicks; to be called often while no picture comes."""
        if self._root is not None:
            self._root.update()

    def close(self) -> None:
        """Close the window; safe to repeat."""
        self.is_open = False
        if self._root is not None:
            self._root.destroy()
            self._root = None

    def _quit(self, _: object = None) -> None:
        self.is_open = False
