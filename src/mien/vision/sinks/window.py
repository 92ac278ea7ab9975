"""A window on the screen that shows frames as they come.

By tkinter, which comes with Python: the OpenCV that mien needs is the one without windows, so that
it installs on servers.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import cv2

from mien.errors import MienError
from mien.types import Image

_MOST_WIDTH_PX, _MOST_HEIGHT_PX = 1600, 900
_QUIT_KEYS = ("q", "Q", "<Escape>")


class Window:
    """A window, open until somebody closes it or presses q or Esc.

    Args:
        title: of the window.

    Raises:
        MienError: if there is no screen, or Python came without tkinter.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter
        except ImportError:
            raise MienError(
                "a window needs tkinter, which this Python came without (Debian: python3-tk); "
                "leave out --show, and keep an annotated copy by --save"
            ) from None
        self._photo_image = tkinter.PhotoImage
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise MienError(
                f"no window can be opened here ({error}); leave out --show, and keep an annotated "
                "copy by --save"
            ) from None
        self._root.title(title)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._picture: Any = None
        self.is_open = True
        self._root.protocol("WM_DELETE_WINDOW", self._quit)
        for key in _QUIT_KEYS:
            self._root.bind(key, self._quit)

    def show(self, image: Image) -> bool:
        """Show a picture; return whether the window is still open.

        Shape: uint8 (height, width, 3), blue-green-red.
        """
        if not self.is_open:
            return False
        height, width = image.shape[:2]
        scale = min(1.0, _MOST_WIDTH_PX / width, _MOST_HEIGHT_PX / height)
        if scale < 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        height, width = image.shape[:2]
        pixels = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).tobytes()
        # Kept, or tkinter lets go of a picture that it still shows.
        self._picture = self._photo_image(data=f"P6 {width} {height} 255\n".encode() + pixels)
        self._label.configure(image=self._picture)
        self.update()
        return self.is_open

    def update(self) -> None:
        """Heed keys and clicks; where no picture comes for long, somebody has to ask for it."""
        if self._root is not None:
            self._root.update()

    def close(self) -> None:
        """Take the window away; safe to repeat."""
        self.is_open = False
        if self._root is not None:
            self._root.destroy()
            self._root = None  # type: ignore[assignment]

    def _quit(self, _: object = None) -> None:
        self.is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
