"""The reader: find the faces in any source, crop them as in training, read them, follow them.

Frames are decoded in the caller's thread. Other threads detect the faces in earlier frames, and one
reads the faces of several frames in one call. The frames under way are bounded in number and in
pixels, so that memory stays flat however long a video is and however large its frames are.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import Bundle
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
from mien.vision.sources import Frame, Source, open_source
from mien.vision.tracking import Smoother, Tracker

_Row = npt.NDArray[np.float32]  # probabilities of one face

_MAX_DETECTING_THREADS: Final = 4  # decoding does not keep up with more


class Reader:
    """Finds the faces in any source and reads their expressions.

    Args:
        model: name of a shipped Bundle, path of a ``.onnx`` file or of a run directory; None for
            the best shipped Bundle.
        detector: name of the face detector: ``yunet``, ``haar``, ``none`` for pictures that are
            face crops already, one of a plugin, or ``auto`` for YuNet if its file is available,
            else Haar.
        detector_model: path of the detector's own file; None for the one in mien's cache.
        smoothing_s: time constant, in seconds, over which the probabilities of a face are averaged
            in videos and streams; 0 for no smoothing.
        threads: number of threads for the network; 0 for one on each core.

    Raises:
        BundleError: if there is no such Bundle.
        MienError: if there is no such detector, or its file is missing or wrong.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        detector: str = AUTO,
        detector_model: str | Path | None = None,
        smoothing_s: float = SMOOTHING_S,
        threads: int = 0,
    ) -> None:
        self.bundle = Bundle(model, threads=threads)
        self.smoothing_s = smoothing_s
        self._choice = choose_detector(detector, detector_model)
        self._detectors = threading.local()

    @property
    def detector(self) -> str:
        """Return the name of the detector in use, such as ``yunet``."""
        return self._choice.name

    @property
    def detector_note(self) -> str:
        """Return instructions for getting a better detector; empty if there is none."""
        return self._choice.note

    def read(self, source: Any) -> list[Reading]:
        """Return a reading of each face in a source, frame by frame, the largest face first.

        Args:
            source: anything that `mien.vision.sources.open_source` accepts: path of a photo, list
                of paths, folder, video, pixels as an array; or an opened source.

        Raises:
            SourceError: if the source cannot be opened, or a part of it cannot be read. `stream`
                goes on instead, and an opened source lists the failures.
        """
        opened = source if isinstance(source, Source) else open_source(source)
        readings = [reading for _, found in self.stream(opened) for reading in found]
        if opened.failures:
            raise opened.failures[0]
        return readings

    def stream(self, source: Any) -> Iterator[tuple[Frame, list[Reading]]]:
        """Yield each frame of a source with its readings, a list that is empty if there is no face.

        Args:
            source: anything that `read` accepts. It is closed at the end, even if the iteration is
                left early.

        Raises:
            SourceError: if the source cannot be opened.
        """
        opened = source if isinstance(source, Source) else open_source(source)
        follower = None if opened.kind == "photos" else _Follower(self.smoothing_s)
        # A live frame is read before the next one is taken, so that no frame waits in between.
        is_live = opened.kind == "live"
        threads = max(1, min(_MAX_DETECTING_THREADS, os.cpu_count() or 1))
        detect = Step(self._detect, _pixels, workers=threads, ahead=0 if is_live else 2 * threads)
        predict = Step(self._predict, _total_pixels, workers=1, ahead=0 if is_live else 1)
        with opened:
            detected = detect.apply(opened)
            chunks = chunked(detected, 1 if is_live else CHUNK_FRAMES, _pixels_of)
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
        detector: Detector | None = getattr(self._detectors, "own", None)
        if detector is None:  # an instance belongs to one thread
            detector = self._detectors.own = self._choice.build()
        side_px = LONGEST_SIDE_PX if frame.seconds is None else video_side_px(frame.image)
        faces = detector.detect(frame.image, longest_side_px=side_px)
        return _Found(frame, faces, [self._crop(frame.image, face) for face in faces])

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
        )


def read(source: Any, model: str | Path | None = None) -> list[Reading]:
    """Return a reading of each face in a source; a `Reader` reads several sources faster.

    Args:
        source: anything that `Reader.read` accepts.
        model: anything that `Reader` accepts; None for the best shipped Bundle.

    Raises:
        BundleError: if there is no such Bundle.
        SourceError: if the source cannot be opened, or a part of it cannot be read.
    """
    return Reader(model).read(source)


class _Found(NamedTuple):
    """The faces that were found in a frame, and their crops."""

    frame: Frame
    faces: list[Face]
    crops: list[Crop]


class _Follower:
    """Follows the faces of one video after another, and smooths their probabilities."""

    def __init__(self, smoothing_s: float) -> None:
        self._source: str | None = None
        self._tracker, self._smoother = Tracker(), Smoother(smoothing_s)

    def follow(
        self, frame: Frame, seconds: float, faces: list[Face], rows: list[_Row]
    ) -> tuple[list[int], list[_Row]]:
        """Return the track of each face, and its smoothed probabilities."""
        if frame.source != self._source:  # another video begins, with other faces
            self._source = frame.source
            self._tracker.forget()
        tracks = self._tracker.update([face.box for face in faces], seconds)
        pairs = zip(tracks, rows, strict=True)
        return tracks, [self._smoother.update(track, row, seconds) for track, row in pairs]


def _pixels(frame: Frame) -> int:
    height, width = frame.image.shape[:2]
    return int(height * width)


def _pixels_of(found: _Found) -> int:
    return _pixels(found.frame)


def _total_pixels(chunk: list[_Found]) -> int:
    return sum(_pixels_of(found) for found in chunk)
