"""The Parquet file of a part: a row for each face, and one for each picture without any."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from mien.data.formats._parquet_rows import import_pyarrow
from mien.labels import LabelSet
from mien.vision.reading import Reading
from mien.vision.sinks.csv import csv_columns
from mien.vision.sources.base import Frame

_ROWS_OF_A_GROUP: Final = 20_000
_PREFIX: Final = "mien."  # of the counts in a file's metadata
_INTEGERS: Final = ("frame", "track", "left", "top", "right", "bottom")
_TEXTS: Final = ("source", "emotion")


@dataclass
class Counts:
    """What a part, or a whole job, holds.

    Args:
        pictures: number of pictures and videos.
        faces: number of faces; in videos, one for each frame that shows it.
        errors: number of pictures and videos that could not be read, or not completely.
        unread: number of those of which nothing could be read.
        other_members: number of files in shards that are no pictures, such as labels.
    """

    pictures: int = 0
    faces: int = 0
    errors: int = 0
    unread: int = 0
    other_members: int = 0

    def add(self, other: Counts) -> None:
        """Add the counts of another part."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


class PartTable:
    """The rows of a part, compressed in memory as they come.

    The columns are those of `CsvSink`, with the picture's position, `item`, after its source, and
    `error` at the end: why the picture could not be read, or not completely; null if it could.

    Args:
        labels: classes of the readings.
    """

    def __init__(self, labels: LabelSet) -> None:
        pa, pq = import_pyarrow()
        self._pa = pa
        self._names = [self._free(name, labels) for name in csv_columns(labels)]
        schema = pa.schema([(name, _type(pa, name)) for name in self.columns])
        self._file = io.BytesIO()
        self._writer = pq.ParquetWriter(self._file, schema, compression="zstd")
        self._schema = schema
        self._rows: list[tuple[Any, ...]] = []
        self.counts = Counts()

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in their order."""
        source, *others = self._names
        return [source, "item", *others, "error"]

    def add(
        self, frame: Frame, readings: Sequence[Reading], *, if_empty: bool, error: str | None = None
    ) -> int:
        """Add a row for each face in a frame.

        Args:
            frame: frame of the readings.
            readings: readings of the faces in the frame.
            if_empty: True to add a row for a frame without a face.
            error: reason why the frame could not be read completely; None if it could.

        Returns:
            Number of added rows.
        """
        for one in readings:
            row = (one.source, one.item, one.frame, one.seconds, one.track, *one.box, one.score)
            self._append((*row, *one.probabilities.values(), one.emotion, one.uncertain, error))
        self.counts.faces += len(readings)
        if if_empty and not readings:
            self._append_empty((frame.source, frame.item, frame.index, frame.seconds), error)
            return 1
        return len(readings)

    def add_error(self, source: str, item: int, error: str) -> None:
        """Add the row of a picture that could not be read, or of the rest of a video."""
        self._append_empty((source, item), error)

    def add_empty(self, source: str, item: int) -> None:
        """Add the row of a video without a face."""
        self._append_empty((source, item), None)

    def content(self) -> bytes:
        """Return the content of the finished file, with the counts in its metadata."""
        self._flush()
        self._writer.add_key_value_metadata(
            {f"{_PREFIX}{name}": str(value) for name, value in asdict(self.counts).items()}
        )
        self._writer.close()
        return self._file.getvalue()

    def _append_empty(self, start: tuple[Any, ...], error: str | None) -> None:
        self._append((*start, *[None] * (len(self._schema) - len(start) - 1), error))

    def _append(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) >= _ROWS_OF_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            arrays = [
                self._pa.array(values, kind)
                for values, kind in zip(
                    zip(*self._rows, strict=True), self._schema.types, strict=True
                )
            ]
            self._writer.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema))
            self._rows.clear()

    @staticmethod
    def _free(name: str, labels: LabelSet) -> str:
        """Return the name of a column; that of a class must not be one of this table's own."""
        return f"probability {name}" if name in ("item", "error") and name in labels.names else name


def read_counts(footer: Any) -> Counts:
    """Return the counts in the metadata of a part's file.

    Args:
        footer: ``pyarrow.parquet.FileMetaData`` of the file.

    Raises:
        ValueError: if they are missing, because something else wrote the file.
    """
    metadata = footer.metadata or {}
    try:
        return Counts(
            **{name: int(metadata[f"{_PREFIX}{name}".encode()]) for name in vars(Counts())}
        )
    except KeyError as error:
        raise ValueError(f"no {error} in its metadata") from None


def _type(pa: Any, name: str) -> Any:
    if name in (*_TEXTS, "error"):
        return pa.string()
    if name == "item":
        return pa.int64()
    if name in _INTEGERS:
        return pa.int32()
    if name == "uncertain":
        return pa.bool_()
    return pa.float64() if name == "seconds" else pa.float32()
