"""The contract of sinks: the base class, the context that creates one, and the registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Self

from mien.errors import MienError
from mien.registry import Registry
from mien.vision.places import SourceFiles
from mien.vision.reading import Reading
from mien.vision.sources.base import Frame, Source, Stop, never

if TYPE_CHECKING:
    from mien.labels import LabelSet
    from mien.vision.reader import Reader


@dataclass(frozen=True)
class SinkContext:
    """The source and the settings that a sink is created with.

    Args:
        source: opened source.
        reader: reader of the faces.
        source_files: files of the source, which no sink may replace.
        all_frames: whether frames without a face are also recorded.
        stop: condition that ends the run.
    """

    source: Source
    reader: Reader
    source_files: SourceFiles
    all_frames: bool = False
    stop: Stop = never

    @property
    def labels(self) -> LabelSet:
        """The classes of all readings: their names in order, and their colours."""
        return self.reader.bundle.label_set


class Sink(ABC):
    """A destination of readings: it receives each frame with its readings, and is then closed.

    Use a sink in a ``with`` block, or close it: a file gets its name when its sink is closed.

        with CsvSink("faces.csv") as sink:
            for frame, readings in reader.stream("clip.mp4"):
                sink.add(frame, readings)

    Attributes:
        target: kind of the target that the command line names: a ``file``, a ``folder``, any other
            ``text``, or ``nothing``.
        saved: paths of the files and folders that are complete and in place.
        failures: errors of outputs that were left out, while the others were written.
        notes: warnings about the written outputs for their user, one line each.
    """

    target: ClassVar[Literal["file", "folder", "text", "nothing"]] = "file"

    def __init__(self) -> None:
        self.saved: list[Path] = []
        self.failures: list[MienError] = []
        self.notes: list[str] = []

    @classmethod
    @abstractmethod
    def open(cls, target: str, context: SinkContext) -> Self:
        """Return a sink as the command line creates it.

        Args:
            target: path or other text that the user named; empty for a sink that needs none.
            context: source and settings of the run.

        Raises:
            MienError: if the target cannot be written, or does not fit the source.
        """

    @abstractmethod
    def add(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Add the readings of a frame; there may be none.

        Raises:
            MienError: if they cannot be written, or the target is the source of the frame.
        """

    def close(self) -> None:  # noqa: B027 - a sink may have nothing to close
        """Finish the output, even after an interruption: everything added so far is kept.

        Without any frame nothing is written, and an older file stays. Safe to repeat.
        """

    @property
    def done(self) -> bool:
        """Return whether the sink needs no more frames, which ends the run."""
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


SINKS: Final[Registry[type[Sink]]] = Registry(
    "sink",
    group="mien.sinks",
    package="mien.vision.sinks",
    base=Sink,
    elsewhere={"timeline": "mien.reports.timeline_sink"},  # its page is written there
)
