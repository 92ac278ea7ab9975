"""Readings to files: CSV, JSON Lines and annotated photos; videos are in `write_video`."""

from __future__ import annotations

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Self, TextIO

import cv2

from mien.errors import MienError
from mien.io.files import atomic_file, expand_user, write_bytes
from mien.labels import EMOTIONS
from mien.vision.reading import Frame, Reading
from mien.vision.sinks.draw import draw_readings
from mien.vision.sinks.places import SourceFiles, refuse_unwritable, short_stem

CSV_COLUMNS: Final = (
    *("source", "frame", "seconds", "track", "left", "top", "right", "bottom", "score"),
    *EMOTIONS,
    *("emotion", "uncertain"),
)
PHOTO_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")

_DECIMALS: Final = 6
_LONGEST_JPEG_SIDE_PX: Final = 65_500  # libjpeg's own limit


class Writer(ABC):
    """An output of a run, which is given each frame with its readings, and then closed.

    ``saved`` holds the paths of the files that are whole and in place.
    """

    def __init__(self) -> None:
        self.saved: list[Path] = []

    @abstractmethod
    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Add a frame's readings; there may be none.

        Raises:
            MienError: if it cannot be written, or the output is the frame's own source.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish, also after an interruption: what was written so far is kept and readable.

        Where no frame was written there will be no file, and an older one stays as it was.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class CsvWriter(Writer):
    """A table with one row a face a frame, in the columns `CSV_COLUMNS`.

    Args:
        path: of the file, which is replaced.
        all_frames: whether a frame without a face is a row too, empty after ``seconds``.

    Raises:
        MienError: if the file cannot be written.
    """

    def __init__(self, path: str | Path, *, all_frames: bool = False) -> None:
        super().__init__()
        self._all_frames = all_frames
        self._target = Target(path)
        self._handle = self._target.open_text()
        self._rows = csv.writer(self._handle, lineterminator="\n")
        self._rows.writerow(CSV_COLUMNS)

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Add a row a face."""
        with self._target.adding(frame):
            self._rows.writerows(_row(reading) for reading in readings)
            if self._all_frames and not readings:
                start = (frame.source, frame.index, _rounded(frame.seconds))
                self._rows.writerow([*start, *[""] * (len(CSV_COLUMNS) - len(start))])
            self._handle.flush()  # a killed run leaves its rows, and others can watch them come

    def close(self) -> None:
        """Give the file its name."""
        self.saved += self._target.close()


class JsonLinesWriter(Writer):
    """JSON Lines: what `Reading.as_dict` gives, a line a face.

    Args:
        target: the path of the file, which is replaced; or a stream, which is left open.
        all_frames: whether a frame without a face is a line too, as `no_face` gives it.

    Raises:
        MienError: if the file cannot be written.
    """

    def __init__(self, target: str | Path | TextIO, *, all_frames: bool = False) -> None:
        super().__init__()
        self._all_frames = all_frames
        self._target: Target | None = None
        if isinstance(target, str | Path):
            self._target = Target(target)
            target = self._target.open_text()
        self._handle = target

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Add a line a face."""
        records = [reading.as_dict() for reading in readings]
        if self._all_frames and not records:
            records = [no_face(frame)]
        with self._target.adding(frame) if self._target else ExitStack():
            # Escaped: names need not be UTF-8, and streams need not take more than ASCII.
            self._handle.writelines(f"{json.dumps(record)}\n" for record in records)
            self._handle.flush()

    def close(self) -> None:
        """Give the file its name."""
        if self._target:
            self.saved += self._target.close()


