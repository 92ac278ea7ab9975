"""A sink that saves annotated copies of photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import cv2

from mien.errors import MienError
from mien.images.decode import quiet_opencv
from mien.io.files import expand_user, refuse_unwritable, write_bytes
from mien.vision.places import SourceFiles, short_stem
from mien.vision.reading import Reading
from mien.vision.sinks._drawing import draw_readings
from mien.vision.sinks.base import SINKS, Sink, SinkContext
from mien.vision.sources.base import Frame
from mien.vision.target import is_source, source_refused

PHOTO_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")
_MAX_JPEG_SIDE_PX: Final = 65_500  # limit of libjpeg


@SINKS.register("photo")
class PhotoSink(Sink):
    """Annotated copies of photos, each written at once.

    Unless there is exactly one photo, a copy that cannot be written is left out and listed in
    ``failures``.

    Args:
        path: path of a file; or of a folder, in which each photo gets a name of its own. A path is
            a folder if it is one, has no suffix, or there is not exactly one photo.
        photos: number of photos to come; None if it is unknown.
        sources: files that no copy may replace.

    Raises:
        MienError: if nothing can be written there, or a file's suffix is not in `PHOTO_SUFFIXES`.
    """

    def __init__(
        self, path: str | Path, *, photos: int | None = 1, sources: SourceFiles | None = None
    ) -> None:
        super().__init__()
        self._path = expand_user(path)
        self._photos = photos
        self._is_folder = photos != 1 or self._path.is_dir() or not self._path.suffix
        self._taken: set[str] = set()  # in small letters: A.jpg and a.jpg may be one file
        self._sources = sources or SourceFiles()
        if self._is_folder and self._path.exists() and not self._path.is_dir():
            raise MienError(f"{path}: a file, but {photos or 'several'} photos need a folder")
        if not self._is_folder and self._path.suffix.lower() not in PHOTO_SUFFIXES:
            raise MienError(f"{path}: cannot save this kind, expected .jpg, .png or .webp")
        refuse_unwritable(self._path if self._is_folder else self._path.parent)

    @classmethod
    def open(cls, target: str, context: SinkContext) -> Self:
        """Return a sink that writes the file or the folder `target` (see `Sink.open`)."""
        return cls(target, photos=context.source.total, sources=context.source_files)

    def add(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Save an annotated copy (see `Sink.add`)."""
        try:
            self._save(frame, readings)
        except MienError as error:
            if self._photos == 1:
                raise
            self.failures.append(error)

    def _save(self, frame: Frame, readings: Sequence[Reading]) -> None:
        path = self._free_path(frame) if self._is_folder else self._path
        if path in self._sources or is_source(path, frame):
            raise source_refused(path, frame)
        picture = draw_readings(frame.image, readings)
        try:
            with quiet_opencv:
                _, content = cv2.imencode(path.suffix, picture)
            write_bytes(path, content.tobytes())
        except (cv2.error, AttributeError):  # OpenCV raises, or returns no content
            height, width = picture.shape[:2]
            raise MienError(
                f"{path}: {width}x{height} pixels are too many for {path.suffix}; save as .png"
            ) from None
        self.saved.append(path)

    def _free_path(self, frame: Frame) -> Path:
        """Return a path in the folder that no source and no other copy has."""
        stem = short_stem(frame.source)
        suffix = ".jpg" if max(frame.image.shape[:2]) <= _MAX_JPEG_SIDE_PX else ".png"
        path, number = self._path / f"{stem}-read{suffix}", 1
        while str(path).casefold() in self._taken or path in self._sources:
            number += 1
            path = self._path / f"{stem}-read-{number}{suffix}"
        self._taken.add(str(path).casefold())
        return path
