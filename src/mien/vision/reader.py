"""Any source to Readings: find the faces, crop them as in training, read them, follow them.

Frames are decoded in the caller's thread while other threads look for faces in those before, and
another reads all the faces of some frames in one call. What is under way is bounded in number and
in pixels, so memory stays flat however long a video is, and however large its frames are.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import Bundle, find_bundle
from mien.labels import EMOTIONS
from mien.types import Image
from mien.vision.alignment import crop_face
from mien.vision.defaults import SMOOTHING_S
from mien.vision.detectors.choose import choose_detector
from mien.vision.detectors.detect import LONGEST_SIDE_PX, Detector, Face, video_side_px
from mien.vision.reading import Frame, Reading
from mien.vision.sources.open import Source, open_source
from mien.vision.track import Smoother, Tracker

_Row = npt.NDArray[Any]  # probabilities of a face
T = TypeVar("T")
S = TypeVar("S")

_CHUNK_FRAMES: Final = 16  # whose faces are read in one call
_MOST_PIXELS: Final = _CHUNK_FRAMES * 1920 * 1080  # of a chunk and of what waits at either stage
_MOST_WORKERS: Final = 4  # that look for faces; decoding does not keep up with more


class Reader:
    """Finds the faces in any source and reads their expressions.

    Args:
        model: a shipped Bundle's name, a ``.onnx`` file or a run directory; None for the best that
            comes with mien.
        detector: ``yunet``, ``haar``, ``none`` for pictures that are face crops already, or
            ``auto`` for YuNet where its file can be had, else Haar.
        detector_model: YuNet's file, if it is not in mien's cache.
        smoothing_s: time constant, in seconds, over which the probabilities of a face are averaged
            in videos and streams; 0 for none.
        threads: for the network; 0 for every core.

    Raises:
        BundleError: if there is no such Bundle.
        MienError: if there is no such detector, or its file is missing or wrong.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        detector: str = "auto",
        detector_model: str | Path | None = None,
        smoothing_s: float = SMOOTHING_S,
        threads: int = 0,
    ) -> None:
        self.bundle = Bundle(find_bundle(model), threads=threads)
        self.smoothing_s = smoothing_s
        self._choice = choose_detector(detector, detector_model)
        self._detectors = threading.local()

    @property
    def detector(self) -> str:
        """Which detector is used: ``yunet``, ``haar`` or ``none``."""
        return self._choice.name

    @property
    def detector_note(self) -> str:
        """How to get a better detector than the one in use; empty where there is none."""
        return self._choice.note

    def read(self, source: Any) -> list[Reading]:
        """Read every face in a source, frame by frame, the largest of each first.

        Args:
            source: whatever `mien.vision.sources.open.open_source` takes: the path of a photo,
                several, a folder, a video, pixels as an array.

        Raises:
            SourceError: if it cannot be opened, or a part of it cannot be read. `stream` with an
                opened source goes on and lists what failed.
        """
        opened = source if isinstance(source, Source) else open_source(source)
        readings = [reading for _, found in self.stream(opened) for reading in found]
        if opened.failures:
            raise opened.failures[0]
        return readings

    def stream(self, source: Any) -> Iterator[tuple[Frame, list[Reading]]]:
        """Read a source frame by frame; a frame without faces has an empty list.

        Args:
            source: as in `read`, or what `open_source` gave. It is closed at the end, also when
                iteration is left early.

        Raises:
            SourceError: if it cannot be opened.
        """
        opened = source if isinstance(source, Source) else open_source(source)
        live = opened.kind == "live"
        follow = None if opened.kind == "photos" else _Follower(self.smoothing_s)
        # A live picture is answered before the next is taken; nothing may wait in between.
        workers = 1 if live else max(1, min(_MOST_WORKERS, os.cpu_count() or 1))
        ahead = 0 if live else 2 * workers
        with opened:
            found = _in_order(
                self._find, opened, workers=workers, ahead=ahead, pixels=_pixels_of_frame
            )
            chunks = _chunks(found, 1 if live else _CHUNK_FRAMES)
            read = _in_order(
                self._read_chunk,
                chunks,
                workers=1,
                ahead=0 if live else 1,
                pixels=_pixels_of_chunk,
            )
            for chunk in read:
                for one, rows in chunk:
                    yield one.frame, self._readings(one, rows, follow)

    def _find(self, frame: Frame) -> _Found:
        detector: Detector | None = getattr(self._detectors, "own", None)
        if detector is None:  # one instance belongs to one thread
            detector = self._detectors.own = self._choice.build()
        side_px = LONGEST_SIDE_PX if frame.seconds is None else video_side_px(frame.image)
        faces = detector.detect(frame.image, longest_side_px=side_px)
        margin = self.bundle.metadata.crop_margin
        return _Found(frame, faces, [crop_face(frame.image, face, margin) for face in faces])

    def _read_chunk(self, chunk: list[_Found]) -> list[tuple[_Found, list[_Row]]]:
        """Return the probabilities of each frame's faces."""
        crops = [crop for found in chunk for crop in found.crops]
        rows: Iterator[_Row] = iter(self.bundle.predict(np.stack(crops))[1] if crops else ())
        return [(found, [next(rows) for _ in found.faces]) for found in chunk]

    def _readings(self, found: _Found, rows: list[_Row], follow: _Follower | None) -> list[Reading]:
        frame, faces, _ = found
        tracks: list[int | None] = [None] * len(faces)
        if follow is not None and frame.seconds is not None:  # not a photo among videos
            tracks, rows = follow.follow(frame, faces, rows)
        return [
            self._reading(frame, face, track, row)
            for face, track, row in zip(faces, tracks, rows, strict=True)
        ]

    def _reading(self, frame: Frame, face: Face, track: int | None, row: _Row) -> Reading:
        return Reading(
            source=frame.source,
            box=face.box,
            score=face.score,
            emotion=EMOTIONS[int(row.argmax())],
            probabilities={name: float(value) for name, value in zip(EMOTIONS, row, strict=True)},
            uncertain=bool(row.max() < self.bundle.metadata.uncertain_below),
            frame=frame.index,
            seconds=frame.seconds,
            track=track,
            tilt_degrees=face.tilt_degrees,
        )

    def crop(self, image: Image, reading: Reading) -> Image:
        """Return the face of a reading as the crop that was read.

        Shape: uint8 (height, width, 3) or (height, width), the frame's -> uint8 (48, 48).
        """
        face = Face(reading.box, reading.score, reading.tilt_degrees)
        return crop_face(image, face, self.bundle.metadata.crop_margin)


