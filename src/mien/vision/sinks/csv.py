"""A sink that writes readings as a CSV table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from mien.labels import EMOTIONS
from mien.vision.reading import Reading
from mien.vision.sinks.base import SINKS, Sink, SinkContext
from mien.vision.sources.base import Frame
from mien.vision.target import AtomicTarget

CSV_COLUMNS: Final = (
    *("source", "frame", "seconds", "track", "left", "top", "right", "bottom", "score"),
    *EMOTIONS,
    *("emotion", "uncertain"),
)
_DECIMALS: Final = 6


@SINKS.register("csv")
class CsvSink(Sink):
    """A table with a row for each face in each frame, in the columns `CSV_COLUMNS`.

    Args:
        path: path of the file, which is replaced.
        all_frames: whether frames without a face also have a row, empty after ``seconds``.

    Raises:
        MienError: if the file cannot be written.
    """

    def __init__(self, path: str | Path, *, all_frames: bool = False) -> None:
        super().__init__()
        self._all_frames = all_frames
        self._target = AtomicTarget(path)
        self._file = self._target.open_text()
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(CSV_COLUMNS)

    @classmethod
    def open(cls, target: str, context: SinkContext) -> Self:
        """Return a sink that writes the file `target` (see `Sink.open`)."""
        return cls(target, all_frames=context.all_frames)

    def add(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Add a row for each face (see `Sink.add`)."""
        with self._target.adding(frame):
            self._rows.writerows(_row(reading) for reading in readings)
            if self._all_frames and not readings:
                start = (frame.source, frame.index, _rounded(frame.seconds))
                self._rows.writerow([*start, *[""] * (len(CSV_COLUMNS) - len(start))])
            self._file.flush()  # a killed process leaves its rows; others can follow the file

    def close(self) -> None:
        """Give the file its name (see `Sink.close`)."""
        self.saved += self._target.close()


def _row(reading: Reading) -> list[object]:
    return [
        *(reading.source, reading.frame, _rounded(reading.seconds), reading.track),
        *(*reading.box, _rounded(reading.score)),
        *(_rounded(reading.probabilities[emotion]) for emotion in EMOTIONS),
        *(reading.emotion, str(reading.uncertain).lower()),
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)