class PhotoWriter(Writer):
    """Annotated copies of photos, each written at once.

    Args:
        path: of a file; or of a folder, where each photo has a name of its own. A folder is what
            is one, has no suffix, or is for other than one photo.
        photos: how many will come; None where that is not known.
        sources: files that stay as they are, whatever a copy would be called.

    Raises:
        MienError: if nothing can be written there, or a file's suffix is not of `PHOTO_SUFFIXES`.
    """

    def __init__(
        self, path: str | Path, *, photos: int | None = 1, sources: SourceFiles | None = None
    ) -> None:
        super().__init__()
        self._path = expand_user(path)
        self._is_folder = photos != 1 or self._path.is_dir() or not self._path.suffix
        self._taken: set[Path] = set()
        self._sources = sources or SourceFiles()
        if self._is_folder and self._path.exists() and not self._path.is_dir():
            raise MienError(f"{path}: a file, but {photos or 'several'} photos need a folder")
        if not self._is_folder and self._path.suffix.lower() not in PHOTO_SUFFIXES:
            raise MienError(f"{path}: cannot save this kind, expected .jpg, .png or .webp")
        refuse_unwritable(self._path if self._is_folder else self._path.parent)

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Save an annotated copy."""
        path = self._free_path(frame) if self._is_folder else self._path
        if path in self._sources or _is_source(path, frame):
            raise _source_refused(path, frame)
        picture = draw_readings(frame.image, readings)
        try:
            _, content = cv2.imencode(path.suffix, picture)
            write_bytes(path, content.tobytes())
        except (cv2.error, AttributeError):  # OpenCV says it in one way or the other
            height, width = picture.shape[:2]
            raise MienError(
                f"{path}: {width}x{height} pixels are too many for {path.suffix}; save as .png"
            ) from None
        self.saved.append(path)

    def close(self) -> None:
        """Do nothing: each photo is whole already."""

    def _free_path(self, frame: Frame) -> Path:
        """Return a name of its own for each photo of this call, also where two are called alike."""
        stem = short_stem(frame.source)
        suffix = ".jpg" if max(frame.image.shape[:2]) <= _LONGEST_JPEG_SIDE_PX else ".png"
        path, number = self._path / f"{stem}-read{suffix}", 1
        while path in self._taken or path in self._sources:
            number += 1
            path = self._path / f"{stem}-read-{number}{suffix}"
        self._taken.add(path)
        return path


def no_face(frame: Frame) -> dict[str, Any]:
    """Return what stands for a frame without a face: a Reading's keys, null where it says none."""
    about = {"source": frame.source, "frame": frame.index, "seconds": frame.seconds}
    return {field.name: about.get(field.name) for field in fields(Reading)}


class _NothingToKeep(Exception):  # noqa: N818 - it carries no error
    pass


class Target:
    """A file under a temporary name beside its own, which it takes when it is closed."""

    def __init__(self, path: str | Path) -> None:
        self.path = expand_user(path)
        self._has_frames = self._is_source = False
        self.parts = ExitStack()
        self.temporary = self.parts.enter_context(atomic_file(self.path))

    def open_text(self) -> TextIO:
        """Return the temporary file, opened for text; it is closed with the target."""
        return self.parts.enter_context(
            self.temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        )

    @contextmanager
    def adding(self, frame: Frame) -> Iterator[None]:
        """Do what writes a frame inside this; it says what goes wrong."""
        self._is_source |= _is_source(self.path, frame)
        if self._is_source:
            raise _source_refused(self.path, frame)
        self._has_frames = True
        try:
            yield
        except OSError as error:
            raise MienError(f"{self.path}: cannot be written ({error.strerror})") from error

    def close(self) -> list[Path]:
        """Return the path, or nothing where there was nothing to keep; for a second time, too."""
        keep = self._has_frames and not self._is_source
        self._has_frames = False
        with suppress(_NothingToKeep), self.parts.pop_all():
            if not keep:
                raise _NothingToKeep
        return [self.path] if keep else []


def _is_source(path: Path, frame: Frame) -> bool:
    return path in SourceFiles([frame.source])


def _source_refused(path: Path, frame: Frame) -> MienError:
    kind = "photo" if frame.seconds is None else "video"
    return MienError(f"{path}: is the {kind} itself, which stays as it is; name another")


def _row(reading: Reading) -> list[object]:
    return [
        *(reading.source, reading.frame, _rounded(reading.seconds), reading.track),
        *(*reading.box, _rounded(reading.score)),
        *(_rounded(reading.probabilities[emotion]) for emotion in EMOTIONS),
        *(reading.emotion, str(reading.uncertain).lower()),
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)
