"""The reader: find the faces in any source, crop them as in training, read them, follow them.

Frames are decoded in the caller's thread. Other threads detect the faces in earlier frames, and one
reads the faces of several frames in one call. The frames under way are bounded in number and in
pixels, so that memory stays flat however long a video is and however large its frames are.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import Bundle
from mien.bundle.provider_names import CPU
from mien.errors import SourceError
from mien.types import Crop, Image
from mien.vision.alignment import crop_face
from mien.vision.defaults import SMOOTHING_S
from mien.vision.detectors.base import (
    AUTO,
    LONGEST_SIDE_PX,
    Detector,
    Face,
    choose_detector,
    video_side_px,
)
from mien.vision.pipeline import CHUNK_FRAMES, Step, chunked
from mien.vision.reading import Reading
from mien.vision.search import FaceSearch, find_faces
from mien.vision.sources import Color, Frame, Source, SourceLike, open_source
from mien.vision.tracking import Smoother, Tracker

_Row = npt.NDArray[np.float32]  # probabilities of one face

_MAX_DETECTING_THREADS: Final = 4  # decoding does not keep up with more


class Reader:
    """Finds the faces in any source and reads their expressions.

    Threads may share a reader. It can be pickled, for the processes of a pool, and a forked child
    can go on with it.

    Args:
        model: name of a shipped Bundle, path of a ``.onnx`` file or of a run directory; None for
            the best shipped Bundle.
        detector: name of the face detector: ``yunet``, ``haar``, ``none`` for pictures that are
            face crops already, one of a plugin, or ``auto`` for YuNet if its file is available,
            else Haar.
        detector_model: path of the detector's own file; None for the one in mien's cache.
        smoothing_s: time constant, in seconds, over which the probabilities of a face are averaged
            in videos and streams; 0 for no smoothing.
        threads: number of threads for the network, and the largest number that detect faces; 0 for
            one on each core.
        provider: part of ONNX Runtime that computes the network: ``cpu``, ``cuda``, ``coreml``,
            ``directml``, ``openvino``, or ``auto`` for the best that is installed.
        min_face_px: shorter side of the smallest face that is read, in pixels of the picture.
        min_score: lowest detector score of a face that is read, 0 to 1.
        turned: True to find faces on their side or upside down as well. The picture is searched in
            four orientations, so detection takes at least four times as long.

    Raises:
        BundleError: if there is no such Bundle.
        MienError: if there is no such detector or provider, or the detector's file is missing or
            wrong.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        detector: str = AUTO,
        detector_model: str | Path | None = None,
        smoothing_s: float = SMOOTHING_S,
        threads: int = 0,
        provider: str = CPU,
        min_face_px: int = 0,
        min_score: float = 0.0,
        turned: bool = False,
    ) -> None:
        self._settings = {
            "model": model,
            "detector": detector,
            "detector_model": detector_model,
            "smoothing_s": smoothing_s,
            "threads": threads,
            "provider": provider,
            "min_face_px": min_face_px,
            "min_score": min_score,
            "turned": turned,
        }
        self.bundle = Bundle(model, threads=threads, provider=provider)
        self.smoothing_s = smoothing_s
        self._search = FaceSearch(min_face_px, min_score, turned)
        self._choice = choose_detector(detector, detector_model)
        self._idle_detectors: deque[Detector] = deque()

    def __getstate__(self) -> dict[str, Any]:
        return self._settings

    def __setstate__(self, settings: dict[str, Any]) -> None:
        self.__init__(**settings)  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"<Reader {self.bundle.metadata.name}, detector {self.detector}>"

    @property
    def detector(self) -> str:
        """Return the name of the detector in use, such as ``yunet``."""
        return self._choice.name

    @property
    def detector_note(self) -> str:
        """Return instructions for getting a better detector; empty if there is none."""
        return self._choice.note

    def read(self, source: SourceLike, *, color: Color = "bgr") -> list[Reading]:
        """Return a reading of each face in a source, frame by frame, the largest face first.

        Args:
            source: anything that `mien.vision.sources.open_source` accepts: path of a photo, list
                of paths, folder, video, pixels as an array; or an opened source.
            color: order of the channels of arrays: ``bgr``, as OpenCV has them, or ``rgb``.

        Raises:
            SourceError: if the source cannot be opened, or a part of it cannot be read. `stream`
                goes on instead, and an opened source lists the failures.
        """
        opened = _opened(source, color)
        readings = [reading for _, found in self.stream(opened) for reading in found]
        if opened.failures:
            raise opened.failures[0]
        return readings

    @overload
    def read_many(
        self,
        sources: Iterable[SourceLike],
        *,
        color: Color = ...,
        return_errors: Literal[False] = ...,
    ) -> list[list[Reading]]: ...

    @overload
    def read_many(
        self, sources: Iterable[SourceLike], *, color: Color = ..., return_errors: Literal[True]
    ) -> list[list[Reading] | SourceError]: ...

    def read_many(
        self, sources: Iterable[SourceLike], *, color: Color = "bgr", return_errors: bool = False
    ) -> Any:
        """Return the readings of several sources, a list for each source, in their order.

        Args:
            sources: sources that `read` accepts. Each of them is one item, a folder too.
            color: order of the channels of arrays: ``bgr`` or ``rgb``.
            return_errors: True to return the SourceError of a source that cannot be read, or not
                completely, in place of its readings, and to go on with the other sources.

        Raises:
            SourceError: if a source cannot be read, unless `return_errors`.
        """
        items = list(sources)
        if not items:
            return []
        found: list[list[Reading] | SourceError] = [[] for _ in items]
        # A list of one source that is a folder would have an item for each of its files.
        opened = open_source(items, color=color, as_items=True)
        for frame, readings in self.stream(opened):
            of_item = found[frame.item]
            if isinstance(of_item, list):
                of_item += readings
        for failure in opened.failures:
            if not return_errors or failure.item is None:
                raise failure
            found[failure.item] = failure
        return found

    def stream(
        self, source: SourceLike, *, color: Color = "bgr"
    ) -> Iterator[tuple[Frame, list[Reading]]]:
        """Yield each frame of a source with its readings, a list that is empty if there is no face.

        Args:
            source: anything that `read` accepts. It is closed at the end, even if the iteration is
                left early.
            color: order of the channels of arrays: ``bgr`` or ``rgb``.

        Raises:
            SourceError: if the source cannot be opened.
        """
        opened = _opened(source, color)
        follower = None
        if opened.kind != "photos":
            follower = _Follower(self.smoothing_s, keeps_all=opened.kind == "live")
        # A live frame is read before the next one is taken, so that no frame waits in between. A
        # single picture needs no threads, which cost as much as its detection.
        is_alone = not opened.reads_ahead or opened.kind == "live"
        is_alone |= opened.kind == "photos" and opened.total == 1
        cores = self.bundle.threads or os.cpu_count() or 1
        threads = max(1, min(_MAX_DETECTING_THREADS, cores))
        detect = Step(self._detect, _pixels, workers=threads, ahead=0 if is_alone else 2 * threads)
        predict = Step(self._predict, _total_pixels, workers=1, ahead=0 if is_alone else 1)
        with opened:
            detected = detect.apply(opened)
            chunks = chunked(detected, 1 if is_alone else CHUNK_FRAMES, _pixels_of)
            for chunk in predict.apply(chunks):
                for found, rows in chunk:
                    yield found.frame, self._readings(found, rows, follower)

    def crop(self, image: Image, reading: Reading) -> Crop:
        """Return the face of a reading as the crop that was read.

        Args:
            image: pixels of the frame.
            reading: reading of a face in that frame.

        Shape: uint8 (height, width, 3) or (height, width) -> uint8 (size_px, size_px), or
            (size_px, size_px, 3), red-green-blue, as ``bundle.crop`` says.
        """
        return self._crop(image, Face(reading.box, reading.score, reading.tilt_degrees))

    def _detect(self, frame: Frame) -> _Found:
        """Find and crop the faces in a frame."""
        image = frame.image
        side_px = LONGEST_SIDE_PX if frame.seconds is None else video_side_px(image)
        with self._detector() as detector:
            faces = find_faces(detector, image, longest_side_px=side_px, search=self._search)
        return _Found(frame, faces, [self._crop(image, face) for face in faces])

    @contextmanager
    def _detector(self) -> Iterator[Detector]:
        """Lend a detector to this thread: an instance serves one thread at a time."""
        try:
            detector = self._idle_detectors.pop()
        except IndexError:
            detector = self._choice.build()
        try:
            yield detector
        finally:
            self._idle_detectors.append(detector)

    def _crop(self, image: Image, face: Face) -> Crop:
        return crop_face(image, face, self.bundle.metadata.crop_margin, self.bundle.crop)

    def _predict(self, chunk: list[_Found]) -> list[tuple[_Found, list[_Row]]]:
        """Predict the probabilities of all faces in some frames by one call."""
        crops = [crop for found in chunk for crop in found.crops]
        rows: Iterator[_Row] = iter(self.bundle.predict(np.stack(crops))[1] if crops else ())
        return [(found, [next(rows) for _ in found.faces]) for found in chunk]

    def _readings(
        self, found: _Found, rows: list[_Row], follower: _Follower | None
    ) -> list[Reading]:
        frame, faces, _ = found
        tracks: Sequence[int | None] = [None] * len(faces)
        if follower is not None and frame.seconds is not None:  # a photo among videos has no time
            tracks, rows = follower.follow(frame, frame.seconds, faces, rows)
        return [
            self._reading(frame, face, track, row)
            for face, track, row in zip(faces, tracks, rows, strict=True)
        ]

    def _reading(self, frame: Frame, face: Face, track: int | None, row: _Row) -> Reading:
        names = self.bundle.labels
        return Reading(
            source=frame.source,
            box=face.box,
            score=face.score,
            emotion=names[int(row.argmax())],
            probabilities={name: float(value) for name, value in zip(names, row, strict=True)},
            uncertain=bool(row.max() < self.bundle.metadata.uncertain_below),
            frame=frame.index,
            seconds=frame.seconds,
            track=track,
            tilt_degrees=face.tilt_degrees,
            item=frame.item,
        )