def read(source: Any, model: str | Path | None = None) -> list[Reading]:
    """Read every face in a source; see `Reader`, which serves many sources faster."""
    return Reader(model).read(source)


class _Found(NamedTuple):
    frame: Frame
    faces: list[Face]
    crops: list[Image]


class _Follower:
    """Knows the faces of one video again, and steadies what is read in them."""

    def __init__(self, smoothing_s: float) -> None:
        self._source: str | None = None
        self._tracker, self._smoother = Tracker(), Smoother(smoothing_s)

    def follow(
        self, frame: Frame, faces: list[Face], rows: list[_Row]
    ) -> tuple[list[int | None], list[_Row]]:
        if frame.source != self._source:  # the next of several videos: nobody in it is known
            self._source = frame.source
            self._tracker.forget()
        seconds = frame.seconds or 0.0
        tracks = self._tracker.update([face.box for face in faces], seconds)
        pairs = zip(tracks, rows, strict=True)
        return list(tracks), [self._smoother.update(track, row, seconds) for track, row in pairs]


def _in_order(
    function: Callable[[T], S],
    given: Iterable[T],
    *,
    workers: int,
    ahead: int,
    pixels: Callable[[T], int],
) -> Iterator[S]:
    """Give what ``function`` makes of each thing, in their order, so many being made ahead.

    Where these have more than `_MOST_PIXELS` together, fewer are.
    """
    if not ahead:
        yield from map(function, given)
        return
    pending: deque[tuple[int, Future[S]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="mien-read") as pool:
        try:
            for one in given:
                pending.append((pixels(one), pool.submit(function, one)))
                del one  # or its picture is held while the next is decoded
                while len(pending) > ahead or sum(size for size, _ in pending) > _MOST_PIXELS:
                    yield pending.popleft()[1].result()
            while pending:
                yield pending.popleft()[1].result()
        finally:
            for _, future in pending:  # iteration was left early: what has not begun is not needed
                future.cancel()


def _chunks(found: Iterable[_Found], size: int) -> Iterator[list[_Found]]:
    chunk: list[_Found] = []
    for one in found:
        chunk.append(one)
        if len(chunk) == size or _pixels_of_chunk(chunk) >= _MOST_PIXELS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _pixels_of_frame(frame: Frame) -> int:
    height, width = frame.image.shape[:2]
    return int(height * width)


def _pixels_of_chunk(chunk: list[_Found]) -> int:
    return sum(_pixels_of_frame(found.frame) for found in chunk)
