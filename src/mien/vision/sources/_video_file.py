"""The contract of an opened video file, whichever library decodes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mien.errors import SourceError
from mien.types import Image
from mien.vision.sources.base import Limits

MAX_FPS = 1000.0  # formats without a rate state 0, or the rate of their clock


class VideoFile(ABC):
    """A video that is decoded frame by frame, in the order in which its frames are shown.

    Args:
        total: number of frames that the file states, or that follows from its duration; None if it
            is unknown.
        fps: frames per second that the file states; None if there is no such rate.
    """

    def __init__(self, *, total: int | None, fps: float | None) -> None:
        self.total = total
        self.fps = fps

    @abstractmethod
    def grab(self) -> float | None:
        """Decode the next frame without converting it; return None at the end.

        Returns:
            Timestamp of the frame, in seconds since the video began; 0 if it has none.
        """

    @abstractmethod
    def picture(self) -> Image | None:
        """Return the pixels of the frame that was grabbed; None if it cannot be converted.

        Shape: -> uint8 (height, width, 3), blue-green-red, as it is to be seen.

        Raises:
            SourceError: if the frame has more pixels than the limit.
        """

    def skip_to(self, seconds: float) -> int:
        """Move towards a time before any frame is grabbed, if that is possible exactly.

        Args:
            seconds: time of the first frame that is needed, in seconds since the video began.

        Returns:
            Number of frames that were skipped, all of them before that time.
        """
        return 0

    @abstractmethod
    def close(self) -> None:
        """Close the file; safe to repeat."""


def open_video_file(path: Path, name: str, limits: Limits) -> VideoFile:
    """Open a local video file, by PyAV if it is installed, else by OpenCV.

    Args:
        path: path of the file.
        name: name of the file in errors.
        limits: limits on its frames.

    Raises:
        SourceError: if it is not a readable video, or its frames are too large.
    """
    # FFmpeg would take the part of a relative path before a colon for a protocol.
    path = path.absolute()
    try:
        import av  # noqa: F401 - told here, even if the module below was imported before

        from mien.vision.sources._pyav import PyAvFile
    except ImportError:
        from mien.vision.sources._capture import open_capture_file

        return open_capture_file(path, name, limits)
    return PyAvFile(path, name, limits)


@contextmanager
def plain_path(path: Path) -> Iterator[str]:
    """Yield a name of a file that FFmpeg and OpenCV take as it is.

    OpenCV crashes with a name that is not UTF-8, and FFmpeg takes ``%03d`` for the number of a
    picture. Inside the block such a file has a second name in a temporary folder.

    Raises:
        SourceError: if no second name can be made.
    """
    text = str(path)
    if text.isprintable() and "%" not in text:  # surrogate escapes are not printable
        yield text
        return
    # Windows cannot remove a name of a file that is open; a second name costs nothing.
    with TemporaryDirectory(prefix="mien-", ignore_cleanup_errors=True) as folder:
        suffix = path.suffix if path.suffix.isascii() and path.suffix.isprintable() else ""
        link = Path(folder, f"video{suffix}")
        try:
            link.symlink_to(path)
        except (OSError, NotImplementedError):  # Windows allows links to few
            try:
                link.hardlink_to(path)
            except (OSError, NotImplementedError):
                raise SourceError(
                    f"{path}: FFmpeg cannot open a file of this name; rename it"
                ) from None
        yield str(link)


def no_video(path: Path, name: str) -> SourceError:
    """Return the error for a file that cannot be opened as a video; it says what the file is."""
    from mien.images.kinds import HEAD_BYTES, identify

    try:
        with path.open("rb") as file:
            kind = identify(file.read(HEAD_BYTES))
    except OSError as error:
        return SourceError(f"{name}: cannot be read ({error.strerror})")
    if kind.group == "video":
        what = f"{kind.name} that is damaged or cut off; copy or download it again"
    else:
        what = f"{kind.name or 'an unknown format'}, expected MP4, MOV, AVI, MKV, WebM or similar"
    return SourceError(f"{name}: cannot be opened as a video: {what}")