def read(
    source: SourceLike, model: str | Path | None = None, *, color: Color = "bgr"
) -> list[Reading]:
    """Return a reading of each face in a source; a `Reader` reads several sources faster.

    Args:
        source: anything that `Reader.read` accepts.
        model: anything that `Reader` accepts; None for the best shipped Bundle.
        color: order of the channels of arrays: ``bgr`` or ``rgb``.

    Raises:
        BundleError: if there is no such Bundle.
        SourceError: if the source cannot be opened, or a part of it cannot be read.
    """
    return Reader(model).read(source, color=color)


def _opened(source: SourceLike, color: Color) -> Source:
    return source if isinstance(source, Source) else open_source(source, color=color)


class _Found(NamedTuple):
    """The faces that were found in a frame, and their crops."""

    frame: Frame
    faces: list[Face]
    crops: list[Crop]


class _Follower:
    """Follows the faces of each video or camera, and smooths their probabilities.

    Args:
        smoothing_s: time constant, in seconds.
        keeps_all: True for cameras, whose frames come mixed: the tracks of one are kept while
            another one has its turn. False for videos, which come one after another.
    """

    def __init__(self, smoothing_s: float, *, keeps_all: bool) -> None:
        self._smoothing_s, self._keeps_all = smoothing_s, keeps_all
        self._numbers = count(1)  # no two people of a run share a number
        self._followed: dict[tuple[int, str], tuple[Tracker, Smoother]] = {}

    def follow(
        self, frame: Frame, seconds: float, faces: list[Face], rows: list[_Row]
    ) -> tuple[list[int], list[_Row]]:
        """Return the track of each face, and its smoothed probabilities."""
        key = (frame.item, frame.source)
        if key not in self._followed:
            if not self._keeps_all:
                self._followed.clear()  # the last video has ended
            self._followed[key] = Tracker(numbers=self._numbers), Smoother(self._smoothing_s)
        tracker, smoother = self._followed[key]
        tracks = tracker.update([face.box for face in faces], seconds)
        pairs = zip(tracks, rows, strict=True)
        return tracks, [smoother.update(track, row, seconds) for track, row in pairs]


def _pixels(frame: Frame) -> int:
    height, width = frame.image.shape[:2]
    return int(height * width)


def _pixels_of(found: _Found) -> int:
    return _pixels(found.frame)


def _total_pixels(chunk: list[_Found]) -> int:
    return sum(_pixels_of(found) for found in chunk)
