"""Where the readings of a run go: each an Output, given every frame and closed at the end."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2

from mien.cli.readings import JsonArray, Screen
from mien.errors import MienError, SourceError
from mien.io.files import expand_user, write_bytes
from mien.vision.reader import Reader
from mien.vision.reading import Frame, Reading
from mien.vision.sinks.draw import draw_readings
from mien.vision.sinks.pace import Pace
from mien.vision.sinks.places import (
    SourceFiles,
    refuse_output,
    refuse_source,
    refuse_unwritable,
    short_stem,
)
from mien.vision.sinks.video import VIDEO_SUFFIXES, VideoWriter
from mien.vision.sinks.window import Window
from mien.vision.sinks.write import CsvWriter, JsonLinesWriter, PhotoWriter, Writer
from mien.vision.sources.open import Source
from mien.vision.sources.single import kind_by_name
from mien.vision.timeline import Timeline

_SECONDS_BETWEEN_KEYS = 0.05


class Output(Protocol):
    """Takes readings as they come.

    Attributes:
        saved: what it left, once it is closed.
    """

    saved: list[Path]

    @property
    def over(self) -> bool:
        """Whether it wants no more."""
        ...

    def add(self, frame: Frame, readings: list[Reading]) -> None:
        """Take a frame's readings."""
        ...

    def close(self) -> None:
        """Finish, also after an interruption."""
        ...


@dataclass(frozen=True)
class Wanted:
    """What the options of a run ask for."""

    as_json: bool
    json_lines: Path | None
    csv: Path | None
    save: Path | None
    timeline: Path | None
    save_crops: Path | None
    show: bool
    all_frames: bool


def make_outputs(wanted: Wanted, source: Source, reader: Reader, stack: ExitStack) -> list[Output]:
    """Return the outputs that are wanted; the stack closes them, also those before a bad one."""
    outputs: list[Output] = []
    sources = SourceFiles(source.names)
    _refuse_clashes(wanted, sources)

    def add(output: Output) -> None:
        outputs.append(output)
        stack.callback(output.close)

    every = wanted.all_frames
    add(JsonArray(all_frames=every) if wanted.as_json else Screen(source))
    if wanted.save:
        add(AnnotatedCopy(wanted.save, source, sources))
    if wanted.csv:
        add(Kept(CsvWriter(wanted.csv, all_frames=every)))
    if wanted.json_lines:
        add(Kept(JsonLinesWriter(wanted.json_lines, all_frames=every)))
    if wanted.save_crops:
        add(Crops(wanted.save_crops, reader, sources))
    if wanted.timeline:
        add(TimelinePage(wanted.timeline, source, sources))
    if wanted.show:
        add(OnScreen(source))
    return outputs


def _refuse_clashes(wanted: Wanted, sources: SourceFiles) -> None:
    """Raise a MienError if an output would replace a source or another output."""
    taken = set()
    for path in (wanted.save, wanted.csv, wanted.json_lines, wanted.timeline):
        if path is None:
            continue
        refuse_source(path, sources)
        place = os.path.realpath(expand_user(path))
        if place in taken:
            raise MienError(f"{path}: is to hold two outputs, of which one would be lost")
        taken.add(place)


class Kept:
    """A file of readings, by one of `mien.vision.sinks.write`."""

    over = False

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.saved: list[Path] = []

    def add(self, frame: Frame, readings: list[Reading]) -> None:
        """Write a frame's readings."""
        self._writer.write(frame, readings)

    def close(self) -> None:
        """Give the file its name."""
        self._writer.close()
        self.saved = self._writer.saved


class AnnotatedCopy(Kept):
    """Annotated copies: of photos a file each, of a video or a camera one video."""

    def __init__(self, path: Path, source: Source, sources: SourceFiles) -> None:
        self._source = source
        if source.kind == "photos":
            super().__init__(PhotoWriter(path, photos=source.total, sources=sources))
            return
        if len(source.names) > 1 and path.suffix.lower() not in VIDEO_SUFFIXES:
            first = next((one for one in source.names if kind_by_name(one) != "photos"), "")
            raise MienError(
                f"{path}: the sources hold a video or a stream: {first}; expected .mp4 or .avi for "
                "one video of all, or photos alone"
            )
        super().__init__(VideoWriter(path, source.fps or 0.0))

    def add(self, frame: Frame, readings: list[Reading]) -> None:
        """Write a frame's copy; of several photos one that cannot be is said at the end."""
        try:
            super().add(frame, readings)
        except MienError as error:
            if self._source.kind != "photos" or len(self._source.names) == 1:
                raise
            self._source.failures.append(SourceError(str(error)))


class Crops:
    """Each face as the crop that was read, a PNG named by frame, number and emotion."""

    over = False

    def __init__(self, folder: Path, reader: Reader, sources: SourceFiles) -> None:
        if folder.exists() and not folder.is_dir():
            raise MienError(f"{folder}: a file, but face crops need a folder")
        refuse_unwritable(folder)
        self._folder, self._reader, self._sources = folder, reader, sources
        self._faces = 0
        self.saved: list[Path] = []

    def add(self, frame: Frame, readings: list[Reading]) -> None:
        """Save a frame's faces."""
        for reading in readings:
            self._faces += 1
            stem = short_stem(frame.source)
            name = f"{stem}-{frame.index:06d}-{self._faces:06d}-{reading.emotion}.png"
            refuse_source(self._folder / name, self._sources)
            _, content = cv2.imencode(".png", self._reader.crop(frame.image, reading))
            write_bytes(self._folder / name, content.tobytes())
            self.saved = [self._folder]

    def close(self) -> None:
        """Do nothing: each crop is whole already."""


class TimelinePage:
    """``timeline.html``: who showed which expression when."""

    over = False

    def __init__(self, path: Path, source: Source, sources: SourceFiles) -> None:
        # Imported now: what the page needs and is not installed is missed before an hour of video.
        from mien.reports.timeline import write_timeline

        if source.kind == "photos":
            raise MienError(f"{path}: a timeline is of a video or a camera; leave out --timeline")
        refuse_output(path, sources)
        self._write = write_timeline
        self._path, self._name = path, source.name or "the sources"
        self._timeline = Timeline()
        self.saved: list[Path] = []

    def add(self, frame: Frame, readings: list[Reading]) -> None:
        """Add up a frame's readings."""
        self._timeline.add(frame, readings)

    def close(self) -> None:
        """Write the page, unless there was nothing but photos."""
        if self._timeline.frames:
            self._write(self._timeline, self._name, self._path)
            self.saved = [self._path]


class OnScreen:
    """A window, where a video file takes its time; once it is closed, the run is over."""

    def __init__(self, source: Source) -> None:
        self._window = Window(source.name or "mien")
        self._source = source
        self._pace = None if source.kind == "live" else Pace()
        self.saved: list[Path] = []

    @property
    def over(self) -> bool:
        """Whether somebody closed it."""
        self._window.update()
        return not self._window.is_open

    def add(self, frame: Frame, readings: list[Reading]) -> None:
        """Show a frame with what was read in it."""
        picture = draw_readings(frame.image, readings)
        if self._pace:
            due = self._pace.due(frame, time.monotonic())
            while time.monotonic() < due and not self._source.over():
                time.sleep(min(_SECONDS_BETWEEN_KEYS, max(0.0, due - time.monotonic())))
        self._window.show(picture)

    def close(self) -> None:
        """Take the window away."""
        self._window.close()
