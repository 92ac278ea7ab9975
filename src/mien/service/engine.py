"""Reading for the service: threads that decode and find faces, and one that reads them all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Final, NamedTuple

import cv2
import numpy as np

from mien.bundle.bundle import Bundle
from mien.errors import DataError
from mien.images.crop import to_crop
from mien.images.decode import decode_image
from mien.images.header import header_size
from mien.service.batching import Batcher
from mien.service.metrics import Metrics
from mien.service.problems import Problem
from mien.service.settings import Settings
from mien.service.uploads import Upload
from mien.types import Crop, Image, Images, Probabilities
from mien.vision.alignment import crop_face
from mien.vision.detectors.base import (
    LONGEST_SIDE_PX,
    Detector,
    Face,
    choose_detector,
    video_side_px,
)
from mien.vision.reading import Reading
from mien.vision.search import FaceSearch, find_faces
from mien.vision.tracking import Smoother, Tracker

_LEAST_PART: Final = 8  # faces that are worth a thread of their own
_CROPS_PART: Final = 16  # crops that a thread decodes in a row: passing each on costs as much


class Picture(NamedTuple):
    """The faces in one image.

    Args:
        size: width and height of the upright image, in pixels.
        found: number of faces that were found.
        readings: readings of the largest of them.
    """

    size: tuple[int, int]
    found: int
    readings: list[Reading]


class _Found(NamedTuple):
    """The faces that are to be read in one image, and their crops."""

    size: tuple[int, int]
    found: int
    faces: list[Face]
    crops: list[Crop]


class Engine:
    """Reads the faces of many requests at a time, as `mien.Reader` reads those of one source.

    Args:
        settings: settings of the service.
        metrics: figures of the service.

    Raises:
        MienError: if there is no such Bundle or detector.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        # Threads of ONNX Runtime would spin between the small batches of a service, and take half
        # of the time that the search for faces needs: large batches are divided instead.
        self.bundle = Bundle(settings.model, threads=1)
        self._helpers = ThreadPoolExecutor(settings.cores, thread_name_prefix="mien-read")
        self.detector = choose_detector(settings.detector, settings.detector_model)
        self._search = FaceSearch(settings.min_face, settings.min_score)
        self._idle_detectors: deque[Detector] = deque()
        cv2.setNumThreads(1)  # each thread of the pool has a core of its own
        self._pool = ThreadPoolExecutor(settings.cores, thread_name_prefix="mien-find")
        self._batcher = Batcher(
            self._predict,
            most_waiting=settings.queue + settings.max_streams,
            observe=metrics.batches.observe,
        )

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered."""
        return self._batcher.is_alive

    def close(self) -> None:
        """End the threads, once they have done what they took."""
        self._pool.shutdown()
        self._batcher.close()
        self._helpers.shutdown()

    async def read(self, uploads: Sequence[Upload]) -> list[Picture]:
        """Return the faces in images, which are searched for them.

        Raises:
            Problem: if an image cannot be decoded, or there was no time.
        """
        return await self._read(uploads, self._find)

    async def read_crops(self, uploads: Sequence[Upload]) -> list[Picture]:
        """Return the readings of face crops: each image is one face.

        Raises:
            Problem: if an image cannot be decoded, or there was no time.
        """
        return await self._read(uploads, self._take_whole, part=_CROPS_PART)

    async def read_frame(self, content: bytes, seconds: float, follower: Follower) -> Picture:
        """Return the faces in a frame of a stream, which keep their numbers.

        Args:
            content: content of an image file.
            seconds: time of the frame since the stream began.
            follower: follower of the stream.

        Raises:
            Problem: if the frame cannot be decoded, or there was no time.
        """
        find = partial(self._find, is_frame=True)
        (found,), rows = await self._find_and_read([Upload("", content)], find)
        tracks, rows = follower.follow(found.faces, rows, seconds)
        return self._picture(found, rows, tracks)

    async def _read(
        self, uploads: Sequence[Upload], find: Callable[[Upload, str], _Found], *, part: int = 1
    ) -> list[Picture]:
        found, rows = await self._find_and_read(uploads, find, part=part)
        each = iter(rows)
        self._metrics.images.inc(len(found))
        return [self._picture(one, [next(each) for _ in one.faces]) for one in found]

    async def _find_and_read(
        self, uploads: Sequence[Upload], find: Callable[[Upload, str], _Found], *, part: int = 1
    ) -> tuple[list[_Found], list[Probabilities]]:
        """Return the faces of each image, and the probabilities of all of them.

        Args:
            uploads: images.
            find: function that returns the faces of an image, which is named in errors.
            part: number of images that a thread takes in a row.
        """
        loop = asyncio.get_running_loop()
        named = [(upload, _where(upload, number)) for number, upload in enumerate(uploads)]
        try:
            async with asyncio.timeout(self._settings.timeout):
                parts = await asyncio.gather(
                    *(
                        loop.run_in_executor(self._pool, _each, find, named[start : start + part])
                        for start in range(0, len(named), part)
                    )
                )
                found = _all_or_problem(chain.from_iterable(parts))
                crops = [crop for one in found for crop in one.crops]
                if not crops:
                    return found, []
                answer = await asyncio.wrap_future(self._batcher.submit(np.stack(crops)))
                rows = list(answer)
        except TimeoutError:
            raise Problem(
                "too-slow",
                f"the request was not answered in {self._settings.timeout:g} s; try again, or send "
                "fewer or smaller images",
            ) from None
        self._metrics.faces.inc(len(rows))
        return found, rows

    def _decode(self, upload: Upload, where: str) -> Image:
        most = self._settings.max_pixels
        width, height = header_size(upload.content)
        if width * height > most:
            raise Problem(
                "too-many-pixels",
                f"{where}: {width:,}x{height:,} pixels, more than the limit of {most:,}; make it "
                "smaller",
            )
        try:
            return decode_image(upload.content, where, max_pixels=most)
        except DataError as error:
            raise Problem("not-an-image", str(error)) from None

    def _find(self, upload: Upload, where: str, *, is_frame: bool = False) -> _Found:
        image = self._decode(upload, where)
        side_px = video_side_px(image) if is_frame else LONGEST_SIDE_PX
        with self._lent_detector() as detector:
            faces = find_faces(detector, image, longest_side_px=side_px, search=self._search)
        wanted = faces[: self._settings.max_faces]
        margin, crop = self.bundle.metadata.crop_margin, self.bundle.crop
        crops = [crop_face(image, face, margin, crop) for face in wanted]
        return _Found(_size(image), len(faces), wanted, crops)

    def _take_whole(self, upload: Upload, where: str) -> _Found:
        image = self._decode(upload, where)
        width, height = _size(image)
        face = Face((0, 0, width, height), 1.0)
        return _Found((width, height), 1, [face], [to_crop(image, self.bundle.crop)])

    @contextmanager
    def _lent_detector(self) -> Iterator[Detector]:
        """Lend a detector to this thread: an instance serves one thread at a time."""
        try:
            detector = self._idle_detectors.pop()
        except IndexError:
            detector = self.detector.build()
        try:
            yield detector
        finally:
            self._idle_detectors.append(detector)

    def _predict(self, crops: Images) -> Probabilities:
        """Return the probabilities of crops; each core takes a part of a large batch."""
        count = min(self._settings.cores, max(1, len(crops) // _LEAST_PART))
        parts = self._helpers.map(self.bundle.predict, np.array_split(crops, count))
        return np.concatenate([probabilities for _, probabilities in parts])

    def _picture(
        self, found: _Found, rows: list[Probabilities], tracks: Sequence[int | None] = ()
    ) -> Picture:
        names, threshold = self.bundle.labels, self.bundle.metadata.uncertain_below
        readings = [
            Reading(
                source="",
                box=face.box,
                score=face.score,
                emotion=names[int(row.argmax())],
                probabilities=dict(zip(names, row.tolist(), strict=True)),
                uncertain=bool(row.max() < threshold),
                track=track,
                tilt_degrees=face.tilt_degrees,
            )
            for face, row, track in zip(
                found.faces, rows, tracks or [None] * len(rows), strict=True
            )
        ]
        return Picture(found.size, found.found, readings)


class Follower:
    """Follows the faces of one stream, and smooths their probabilities."""

    def __init__(self) -> None:
        self._tracker, self._smoother = Tracker(), Smoother()

    def follow(
        self, faces: list[Face], rows: list[Probabilities], seconds: float
    ) -> tuple[list[int], list[Probabilities]]:
        """Return the number of each face, and its smoothed probabilities."""
        tracks = self._tracker.update([face.box for face in faces], seconds)
        pairs = zip(tracks, rows, strict=True)
        return tracks, [self._smoother.update(track, row, seconds) for track, row in pairs]


def _each(
    find: Callable[[Upload, str], _Found], uploads: Iterable[tuple[Upload, str]]
) -> list[_Found | Problem]:
    """Return the faces of each image, or its problem."""
    results: list[_Found | Problem] = []
    for upload, where in uploads:
        try:
            results.append(find(upload, where))
        except Problem as problem:
            results.append(problem)
    return results


def _all_or_problem(results: Iterable[_Found | Problem]) -> list[_Found]:
    """Return the results, or raise one problem that names every image that has one."""
    found, problems = [], []
    for result in results:
        if isinstance(result, Problem):
            problems.append(result)
        else:
            found.append(result)
    if problems:
        details = [problem.detail for problem in problems]
        raise Problem(problems[0].kind, details[0], images=details)
    return found


def _where(upload: Upload, number: int) -> str:
    return f"image {number}{f' ({upload.name})' if upload.name else ''}"


def _size(image: Image) -> tuple[int, int]:
    return int(image.shape[1]), int(image.shape[0])
