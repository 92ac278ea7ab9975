"""A sink that saves each face as the crop that was read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mien.errors import MienError
from mien.images.crop import encode_png
from mien.io.files import expand_user, refuse_unwritable, write_bytes
from mien.vision.places import (
    SourceFiles,
    refuse_source,
    safe_word,
    short_stem,
)
from mien.vision.reading import Reading
from mien.vision.sinks.base import SINKS, Sink, SinkContext
from mien.vision.sources.base import Frame

if TYPE_CHECKING:
    from mien.vision.reader import Reader


@SINKS.register("crops")
class CropsSink(Sink):
    """A PNG of the crop of each face, named by source, frame, number and class.

    Args:
        folder: path of the folder, which is created if necessary.
        reader: reader of the faces, which knows how they were cropped.
        sources: files that no crop may replace.

    Raises:
        MienError: if nothing can be written there.
    """

    target = "folder"

    def __init__(
        self, folder: str | Path, reader: Reader, *, sources: SourceFiles | None = None
    ) -> None:
        super().__init__()
        self._folder = expand_user(folder)
        if self._folder.exists() and not self._folder.is_dir():
            raise MienError(f"{folder}: a file, but face crops need a folder")
        refuse_unwritable(self._folder)
        self._reader = reader
        self._sources = sources or SourceFiles()
        self._faces = 0

    @classmethod
    def open(cls, target: str, context: SinkContext) -> Self:
        """Return a sink that writes into the folder `target` (see `Sink.open`)."""
        return cls(target, context.reader, sources=context.source_files)

    def add(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Save the faces of a frame (see `Sink.add`)."""
        stem = short_stem(frame.source)
        for reading in readings:
            self._faces += 1
            word = safe_word(reading.emotion)
            name = f"{stem}-{frame.index:06d}-{self._faces:06d}-{word}.png"
            path = self._folder / name
            refuse_source(path, self._sources)
            write_bytes(path, encode_png(self._reader.crop(frame.image, reading)))
            self.saved = [self._folder]
