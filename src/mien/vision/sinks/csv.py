"""A sink that writes readings as a CSV table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from mien.errors import MienError
from mien.io.text import csv_cell
from mien.labels import FER2013, LabelSet
from mien.vision.reading import Reading
from mien.vision.sinks.base import SINKS, Sink, SinkContext
from mien.vision.sources.base import Frame
from mien.vision.target import AtomicTarget

_BEFORE: Final = (
    *("source", "frame", "seconds", "track"),
    *("left", "top", "right", "bottom", "score"),
)
_AFTER: Final = ("emotion", "uncertain")
_DECIMALS: Final = 6


@SINKS.register("csv")
class CsvSink(Sink):
    """A table with a row for each face in each frame, in the columns of `csv_columns`.

    A cell that a spreadsheet would take for a formula, such as the name of a file that begins with
    ``=``, has an apostrophe in front (`mien.io.text.csv_cell`).

    Args:
        path: path of the file, which is replaced.
        labels: classes of the readings, each a column; those of a reader are
            ``reader.bundle.label_set``.
        all_frames: whether frames without a face also have a row, empty after ``seconds``.

    Raises:
        MienError: if the file cannot be written.
    """

    def __init__(
        self, path: str | Path, *, labels: LabelSet = FER2013, all_frames: bool = False
    ) -> None:
        super().__init__()
        self._labels = labels
        self._columns = csv_columns(labels)
        self._all_frames = all_frames
        self._target = AtomicTarget(path)
        self._file = self._target.open_text()
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(map(csv_cell, self._columns))

    @classmethod
    def open(cls, target: str, context: SinkContext) -> Self:
        """Return a sink that writes the file `target` (see `Sink.open`)."""
        return cls(target, labels=context.labels, all_frames=context.all_frames)

    def add(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Add a row for each face (see `Sink.add`)."""
        with self._target.adding(frame):
            self._rows.writerows(self._row(reading) for reading in readings)
            if self._all_frames and not readings:
                start = (csv_cell(frame.source), frame.index, _rounded(frame.seconds))
                self._rows.writerow([*start, *[""] * (len(self._columns) - len(start))])
            self._file.flush()  # a killed process leaves its rows; others can follow the file

    def close(self) -> None:
        """Give the file its name (see `Sink.close`)."""
        self.saved += self._target.close()

    def _row(self, reading: Reading) -> list[object]:
        if tuple(reading.probabilities) != self._labels.names:
            raise MienError(
                f"{self._target.path}: a reading of {', '.join(reading.probabilities)} in a table "
                f"of {', '.join(self._labels.names)}; open it with labels=reader.bundle.label_set"
            )
        return [
            *(csv_cell(reading.source), reading.frame, _rounded(reading.seconds), reading.track),
            *(*reading.box, _rounded(reading.score)),
            *map(_rounded, reading.probabilities.values()),
            *(csv_cell(reading.emotion), str(reading.uncertain).lower()),
        ]


def csv_columns(labels: LabelSet) -> tuple[str, ...]:
    """Return the columns of a `CsvSink`: what is known of a face, with its class probabilities.

    The column of a class has its name, or ``probability NAME`` if that is the name of another one.
    """
    taken = {*_BEFORE, *_AFTER}
    columns = []
    for column in labels.names:
        while column in taken:
            column = f"probability {column}"
        taken.add(column)
        columns.append(column)
    return (*_BEFORE, *columns, *_AFTER)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)
