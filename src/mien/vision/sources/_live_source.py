"""A source that reads a camera or a stream in a thread, and keeps the newest frame."""

from __future__ import annotations

import atexit
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from mien.errors import SourceError
from mien.types import Image
from mien.vision.sources._capture import interlaced
from mien.vision.sources._progress import LiveProgress
from mien.vision.sources._video_file import VideoFile
from mien.vision.sources.base import ALL_FRAMES, Frame, Limits, Selection, Source, Stop

_FIRST_PAUSE_S: Final = 0.5  # before a broken stream is reopened; doubled each time
_LASTING_S: Final = 10.0  # a stream that lasts this long may be reopened again and again
_WAIT_S: Final = 0.2  # the stop condition is checked between waits
_CLOSING_S: Final = 0.3
_SLOW_FRAME_S: Final = 0.5
_EXIT_S: Final = 1.0  # longer than Python takes to exit

Connect = Callable[[], VideoFile]


class LiveSource(Source):
    """The newest frame of a camera or a stream, each time that one is requested.

    A thread reads every frame, from the first iteration, or from `start`, until the source is
    closed or the iteration is left. A later iteration opens the camera or the stream again.

    Args:
        name: number or device of the camera, or address of the stream without its password.
        video: opened camera or stream.
        connect: function that opens it once more.
        lost: message for the end of the stream.
        stop: condition that ends the iteration.
        limits: idle timeout, and number of attempts to reopen a stream.
        is_stream: whether it is reopened when it ends, as a stream is; a camera is not.
        is_interlaced: function that says whether the stream may be interlaced, if OpenCV cannot
            decode such streams.

    Attributes:
        news: condition that is notified of every frame and of the end; another one may be set
            before `start`, to wait for several sources.
    """

    reads_ahead = False

    def __init__(
        self,
        name: str,
        video: VideoFile,
        connect: Connect,
        *,
        lost: str,
        stop: Stop,
        limits: Limits,
        is_stream: bool = False,
        is_interlaced: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__(name, "live", fps=video.fps)
        self.news = threading.Condition()
        self._video: VideoFile | None = video
        self._connect = connect
        self._lost = lost
        self._stop = stop
        self._limits = limits
        self._is_stream = is_stream
        self._is_interlaced = is_interlaced
        self._selection = ALL_FRAMES
        self._run: _Run | None = None

    def select(self, selection: Selection) -> None:
        """Yield only the selected frames (see `Source.select`); times count from the first one."""
        self._selection = selection

    def __iter__(self) -> Iterator[Frame]:
        """Yield the newest frame each time; frame numbers also count dropped frames."""
        has_frames = False
        self.start()
        run = self._run
        try:
            while not self._stop():
                with self.news:
                    frame = self.poll()
                    if frame is None and not self.has_ended:
                        self.news.wait(_WAIT_S)
                        frame = self.poll()
                if run is not self._run or (frame is None and self.has_ended):
                    break
                if frame is not None:
                    has_frames = True
                    yield frame
                    del frame
        finally:
            if run is self._run:
                self.close()
        if not has_frames and self.failures:
            raise self.failures.pop()

    def start(self) -> None:
        """Begin to read frames, unless they are being read.

        Raises:
            SourceError: if the camera or the stream cannot be opened again.
        """
        if self._run is not None:
            return
        video, self._video = self._video or self._connect(), None
        self.failures, self.notes, self.dropped = [], [], 0
        self._run = _Run(self, video, self._selection)
        self._run.thread.start()

    def poll(self) -> Frame | None:
        """Return the newest frame, once; None if none came since the last call."""
        with self.news:
            if self._run is None:
                return None
            frame, self._run.newest = self._run.newest, None
            return frame

    @property
    def has_ended(self) -> bool:
        """Return whether no more frames will come, unless it is started again."""
        with self.news:
            return self._run is None or (self._run.is_over and self._run.newest is None)

    def close(self) -> None:
        """Stop the thread, which releases the device.

        A thread that waits for a silent device or stream is left behind. It releases it when that
        wait times out.
        """
        if self._video is not None:
            self._video.close()
            self._video = None
        with self.news:
            run, self._run = self._run, None
            self.news.notify_all()
        if run is not None:
            run.close()

    def _keep(self, run: _Run, frame: Frame) -> None:
        with self.news:
            if run is self._run:
                self.dropped += run.newest is not None
                run.newest = frame
                self.news.notify_all()


class _Run:
    """The thread of one iteration.

    Args:
        source: source whose frames are read.
        video: opened camera or stream.
        selection: wanted frames.

    Attributes:
        newest: newest frame that was not taken.
        is_over: whether the thread has read its last frame.
        thread: thread that reads frames; to be started.
    """

    def __init__(self, source: LiveSource, video: VideoFile, selection: Selection) -> None:
        self.newest: Frame | None = None
        self.is_over = False
        self._source, self._video, self._selection = source, video, selection
        self._failures, self._notes = source.failures, source.notes
        self._closing = threading.Event()
        self._waiting_since = 0.0
        self._previous: Image | None = None
        # A daemon: OpenCV cannot be interrupted, and Python does not wait for a daemon to end.
        self.thread = threading.Thread(target=self._read, name=f"mien {source.name}", daemon=True)

    def close(self) -> None:
        """Stop the thread, or leave it behind if it waits for a frame."""
        self._closing.set()
        self.thread.join(_CLOSING_S)
        if self.thread.is_alive():
            atexit.register(self._leave)

    def _leave(self) -> None:
        """Let a wait that is about to end do so before Python exits.

        The process aborts if OpenCV returns to Python from a wait while Python is exiting, which
        takes about 30 ms. The wait of a slow stream ends with its next frame, that of a silent one
        when it times out. A longer wait is cut short by the end of the process.
        """
        timeout_s = self._waiting_since + self._source._limits.timeout_s - time.monotonic()
        self.thread.join(2 * _EXIT_S if timeout_s < _EXIT_S else _SLOW_FRAME_S)

    def _read(self) -> None:
        """Read every frame and keep the newest."""
        try:
            self._read_all()
        except SourceError as error:
            self._failures.append(error)
        finally:
            self._video.close()
            with self._source.news:
                self.is_over = True
                self._source.news.notify_all()

    def _read_all(self) -> None:
        """Read frames until the stream ends for good.

        Raises:
            SourceError: if it broke off, or its frames cannot be read.
        """
        counter = LiveProgress(self._selection)
        beginning, attempts, retries = b"", 0, self._source._limits.retries
        while True:
            opened_s, count = time.monotonic(), 0
            while self._grab():
                if counter.is_past_end():
                    return
                image = self._video.picture() if counter.is_wanted() or count == 0 else None
                if count == 0 and image is not None and self._source._is_stream:
                    digest = hashlib.blake2b(image.tobytes()).digest()
                    if digest == beginning:
                        self._notes.append(
                            f"{self._source.name}: it ended, and would begin again with the same "
                            "picture; it was read once"
                        )
                        return
                    beginning = beginning or digest
                if image is not None and counter.is_wanted():
                    self._keep(image, counter)
                count += 1
                counter.index += 1
            if self._closing.is_set():
                return
            if count and time.monotonic() - opened_s >= _LASTING_S:
                attempts = 0
            attempts = self._reopen(attempts, retries)

    def _grab(self) -> bool:
        self._waiting_since = time.monotonic()
        return not self._closing.is_set() and self._video.grab() is not None

    def _keep(self, image: Image, counter: LiveProgress) -> None:
        self._check_interlaced(image)
        frame = Frame(image, self._source.name, counter.index, counter.seconds)
        self._source._keep(self, frame)

    def _check_interlaced(self, image: Image) -> None:
        """Raise a SourceError if a frame is identical to the one before, and may be unwritten.

        Raises:
            SourceError: if the stream may be interlaced, which OpenCV cannot decode.
        """
        check, previous = self._source._is_interlaced, self._previous
        if check is None:
            return
        self._previous = image
        middle = len(image) // 2
        if previous is None or not np.array_equal(image[middle], previous[middle]):
            return
        if np.array_equal(image, previous):
            self._source._is_interlaced = None  # the answer stays the same
            if check():
                raise interlaced(self._source.name)

    def _reopen(self, attempts: int, retries: int) -> int:
        """Open a stream once more, and return the number of attempts since one lasted.

        Raises:
            SourceError: if there were too many attempts.
        """
        self._video.close()
        while not self._closing.is_set():
            if not self._source._is_stream or attempts >= retries:
                raise SourceError(self._source._lost)
            self._closing.wait(_FIRST_PAUSE_S * 2**attempts)
            attempts += 1
            if not self._closing.is_set():
                self._waiting_since = time.monotonic()
                try:
                    self._video = self._source._connect()
                    break
                except SourceError:
                    continue
        return attempts
